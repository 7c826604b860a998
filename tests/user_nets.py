"""Modules as users write them, for the tests: some can be stacked, some cannot."""

from __future__ import annotations

import itertools
import math
import random

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import prune


def mlp(inputs, n_classes, width=5, dropout=0.2):
    layers = [nn.Linear(math.prod(inputs), width), nn.GELU(), nn.Dropout(dropout)]
    return nn.Sequential(nn.Flatten(), *layers, nn.Linear(width, width), nn.GELU(), nn.Linear(width, n_classes))


def cnn(inputs, n_classes):
    return nn.Sequential(
        *(nn.Conv2d(inputs[0], 4, 3, padding=1), nn.GroupNorm(2, 4), nn.ReLU(inplace=True), nn.Dropout2d(0.3)),
        *(nn.MaxPool2d(2), nn.Conv2d(4, 6, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.LayerNorm(6)),
        nn.Linear(6, n_classes),
    )


class Words(nn.Module):
    """Ids of words below 30, of which 0 is padding."""

    def __init__(self, inputs, n_classes, vocabulary=30):
        super().__init__()
        self.embedding, self.head = nn.Embedding(vocabulary, 4), nn.Linear(4, n_classes)

    def forward(self, x):
        return self.head(self.embedding(x.long()).mean(dim=1))


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


class TwoLayers(nn.Module):
    def __init__(self, inputs, n_classes):
        super().__init__()
        self.hidden, self.head = nn.Linear(math.prod(inputs), 6), nn.Linear(6, n_classes)
        self.calls = 0
        self.extend()

    def extend(self) -> None:
        """Add further parts."""

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.change(torch.relu(self.hidden(x.flatten(1)))))

    def change(self, h: Tensor) -> Tensor:
        return h


class Constants(TwoLayers):
    """Tensors that Python makes in each call; one is changed in place."""

    def change(self, h):
        factors = torch.tensor([1.0, 2, 3, 4, 5, 6], dtype=h.dtype, device=h.device)
        factors *= 0.5
        return h[:, [0, 0, 2, 1, 4, 5]] * torch.tensor(0.5) + h * factors


class FrozenBackbone(TwoLayers):
    """A frozen part that stays in evaluation mode, without dropout."""

    def extend(self):
        self.backbone, self.drop = nn.Sequential(nn.Linear(6, 6), nn.Tanh(), nn.Dropout(0.5)), nn.Dropout(0.2)
        self.backbone.requires_grad_(False)

    def train(self, mode=True):
        super().train(mode)
        self.backbone.eval()
        return self

    def change(self, h):
        return self.drop(self.backbone(h))


class InplaceDropout(TwoLayers):
    """Dropout in place whose input is used again, and has a hook."""

    def extend(self):
        self.drop = nn.Dropout(0.5, inplace=True)
        self.drop.register_forward_hook(lambda layer, inputs, output: output * 1.5)

    def change(self, h):
        h = h * 1.5
        return self.drop(h) + h


class Rotary(TwoLayers):
    """Complex numbers in a buffer."""

    def extend(self):
        self.register_buffer("rotation", torch.polar(torch.ones(3), torch.arange(3.0)))

    def change(self, h):
        real, imaginary = h.unflatten(1, (3, 2)).unbind(-1)
        cosine, sine = self.rotation.real.to(h.dtype), self.rotation.imag.to(h.dtype)
        return torch.cat([real * cosine - imaginary * sine, real * sine + imaginary * cosine], dim=1)


class OneHot(TwoLayers):
    """A read of values that serves a check alone, and one of a mask that is the same for all examples."""

    def extend(self):
        self.register_buffer("mask", torch.ones(6))

    def change(self, h):
        kinds = functional.one_hot(h.detach().argmax(dim=1), num_classes=6)
        return h + kinds.to(h.dtype) * (2 if self.mask.any() else 1)


STACKABLE = [
    *(mlp, cnn, Attention, Transformer, Tied, Fourier, Annealed, lazy),
    *(Constants, FrozenBackbone, InplaceDropout, Rotary, OneHot),
]


def batch_norm(inputs, n_classes):
    hidden = [nn.Linear(math.prod(inputs), 6), nn.BatchNorm1d(6), nn.ReLU(), nn.Dropout(0.2)]
    return nn.Sequential(nn.Flatten(), *hidden, nn.Linear(6, n_classes))


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


class MaxNorm(TwoLayers):
    """A constraint on weights, as EEGNet has it."""

    def forward(self, x):
        if self.training:
            self.hidden.weight.data = torch.renorm(self.hidden.weight.data, p=2, dim=0, maxnorm=0.3)
        return super().forward(x)


class MaxNormBatchNorm(MaxNorm):
    def extend(self):
        self.norm = nn.BatchNorm1d(6)

    def change(self, h):
        return self.norm(h)


class Lengths(TwoLayers):
    """Python reads the examples alone, which `vmap` does not see where members share them."""

    def forward(self, x):
        lengths = (x.flatten(1) > 0).sum(dim=1).tolist()
        return super().forward(torch.stack([row * length / 100 for row, length in zip(x, lengths, strict=True)]))


class Arrays(TwoLayers):
    def forward(self, x):
        return super().forward(x * torch.from_numpy(np.sign(x.numpy())))


class RowsKept(TwoLayers):
    def forward(self, x):
        rows = x.flatten(1)
        return super().forward(x) + rows[rows > 0].sum() / 100


class Distinct(TwoLayers):
    def forward(self, x):
        return super().forward(x) / torch.unique(x.round()).numel()


class Checked(TwoLayers):
    def forward(self, x):
        assert not torch.isnan(x).any()
        return super().forward(x)


class Embedded(nn.Module):
    """A row of padding, which `vmap` trains in all members but the first where each has examples of its own."""

    def __init__(self, inputs, n_classes):
        super().__init__()
        self.embed, self.head = nn.Embedding(20, 6, padding_idx=3), nn.Linear(6, n_classes)

    def forward(self, x):
        return self.head(self.embed((x.flatten(1) * 4 + 10).long().clamp(0, 19)).mean(dim=1))


class ChunkDropout(TwoLayers):
    """Fits batches of up to five examples alone."""

    def extend(self):
        self.drop = nn.Dropout(0.3)

    def change(self, h):
        return torch.cat([self.drop(part) for part in h.split(5)])


class WeightDropout(ChunkDropout):
    def change(self, h):
        return functional.linear(h, self.drop(self.head.weight)) @ self.head.weight


class DropoutInEvaluation(ChunkDropout):
    def train(self, mode=True):
        super().train(mode)
        self.drop.train()
        return self

    def change(self, h):
        return self.drop(h)


class SmallGradient(TwoLayers):
    """A wrong gradient that is far below the others."""

    def extend(self):
        self.small = nn.Parameter(torch.ones(6))

    def change(self, h):
        return h + 1e-7 * self.small * (2 if torch._C._functorch.is_batchedtensor(h) else 1)


class OwnExamples(TwoLayers):
    """Other logits where each member has examples of its own."""

    def forward(self, x):
        return super().forward(x) + (0.3 if torch._C._functorch.is_batchedtensor(x) else 0.0)


class ManyExamples(TwoLayers):
    """Other logits stacked for more than five examples."""

    def change(self, h):
        return h + (0.3 if torch._C._functorch.is_batchedtensor(h) and len(h) > 5 else 0.0)


class Pruned(TwoLayers):
    """A weight that is no parameter, which torch does not copy."""

    def extend(self):
        prune.random_unstructured(self.hidden, "weight", 0.5)


class Schedule:
    steps = 0

    def __init__(self):
        self.step = 0


class ObjectCounter(TwoLayers):
    def extend(self):
        self.schedule = Schedule()

    def change(self, h):
        self.schedule.step += self.training
        return h * (2 if self.schedule.step > 9 else 1)


class ClassCounter(TwoLayers):
    def change(self, h):
        Schedule.steps += self.training
        return h


class ArrayCounter(TwoLayers):
    def extend(self):
        self.steps = np.zeros(1)

    def change(self, h):
        self.steps += self.training
        return h * (2 if self.steps[0] > 9 else 1)


class IteratorCounter(TwoLayers):
    def extend(self):
        self.steps = itertools.count()

    def change(self, h):
        return h * (2 if self.training and next(self.steps) > 9 else 1)


class GradientCounter(TwoLayers):
    def change(self, h):
        self.calls += torch.is_grad_enabled()
        return h * (2 if self.calls > 9 else 1)


CALLS = {"training": 0}


class GlobalCounter(TwoLayers):
    def change(self, h):
        CALLS["training"] += self.training
        return h


class OwnRandom(TwoLayers):
    """Layers are dropped by a generator of the module's own."""

    def extend(self):
        self.random, self.residual = random.Random(3), nn.Linear(6, 6)

    def change(self, h):
        return h if self.training and self.random.random() < 0.1 else h + self.residual(h)


class RandomActivation(TwoLayers):
    """Another activation under another seed: `seed 0 draws 0.84, seed 1 draws 0.13`."""

    def extend(self):
        self.activation = torch.tanh if random.random() < 0.5 else torch.sigmoid

    def change(self, h):
        return self.activation(h)


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
    MaxNorm: "forward changes the parameter hidden.weight",
    MaxNormBatchNorm: "BatchNorm1d keeps running statistics",
    Lengths: "tolist in forward reads values that depend on the data",
    Arrays: "numpy in forward reads values that depend on the data",
    RowsKept: "the shapes of its tensors depend on the data",
    Distinct: "the shapes of its tensors depend on the data",
    Checked: "data-dependent control flow",
    Embedded: "vmap trains the row of padding_idx of nn.Embedding",
    ChunkDropout: "a layer of dropout gets a tensor whose first dimension is not that of the examples",
    WeightDropout: "a layer of dropout gets a tensor whose first dimension is not that of the examples",
    DropoutInEvaluation: "its layers of dropout drop units in evaluation as well",
    SmallGradient: "it has another gradient of small stacked (by ",
    OwnExamples: "it returns different logits stacked (by 0.",
    ManyExamples: "it returns different logits stacked (by 0.",
    Pruned: "forward changes self.hidden.weight",
    ObjectCounter: "forward changes self.schedule",
    ClassCounter: "forward changes the global variable Schedule",
    ArrayCounter: "forward changes self.steps",
    IteratorCounter: "forward changes self.steps",
    GradientCounter: "forward changes self.calls",
    GlobalCounter: "forward changes the global variable CALLS",
    OwnRandom: "forward changes self.random",
    RandomActivation: "self.activation differs from seed to seed",
}
