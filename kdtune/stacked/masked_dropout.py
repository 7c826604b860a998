"""``nn.Dropout`` whose masks the caller sets, in place of layers that draw their own."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.nn.modules.dropout import _DropoutNd

from kdtune.stacked.dropout_masks import DropoutLayer

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

    A layer may be called more than once in a forward pass, each time with a mask of its own.

    Parameters
    ----------
    rate : Probability that a unit is dropped.
    queue : Queue that the layers of a module share.
    n_dims : Number of dimensions of the batch of a layer that drops whole channels; None drops single values.
    """

    def __init__(self, rate: float, queue: MaskQueue, n_dims: int | None = None) -> None:
        super().__init__(rate)
        self.queue = queue
        self.n_dims = n_dims

    def forward(self, input: Tensor) -> Tensor:
        """Return the input times the mask."""
        if self.queue.calls is not None:
            self.queue.calls.append((self.p, self._get_mask_shape(input)))
        if self.queue.masks is None:
            return input
        return input * next(self.queue.masks)

    def _get_mask_shape(self, input: Tensor) -> torch.Size:
        """Return the shape of the mask of one example."""
        if self.n_dims is None:
            return input.shape[1:]
        if input.ndim != self.n_dims:
            raise ValueError(f"a layer that drops channels got {input.ndim} dimensions; {self.n_dims} are right")
        return torch.Size([input.shape[1], *[1] * (self.n_dims - 2)])


def replace_dropout(module: nn.Module) -> tuple[nn.Module, MaskQueue]:
    """Return a copy of the module with ``MaskedDropout`` in place of its dropout layers, and their queue.

    A layer that drops nothing becomes ``nn.Identity``. One that drops everything, and ``nn.AlphaDropout``, whose
    mask is no factor, stay.
    """
    masked_module = copy.deepcopy(module)
    queue = MaskQueue()
    for part in list(masked_module.modules()):
        for name, child in part._modules.items():  # not `named_children`: it lists a shared layer once
            if isinstance(child, _DropoutNd) and type(child) in DROPOUTS and child.p < 1:
                masked_child = MaskedDropout(child.p, queue, DROPOUTS[type(child)])
                part._modules[name] = masked_child if child.p else nn.Identity()
    return masked_module, queue


def record_dropout_calls(module: nn.Module, queue: MaskQueue, example: Tensor) -> list[tuple[float, torch.Size]]:
    """Return the rate and the shape of a mask of one example of each call of a dropout layer, in their order.

    Parameters
    ----------
    module, queue : As ``replace_dropout`` returns them.
    example : A batch of examples.
    """
    queue.calls = []
    try:
        with torch.no_grad():
            module(example)
        return queue.calls
    finally:
        queue.calls = None


def to_dropout_layers(calls: list[tuple[float, torch.Size]]) -> list[DropoutLayer]:
    """Return the rate and the number of units of each call of a dropout layer."""
    return [DropoutLayer(rate, shape.numel()) for rate, shape in calls]
