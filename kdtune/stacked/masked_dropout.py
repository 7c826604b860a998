"""``nn.Dropout`` whose masks the caller sets, in place of layers that draw their own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.nn.modules.dropout import _DropoutNd

from kdtune.stacked.dropout_masks import DropoutLayer
from kdtune.stacked.module_copies import copy_module

# Layers whose masks are factors; of those that drop whole channels the number of dimensions of their batches.
DROPOUTS: dict[type[nn.Module], int | None] = {
    nn.Dropout: None,
    nn.Dropout1d: 3,
    nn.Dropout2d: 4,
    nn.Dropout3d: 5,
}


@dataclass
class MaskQueue:
    """The masks of one forward pass, in the order in which the layers of a module are called."""

    masks: Iterator[Tensor] | None = None  # None: no layer drops anything
    calls: list[tuple[float, torch.Size]] | None = field(default=None)  # filled with (rate, shape of a mask) if a list


class MaskedDropout(nn.Dropout):
    """Dropout by the next mask of a queue, (batch, *units of one example); no dropout where the queue has no masks.

    As ``nn.Dropout`` it drops nothing in evaluation mode, and may work in place. A layer may be called more than once
    in a forward pass, each time with a mask of its own.

    Attributes
    ----------
    queue : Queue that the layers of a module share.
    n_dims : Number of dimensions of the batch of a layer that drops whole channels; None drops single values.
    """

    queue: MaskQueue
    n_dims: int | None

    def forward(self, input: Tensor) -> Tensor:
        """Return the input times the mask."""
        if not self.training or not self.p:
            return input
        if self.queue.calls is not None:
            self.queue.calls.append((self.p, self._get_mask_shape(input)))
        if self.queue.masks is None:
            return input
        mask = next(self.queue.masks)
        return input.mul_(mask) if self.inplace else input * mask

    def _get_mask_shape(self, input: Tensor) -> torch.Size:
        """Return the shape of the mask, the examples of the batch first."""
        if self.n_dims is None:
            return input.shape
        if input.ndim != self.n_dims:
            raise ValueError(f"a layer that drops channels got {input.ndim} dimensions; {self.n_dims} are right")
        return torch.Size([*input.shape[:2], *[1] * (self.n_dims - 2)])


def replace_dropout(module: nn.Module) -> tuple[nn.Module, MaskQueue]:
    """Return a copy of the module whose layers of dropout are ``MaskedDropout``, and their queue.

    The layers keep their hooks and all else that they hold. One that drops everything, and ``nn.AlphaDropout``, whose
    mask is no factor, stay what they are.
    """
    masked_module = copy_module(module)
    queue = MaskQueue()
    for layer in list_dropout_layers(masked_module):
        vars(layer).update(queue=queue, n_dims=DROPOUTS[type(layer)])
        layer.__class__ = MaskedDropout
    return masked_module, queue


def list_dropout_layers(module: nn.Module) -> list[_DropoutNd]:
    """List the layers of dropout in a module whose masks a caller can set."""
    return [
        layer for layer in module.modules() if isinstance(layer, _DropoutNd) and type(layer) in DROPOUTS and layer.p < 1
    ]


def record_dropout_calls(module: nn.Module, queue: MaskQueue, example: Tensor) -> list[tuple[float, torch.Size]]:
    """Return the rate and the shape of a mask of one example of each call of a dropout layer, in their order.

    Parameters
    ----------
    module, queue : As ``replace_dropout`` returns them.
    example : A batch of examples.

    Raises
    ------
    ValueError
        If a layer gets a tensor whose first dimension is not that of the examples, or the wrong number of them.
    """
    queue.calls = []
    try:
        with torch.no_grad():
            module(example)
        calls = queue.calls
    finally:
        queue.calls = None
    if any(shape[:1] != example.shape[:1] for _, shape in calls):
        raise ValueError("a layer of dropout gets a tensor whose first dimension is not that of the examples")
    return [(rate, shape[1:]) for rate, shape in calls]


def to_dropout_layers(calls: list[tuple[float, torch.Size]]) -> list[DropoutLayer]:
    """Return the rate and the number of units of each call of a dropout layer."""
    return [DropoutLayer(rate, shape.numel()) for rate, shape in calls]
