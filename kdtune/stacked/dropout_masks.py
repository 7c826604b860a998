"""Dropout masks, drawn in bulk for all layers of a step and keyed by network and epoch, never by the stack.

A mask holds the factors of a layer's units: 0 for a dropped unit, 1 / (1 - rate) for the others. A unit is
dropped if 16 random bits are below a threshold, so that rates are accurate to 1 / 65536. torch's own
Bernoulli draws cost several times as much as the matrix products whose results they mask.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from kdtune.plan.identity import make_seed_sequence

N_VALUES = 65536  # the values that 16 random bits can take


class DropoutLayer(NamedTuple):
    """A layer with dropout."""

    rate: float  # probability that a unit is dropped
    units: int


class _Segment(NamedTuple):
    """The position of a layer among the units of all layers with dropout, and the parameters of its mask."""

    units: slice  # its rows among those of all layers
    threshold: int  # random values below it drop a unit
    scale: float  # factor of units that are not dropped


def _make_segments(layers: Sequence[DropoutLayer]) -> list[_Segment]:
    """Return the segment of each layer, one after the other."""
    segments = []
    start = 0
    for rate, units in layers:
        segments.append(_Segment(slice(start, start + units), round(rate * N_VALUES), 1 / (1 - rate)))
        start += units
    return segments


@dataclass(frozen=True)
class _MaskBuffers:
    """The buffers of one layer's mask, for batches of one size.

    Where the masks are example-major, units and batch change places in their shapes.
    """

    is_kept: npt.NDArray[np.bool_]  # (members, units, batch)
    scale: np.floating[Any]  # factor of units that are not dropped, in the type of the mask
    mask: Tensor  # (members, units, batch), shared by all layers with as many units
    mask_values: npt.NDArray[np.floating[Any]]  # the same memory for numpy


@dataclass(frozen=True)
class _Buffers:
    """The buffers of all layers, for batches of one size."""

    is_kept: npt.NDArray[np.bool_]  # (members, units of all layers, batch), or as in `_MaskBuffers`
    layers: list[_MaskBuffers]


class DropoutMasks:
    """Dropout masks of a stack on the CPU, from one random stream per network and epoch.

    Parameters
    ----------
    ids : Id of each member's network.
    layers : The layers with dropout.
    dtype : Type of the masks.
    is_example_major : Whether the units of one example lie next to each other in memory, for a stack that reads them
        so, and not the examples of one unit. The same random numbers then belong to other units and examples.
    """

    def __init__(
        self, ids: Sequence[str], layers: Sequence[DropoutLayer], dtype: torch.dtype, is_example_major: bool = False
    ) -> None:
        self.ids = list(ids)
        self.dtype = dtype
        self.is_example_major = is_example_major
        self.total_units = sum(layer.units for layer in layers)
        self._segments = _make_segments(layers)
        self._has_single_rate = len({layer.rate for layer in layers}) == 1
        self._buffers_by_batch: dict[int, _Buffers] = {}
        self._generators: list[np.random.SFC64] = []

    def start_epoch(self, epoch: int) -> None:
        """Start the random streams of this epoch."""
        self._generators = [
            np.random.SFC64(make_seed_sequence("dropout", network_id, epoch)) for network_id in self.ids
        ]

    def draw(self, batch: int) -> Iterator[Tensor]:
        """Draw the masks of one step for ``batch`` examples and yield that of each layer, (members, units, batch).

        A mask is valid until the next one is taken, which may overwrite it. It is computed when it is taken, so
        that it is used while it is still in the cache.
        """
        buffers = self._get_buffers(batch)
        n_values = self.total_units * batch
        n_words = math.ceil(n_values / 4)  # a word of 64 bits gives four values of 16 bits
        for generator, is_kept in zip(self._generators, buffers.is_kept, strict=True):
            values = generator.random_raw(n_words).view(np.uint16)[:n_values].reshape(is_kept.shape)
            if self._has_single_rate:  # one comparison serves all layers
                np.greater_equal(values, self._segments[0].threshold, out=is_kept)
            else:
                for units, threshold, _ in self._segments:
                    index = (..., units) if self.is_example_major else units
                    np.greater_equal(values[index], threshold, out=is_kept[index])
        for layer in buffers.layers:
            np.multiply(layer.is_kept, layer.scale, out=layer.mask_values)
            mask = layer.mask.to(self.dtype)
            yield mask.transpose(1, 2) if self.is_example_major else mask

    def _get_buffers(self, batch: int) -> _Buffers:
        """Return the buffers for batches of this size, allocated at the first call with it."""
        if batch not in self._buffers_by_batch:
            self._buffers_by_batch[batch] = self._allocate_buffers(batch)
        return self._buffers_by_batch[batch]

    def _allocate_buffers(self, batch: int) -> _Buffers:
        """Return new buffers for batches of this size."""
        n_members = len(self.ids)
        dtype = torch.float32 if self.dtype == torch.bfloat16 else self.dtype  # numpy has no bfloat16
        is_kept_shape = (n_members, self.total_units, batch)
        if self.is_example_major:
            is_kept_shape = (n_members, batch, self.total_units)
        is_kept = np.empty(is_kept_shape, np.bool_)
        mask_by_shape: dict[tuple[int, ...], Tensor] = {}
        layers = []
        for units, _, scale in self._segments:
            layer_is_kept = is_kept[:, :, units] if self.is_example_major else is_kept[:, units]
            if layer_is_kept.shape not in mask_by_shape:
                mask_by_shape[layer_is_kept.shape] = torch.empty(layer_is_kept.shape, dtype=dtype)
            mask = mask_by_shape[layer_is_kept.shape]
            mask_values = mask.numpy()
            layers.append(_MaskBuffers(layer_is_kept, mask_values.dtype.type(scale), mask, mask_values))
        return _Buffers(is_kept, layers)


class DeviceDropoutMasks:
    """Dropout masks of a stack on its device, by hashing a counter: a few elementwise passes and no transfer.

    The state lies in tensors, so that a captured CUDA graph draws new masks each time it is replayed.
    Masks are keyed as those of ``DropoutMasks``, but are not the same.

    Parameters
    ----------
    ids, layers, dtype : As for ``DropoutMasks``.
    device : Device of the stack, ``"cpu"`` or ``"cuda"``.
    """

    def __init__(self, ids: Sequence[str], layers: Sequence[DropoutLayer], dtype: torch.dtype, device: str) -> None:
        self.ids = list(ids)
        self.dtype = dtype
        self.device = device
        self.total_units = sum(layer.units for layer in layers)
        self._segments = _make_segments(layers)
        self._keys = torch.zeros(len(self.ids), 2, 1, 1, dtype=torch.int64, device=device)
        self._step = torch.zeros((), dtype=torch.int64, device=device)

    def start_epoch(self, epoch: int) -> None:
        """Set each network's keys to those of this epoch, and count steps from 0."""
        keys = [
            make_seed_sequence("dropout", network_id, epoch).generate_state(2, np.uint64).view(np.int64)
            for network_id in self.ids
        ]
        self._keys.copy_(torch.from_numpy(np.stack(keys)).view(-1, 2, 1, 1))
        self._step.zero_()

    def draw(self, batch: int) -> Iterator[Tensor]:
        """Draw the masks of one step for ``batch`` examples and yield that of each layer, (members, units, batch)."""
        counter = torch.arange(self.total_units * batch, device=self.device).view(1, self.total_units, batch)
        # Steps are 2^40 apart, so that no two draws of an epoch share a counter.
        values = splitmix64(counter + (self._step << 40) + self._keys[:, 0]) ^ self._keys[:, 1]
        values = splitmix64(values) & (N_VALUES - 1)
        self._step.add_(1)
        for units, threshold, scale in self._segments:
            yield (values[:, units] >= threshold).to(self.dtype).mul_(scale)


def splitmix64(x: Tensor) -> Tensor:
    """Return SplitMix64's output function (Steele, Lea, Flood 2014) of x: int64 in, well mixed int64 out."""
    x = x * -7046029254386353131  # 0x9E3779B97F4A7C15, the golden ratio's fraction
    x = (x ^ _shift_right(x, 30)) * -4658895280553007687  # 0xBF58476D1CE4E5B9
    x = (x ^ _shift_right(x, 27)) * -7723592293110705685  # 0x94D049BB133111EB
    return x ^ _shift_right(x, 31)


def _shift_right(x: Tensor, bits: int) -> Tensor:
    """Shift int64 to the right and fill up with zeros, where ``>>`` fills up with the sign."""
    return (x >> bits) & ((1 << (64 - bits)) - 1)
