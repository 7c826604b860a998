"""Dropout masks in bulk, keyed by network and epoch, so that they do not depend on the pack.

16 random bits a unit: the rate is met to 1 / 65536. torch's own Bernoulli draws cost several times
as much as the matrix products that they mask.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from kdtune.identity import stream

UNITS = 65536  # values of 16 bits


class Masks:
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
        self.kept: dict[int, npt.NDArray[np.bool_]] = {}
        self.factors: dict[tuple[int, int], Tensor] = {}
        self.generators: list[np.random.SFC64] = []

    def start(self, epoch: int) -> None:
        self.generators = [np.random.SFC64(stream("dropout", name, epoch)) for name in self.ids]

    def draw(self, batch: int) -> Iterator[Tensor]:
        """The factors of each layer in turn, (pack, units, batch): 0, or 1 / (1 - rate).

        Each is overwritten by the next: it is to be used while the cache still has it.
        """
        units = self.ends[-1] * batch
        if batch not in self.kept:
            self.kept[batch] = np.empty((len(self.ids), self.ends[-1], batch), np.bool_)
        kept = self.kept[batch]
        for generator, member in zip(self.generators, kept, strict=True):
            bits = generator.random_raw(-(-units // 4)).view(np.uint16)[:units].reshape(member.shape)
            if len(set(self.rates)) == 1:
                np.greater_equal(bits, round(self.rates[0] * UNITS), out=member)
                continue
            for rate, start, end in zip(self.rates, [0, *self.ends], self.ends, strict=False):
                np.greater_equal(bits[start:end], round(rate * UNITS), out=member[start:end])
        for rate, start, end in zip(self.rates, [0, *self.ends], self.ends, strict=False):
            yield self._factor(kept[:, start:end], 1 / (1 - rate))

    def _factor(self, kept: npt.NDArray[np.bool_], scale: float) -> Tensor:
        _, units, batch = kept.shape
        if (units, batch) not in self.factors:
            wide = torch.float32 if self.dtype == torch.bfloat16 else self.dtype  # numpy knows no bfloat16
            self.factors[units, batch] = torch.empty(kept.shape, dtype=wide)
        factor = self.factors[units, batch].numpy()
        np.multiply(kept, factor.dtype.type(scale), out=factor)
        return self.factors[units, batch].to(self.dtype)


class DeviceMasks:
    """The same on the device, by hashing a counter: each draw is a few elementwise passes, no transfer.

    Its state lies in tensors, so that a captured CUDA graph draws anew each time it is replayed.
    The masks are not those of ``Masks``; they are keyed in the same way.
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
        words = [stream("dropout", name, epoch).generate_state(2, np.uint64).view(np.int64) for name in self.ids]
        self.key.copy_(torch.from_numpy(np.stack(words)).view(-1, 2, 1, 1))
        self.step.zero_()

    def draw(self, batch: int) -> Iterator[Tensor]:
        """As ``Masks.draw``."""
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
