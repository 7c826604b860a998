"""Modules as users write them, for the tests: some can be stacked, some cannot."""

from __future__ import annotations

import math
import random

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional


def mlp(inputs, n_classes, width=5, dropout=0.2):
    layers = [nn.Linear(math.prod(inputs), width), nn.GELU(), nn.Dropout(dropout)]
    return nn.Sequential(nn.Flatten(), *layers, nn.Linear(width, width), nn.GELU(), nn.Linear(width, n_classes))


def cnn(inputs, n_classes):
    return nn.Sequential(
        *(nn.Conv2d(inputs[0], 4, 3, padding=1), nn.GroupNorm(2, 4), nn.ReLU(inplace=True), nn.Dropout2d(0.3)),
        *(nn.MaxPool2d(2), nn.Conv2d(4, 6, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.LayerNorm(6)),
        nn.Linear(6, n_classes),
    )


class Attention(nn.Module):
    """Embedded rows of an image, attention with a mask that is a buffer, one dropout layer called twice."""

    def __init__(self, inputs, n_classes, width=8):
        super().__init__()
        channels, height, columns = inputs
        self.embed, self.mix = nn.Linear(channels * columns, width), nn.Linear(width, 3 * width)
        self.drop, self.head = nn.Dropout(0.25), nn.Linear(width, n_classes)
        self.register_buffer("mask", torch.ones(height, height).tril().bool(), persistent=False)
        self.register_buffer("place", torch.arange(height))
        self.bias = nn.Parameter(torch.randn(height) * 0.1)

    def forward(self, x):
        rows = self.embed(x.permute(0, 2, 1, 3).flatten(2)) + self.bias[self.place][:, None]
        query, key, value = self.mix(self.drop(rows)).chunk(3, dim=-1)
        mixed_rows = functional.scaled_dot_product_attention(query, key, value, attn_mask=self.mask)
        return self.head(self.drop(mixed_rows + rows).mean(dim=1))


class Transformer(nn.Module):
    def __init__(self, inputs, n_classes, dropout=0.0):
        super().__init__()
        channels, height, columns = inputs
        self.embed, self.place = nn.Linear(channels * columns, 8), nn.Parameter(torch.randn(1, height, 8) * 0.1)
        self.block = nn.TransformerEncoderLayer(8, 2, 16, dropout, "gelu", batch_first=True)
        self.head = nn.Linear(8, n_classes)

    def forward(self, x):
        return self.head(self.block(self.embed(x.permute(0, 2, 1, 3).flatten(2)) + self.place).mean(dim=1))


class Tied(nn.Module):
    """Two layers that share their weights, and one that is not used."""

    def __init__(self, inputs, n_classes):
        super().__init__()
        self.first, self.second, self.third = nn.Linear(math.prod(inputs), 6), nn.Linear(6, 6), nn.Linear(6, 6)
        self.third.weight = self.second.weight
        self.head, self.unused = nn.Linear(6, n_classes), nn.Linear(3, 3)

    def forward(self, x):
        h = torch.relu(self.first(x.flatten(1)))
        return self.head(torch.relu(self.third(torch.relu(self.second(h)))))


class Fourier(nn.Module):
    """Random features in a buffer, which differ between members, and a layer that is not trained."""

    def __init__(self, inputs, n_classes):
        super().__init__()
        self.register_buffer("frequencies", torch.randn(math.prod(inputs), 9))
        self.head, self.frozen = nn.Linear(18, n_classes), nn.Linear(18, 18)
        self.frozen.requires_grad_(False)

    def forward(self, x):
        phases = x.flatten(1) @ self.frequencies
        return self.head(self.frozen(torch.cat([phases.sin(), phases.cos()], dim=1)))


class Annealed(nn.Sequential):
    """Another scale in training than in evaluation; one layer of dropout in two places."""

    def __init__(self, inputs, n_classes):
        drop, size = nn.Dropout(0.5), math.prod(inputs)
        super().__init__(nn.Flatten(), drop, nn.Linear(size, 6), nn.Tanh(), drop, nn.Linear(6, n_classes))

    def forward(self, x):
        return super().forward(x) / (2 if self.training else 1)


def lazy(inputs, n_classes):
    return nn.Sequential(nn.Flatten(), nn.Dropout(0.0), nn.LazyLinear(7), nn.SELU(), nn.Linear(7, n_classes))


STACKABLE = [mlp, cnn, Attention, Transformer, Tied, Fourier, Annealed, lazy]


def batch_norm(inputs, n_classes):
    hidden = [nn.Linear(math.prod(inputs), 6), nn.BatchNorm1d(6), nn.ReLU(), nn.Dropout(0.2)]
    return nn.Sequential(nn.Flatten(), *hidden, nn.Linear(6, n_classes))


class TwoLayers(nn.Module):
    def __init__(self, inputs, n_classes):
        super().__init__()
        self.hidden, self.head = nn.Linear(math.prod(inputs), 6), nn.Linear(6, n_classes)
        self.calls = 0

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.change(torch.relu(self.hidden(x.flatten(1)))))

    def change(self, h: Tensor) -> Tensor:
        return h


class FunctionalDropout(TwoLayers):
    def change(self, h):
        return functional.dropout(h, 0.3, self.training)


class DropoutForever(TwoLayers):
    def change(self, h):
        return functional.dropout(h, 0.3)


class Branch(TwoLayers):
    def change(self, h):
        return 2 * h if h.sum() > 0 else h


class Item(TwoLayers):
    def change(self, h):
        return h * h.mean().item()


class PythonRandom(TwoLayers):
    def change(self, h):
        return h * (random.random() if self.training else 0.5)


class NumpyRandom(TwoLayers):
    def change(self, h):
        return h * (np.random.rand() if self.training else 0.5)


class Counter(TwoLayers):
    def change(self, h):
        self.calls += 1
        return h


class Recurrent(nn.Module):
    def __init__(self, inputs, n_classes):
        super().__init__()
        self.cells, self.head = nn.LSTM(inputs[0] * inputs[2], 5, batch_first=True), nn.Linear(5, n_classes)

    def forward(self, x):
        return self.head(self.cells(x.permute(0, 2, 1, 3).flatten(2))[0][:, -1])


class BatchStatistics(TwoLayers):
    """Logits that depend on the class of a tensor: vmap computes with others."""

    def change(self, h):
        return h + (0.3 if torch._C._functorch.is_batchedtensor(h) else 0.0)


ALONE = {
    batch_norm: "BatchNorm1d keeps running statistics",
    FunctionalDropout: "F.dropout in forward draws its own random numbers",
    DropoutForever: "F.dropout in forward draws its own random numbers",
    Branch: "data-dependent control flow",
    Item: "data-dependent control flow",
    PythonRandom: "forward draws random numbers from Python",
    NumpyRandom: "forward draws random numbers from NumPy",
    Counter: "forward changes self.calls",
    Recurrent: "vmap has no rule for aten::lstm.input",
    BatchStatistics: "it returns different logits stacked (by 0.",
}
