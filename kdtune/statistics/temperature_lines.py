"""Find the cost of each effect in a block: how badly minima that lie on a line fit the curves of its cells.

A line is log2 T_opt = d + e (log2 factor). An effect e costs what its best intercept d costs: the sum over the cells of
the profile (``minimum_profiles``) at the place nearest to the line.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from kdtune.statistics.minimum_profiles import Floats
from kdtune.statistics.standard_errors import Array

Integers = npt.NDArray[np.int_]


@dataclass(frozen=True)
class LineSearch:
    """The lines through a block of C cells: U different ways in which a line may pass the places of their profiles."""

    passes: Integers  # (U, C): the number of the place that a line passes nearest in each cell's profile
    by_effect: Integers  # (L,): the numbers of the passes of the first candidate, then of the second, ...
    first_lines: Integers  # (E,): where the passes of each candidate begin in ``by_effect``

    def compute_costs(self, profiles: Sequence[Floats]) -> Floats:
        """Return the cost (E, N) of each candidate from the profiles (places, N) of the C cells."""
        costs: Floats = np.minimum.reduceat(self._add(profiles)[self.by_effect], self.first_lines, axis=0)
        return costs

    def find_places(self, profiles: Sequence[Floats], candidate: int) -> Integers:
        """Return the places (C,) that the best line with a candidate effect passes; N of the profiles is 1."""
        last = len(self.first_lines) - 1
        stop = self.first_lines[candidate + 1] if candidate < last else len(self.by_effect)
        numbers = self.by_effect[self.first_lines[candidate] : stop]
        costs = self._add(profiles)[numbers, 0]
        # Of lines that fit equally well the middle one: the first would lie at an end of what fits.
        best = np.flatnonzero(costs <= costs.min() + 1e-6)
        places: Integers = self.passes[numbers[best[len(best) // 2]]]
        return places

    def _add(self, profiles: Sequence[Floats]) -> Floats:
        total = profiles[0][self.passes[:, 0]].copy()
        for cell in range(1, len(profiles)):
            total += profiles[cell][self.passes[:, cell]]
        return total


def list_lines(places: Sequence[Array], factors: Array, candidates: Array) -> LineSearch:
    """List the lines through a block.

    Parameters
    ----------
    places : C arrays (m,): the evenly spaced log2 T at which each cell's minimum is tried. A profile has one place
        more on either side.
    factors : (C,): log2 of each cell's factor, around 0.
    candidates : (E,): The effects.
    """
    low, high = min(x[0] for x in places), max(x[-1] for x in places)
    step = min(x[1] - x[0] for x in places)
    passes, counts = [], []
    for effect in candidates:
        margin = abs(effect) * abs(factors).max() + 2 * step
        intercepts = np.arange(low - margin, high + margin + step / 2, step / 2)
        columns = []
        for x, factor in zip(places, factors, strict=True):
            number = np.round((intercepts + effect * factor - x[0]) / (x[1] - x[0])) + 1
            columns.append(number.clip(0, len(x) + 1).astype(int))
        # Ascending intercepts pass equal places one after the other.
        stacked = np.stack(columns, axis=1)
        passes.append(stacked[np.any(np.diff(stacked, axis=0, prepend=-1) != 0, axis=1)])
        counts.append(len(passes[-1]))
    different, by_effect = np.unique(np.concatenate(passes), axis=0, return_inverse=True)
    first_lines = np.concatenate([[0], np.cumsum(counts)[:-1]])
    return LineSearch(different, by_effect.ravel(), first_lines)
