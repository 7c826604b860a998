"""Dropout masks in bulk, keyed by network and epoch, so that they do not depend on the pack.

16 random bits a unit: the rate is met to 1 / 65536. torch's own Bernoulli draws cost several times
as much as the matrix products that they mask.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from kdtune.plan.identity import make_seed_sequence

UNITS = 65536  # values of 16 bits


class _Layer(NamedTuple):
    """What the factors of one layer are made of and where they lie."""

    kept: npt.NDArray[np.bool_]  # (pack, units, batch)
    scale: np.floating[Any]
    values: npt.NDArray[np.floating[Any]]  # (pack, units, batch), on the memory of
    factors: Tensor


class DropoutMasks:
    """Masks for the dropped-out layers of a stack, all layers of a step drawn at once.

    Parameters
    ----------
    ids : of the networks, one a member.
    masked : (rate, units) of each layer with dropout.
    """

    def __init__(self, ids: Sequence[str], masked: Sequence[tuple[float, int]], dtype: torch.dtype) -> None:
        self.ids, self.dtype = list(ids), dtype
        self.rates = [rate for rate, _ in masked]
        self.ends = list(itertools.accumulate(units for _, units in masked))
        self.spaces: dict[int, tuple[npt.NDArray[np.bool_], list[_Layer]]] = {}
        self.generators: list[np.random.SFC64] = []

    def start(self, epoch: int) -> None:
        self.generators = [np.random.SFC64(make_seed_sequence("dropout", name, epoch)) for name in self.ids]

    def draw(self, batch: int) -> Iterator[Tensor]:
        """The factors of each layer in turn, (pack, units, batch): 0, or 1 / (1 - rate).

        Each is overwritten by the next: it is to be used while the cache still has it.
        """
        units = self.ends[-1] * batch
        kept, layers = self._space(batch)
        for generator, member in zip(self.generators, kept, strict=True):
            bits = generator.random_raw(-(-units // 4)).view(np.uint16)[:units].reshape(member.shape)
            if len(set(self.rates)) == 1:
                np.greater_equal(bits, round(self.rates[0] * UNITS), out=member)
                continue
            for rate, start, end in zip(self.rates, [0, *self.ends], self.ends, strict=False):
                np.greater_equal(bits[start:end], round(rate * UNITS), out=member[start:end])
        for own, scale, values, factors in layers:
            np.multiply(own, scale, out=values)
            yield factors.to(self.dtype)

    def _space(self, batch: int) -> tuple[npt.NDArray[np.bool_], list[_Layer]]:
        """Room for what is drawn for batches of this size, made once; layers of one width share their factors'."""
        if batch not in self.spaces:
            wide = torch.float32 if self.dtype == torch.bfloat16 else self.dtype  # numpy knows no bfloat16
            kept = np.empty((len(self.ids), self.ends[-1], batch), np.bool_)
            factors: dict[int, Tensor] = {}
            layers = []
            for rate, start, end in zip(self.rates, [0, *self.ends], self.ends, strict=False):
                own = factors.setdefault(end - start, torch.empty(len(self.ids), end - start, batch, dtype=wide))
                values = own.numpy()
                layers.append(_Layer(kept[:, start:end], values.dtype.type(1 / (1 - rate)), values, own))
            self.spaces[batch] = kept, layers
        return self.spaces[batch]


class DeviceDropoutMasks:
    """The same on the device, by hashing a counter: each draw is a few elementwise passes, no transfer.

    Its state lies in tensors, so that a captured CUDA graph draws anew each time it is replayed.
    The masks are not those of ``DropoutMasks``; they are keyed in the same way.
    """

    def __init__(
        self, ids: Sequence[str], masked: Sequence[tuple[float, int]], dtype: torch.dtype, device: str
    ) -> None:
        self.ids, self.dtype, self.device = list(ids), dtype, device
        self.rates = [rate for rate, _ in masked]
        self.ends = list(itertools.accumulate(units for _, units in masked))
        self.key = torch.zeros(len(self.ids), 2, 1, 1, dtype=torch.int64, device=device)
        self.step = torch.zeros((), dtype=torch.int64, device=device)

    def start(self, epoch: int) -> None:
        words = [
            make_seed_sequence("dropout", name, epoch).generate_state(2, np.uint64).view(np.int64) for name in self.ids
        ]
        self.key.copy_(torch.from_numpy(np.stack(words)).view(-1, 2, 1, 1))
        self.step.zero_()

    def draw(self, batch: int) -> Iterator[Tensor]:
        """As ``DropoutMasks.draw``."""
        counter = torch.arange(self.ends[-1] * batch, device=self.device).view(1, self.ends[-1], batch)
        # 2^40 apart: no two draws of an epoch share a counter.
        bits = splitmix64(counter + (self.step << 40) + self.key[:, 0]) ^ self.key[:, 1]
        bits = splitmix64(bits) & (UNITS - 1)
        self.step.add_(1)
        for rate, start, end in zip(self.rates, [0, *self.ends], self.ends, strict=False):
            yield (bits[:, start:end] >= round(rate * UNITS)).to(self.dtype).mul_(1 / (1 - rate))


def splitmix64(x: Tensor) -> Tensor:
    """SplitMix64's output function (Steele, Lea, Flood 2014): int64 in, int64 of well mixed bits out."""
    x = x * -7046029254386353131  # 0x9E3779B97F4A7C15, the golden ratio's fraction
    x = (x ^ _shifted(x, 30)) * -4658895280553007687  # 0xBF58476D1CE4E5B9
    x = (x ^ _shifted(x, 27)) * -7723592293110705685  # 0x94D049BB133111EB
    return x ^ _shifted(x, 31)


def _shifted(x: Tensor, by: int) -> Tensor:
    """A logical shift to the right; int64's own keeps the sign."""
    return (x >> by) & ((1 << (64 - by)) - 1)
