"""Networks as ordinary modules, from their settings."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn

from kdtune.settings import CNN, MLP, Shape
from kdtune.stacked.initial_weights import draw_initial_weights

ACTIVATIONS: dict[str, type[nn.Module]] = {
    "relu": nn.ReLU,
    "leaky_relu": nn.LeakyReLU,
    "elu": nn.ELU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
}


def build_module(
    shape: Shape,
    inputs: Sequence[int],
    n_classes: int,
    seed: int | None = None,
    dtype: torch.dtype = torch.float32,
) -> nn.Sequential:
    """A network that maps (batch, features) to logits (batch, classes).

    Parameters
    ----------
    inputs : (features,), or (channels, height, width) of images that lie in rows of features.
    seed : of its initial weights; torch's own unless given.
    """
    net = nn.Sequential(OrderedDict(_parts(shape, inputs, n_classes))).to(dtype)
    if seed is not None:
        layers = [part for part in net if isinstance(part, nn.Linear | nn.Conv2d)]
        std = shape.init_std if isinstance(shape, MLP) else None
        with torch.no_grad():
            weights = draw_initial_weights([tuple(part.weight.shape) for part in layers], seed, std)
            for part, weight in zip(layers, weights, strict=True):
                part.weight.copy_(weight)
                part.bias.zero_()  # type: ignore[union-attr]
    return net


def _parts(shape: Shape, inputs: Sequence[int], n_classes: int) -> Iterator[tuple[str, nn.Module]]:
    activation = ACTIVATIONS[shape.activation]
    features = math.prod(inputs)
    if isinstance(shape, CNN):
        depth, height, width = inputs
        yield "image", Images(depth, height, width)
        for i, (channels, window) in enumerate(zip(shape.channels, shape.windows, strict=True), start=1):
            yield f"conv_{i}", nn.Conv2d(depth, channels, shape.kernel, padding="same")
            yield f"{shape.activation}_conv_{i}", activation()
            if window > 1:  # what is left over at the edge makes a window too, as in Keras's "same"
                yield f"pool_{i}", nn.MaxPool2d(window, ceil_mode=True)
            depth, height, width = channels, math.ceil(height / window), math.ceil(width / window)
        yield "flatten", nn.Flatten()
        if shape.dropout:
            yield "dropout", nn.Dropout(shape.dropout)
        features = depth * height * width
    for i, outputs in enumerate(shape.hidden or [], start=1):
        yield f"hidden_{i}", nn.Linear(features, outputs)
        yield f"{shape.activation}_{i}", activation()
        if shape.dropout:
            yield f"dropout_{i}", nn.Dropout(shape.dropout)
        features = outputs
    yield "logit", nn.Linear(features, n_classes)


class Images(nn.Module):
    """Rows of features as images; with the channels last, convolutions on a CPU take two thirds of the time."""

    def __init__(self, *image: int) -> None:
        super().__init__()
        self.image = image
        self.channels_last = True

    def forward(self, x: Tensor) -> Tensor:
        images = x.reshape(len(x), *self.image)
        return images.to(memory_format=torch.channels_last) if self.channels_last else images

    def extra_repr(self) -> str:
        return " x ".join(map(str, self.image))
