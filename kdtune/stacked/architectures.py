"""Networks as ordinary PyTorch modules, built from their settings."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn

from kdtune.settings import CNN, MLP
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
    shape: MLP | CNN,
    input_shape: Sequence[int],
    n_classes: int,
    seed: int | None = None,
    dtype: torch.dtype = torch.float32,
) -> nn.Sequential:
    """Build a network that maps (batch, features) to logits, (batch, classes).

    Parameters
    ----------
    shape : Settings of its architecture.
    input_shape : (features,), or (channels, height, width) of images that are given as rows of features.
    n_classes : Number of logits.
    seed : Seed of its initial weights, see ``initial_weights``; biases start at zero. None leaves torch's
        own initialization.
    dtype : Type of its parameters.
    """
    network = nn.Sequential(OrderedDict(_build_layers(shape, input_shape, n_classes))).to(dtype)
    if seed is not None:
        _initialize(network, seed, shape.init_std if isinstance(shape, MLP) else None)
    return network


@torch.no_grad()
def _initialize(network: nn.Sequential, seed: int, std: float | None) -> None:
    """Draw the initial weights of a network in place and set its biases to zero."""
    layers = [layer for layer in network if isinstance(layer, nn.Linear | nn.Conv2d)]
    weights = draw_initial_weights([tuple(layer.weight.shape) for layer in layers], seed, std)
    for layer, weight in zip(layers, weights, strict=True):
        layer.weight.copy_(weight)
        layer.bias.zero_()  # type: ignore[union-attr]


def _build_layers(shape: MLP | CNN, input_shape: Sequence[int], n_classes: int) -> Iterator[tuple[str, nn.Module]]:
    """Yield the name and the module of each layer."""
    activation = ACTIVATIONS[shape.activation]
    features = math.prod(input_shape)
    if isinstance(shape, CNN):
        channels, height, width = input_shape
        yield "image", RowsToImages(channels, height, width)
        for i, (out_channels, window) in enumerate(zip(shape.channels, shape.pool_windows, strict=True), start=1):
            yield f"conv_{i}", nn.Conv2d(channels, out_channels, shape.kernel, padding="same")
            yield f"{shape.activation}_conv_{i}", activation()
            if window > 1:
                # A partial window at the edge is pooled too, as by Keras's "same" padding.
                yield f"pool_{i}", nn.MaxPool2d(window, ceil_mode=True)
            channels, height, width = out_channels, math.ceil(height / window), math.ceil(width / window)
        yield "flatten", nn.Flatten()
        if shape.dropout:
            yield "dropout", nn.Dropout(shape.dropout)
        features = channels * height * width
    for i, units in enumerate(shape.hidden or [], start=1):
        yield f"hidden_{i}", nn.Linear(features, units)
        yield f"{shape.activation}_{i}", activation()
        if shape.dropout:
            yield f"dropout_{i}", nn.Dropout(shape.dropout)
        features = units
    yield "logit", nn.Linear(features, n_classes)


class RowsToImages(nn.Module):
    """A layer that reshapes rows of features to images.

    If ``channels_last`` is true, images have that memory format, in which convolutions on a CPU take two thirds of
    the time.
    """

    def __init__(self, channels: int, height: int, width: int) -> None:
        super().__init__()
        self.image_shape = channels, height, width
        self.channels_last = True

    def forward(self, x: Tensor) -> Tensor:
        """Reshape (batch, features) to (batch, channels, height, width)."""
        images = x.reshape(len(x), *self.image_shape)
        return images.to(memory_format=torch.channels_last) if self.channels_last else images

    def extra_repr(self) -> str:
        """Return the size of the images as text."""
        return " x ".join(map(str, self.image_shape))
