"""Describe the noise of the best temperature of a cell against its neighbours, for any number of replicates."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from kdtune.analysis.cell import Cell
from kdtune.analysis.cell_noise import CellNoise, estimate_cell_noises
from kdtune.statistics.correlated_differences import compute_standard_errors, critical_values_of_common_scale
from kdtune.statistics.multiple_comparisons import dunnett_critical_value
from kdtune.statistics.one_way_layout import OneWayLayout
from kdtune.statistics.sample_size import CriticalValue
from kdtune.statistics.standard_errors import CONFIDENCE_LEVEL, Array

# Critical values are computed at these multiples of the degrees of freedom, and read in between.
_DOF_FACTORS: Array = np.array([0.125, 0.25, 0.5, 1, 2, 4, 16, 1000])
_N_DIRECTIONS = 256


@dataclass(frozen=True)
class NeighbourPair:
    """The best temperature of a cell and a neighbour of it."""

    neighbour: int  # the index of the neighbour
    standard_deviation: float  # of the difference of the two within a replicate, or of two unpaired runs
    level: float  # the lowest mean of the cell
    n_replicates: int  # those that the noise was seen in
    source: CellNoise | OneWayLayout

    @property
    def is_paired(self) -> bool:
        """Whether replicates pair the runs."""
        return isinstance(self.source, CellNoise)

    @property
    def noise_dof(self) -> float:
        """The degrees of freedom of the deviation."""
        return (
            self.source.dof if isinstance(self.source, OneWayLayout) else float(self.source.of_runs.dof[self.neighbour])
        )

    def make_relative(self) -> NeighbourPair:
        """Return the pair with its deviation as a share of the cell's lowest mean."""
        return replace(self, standard_deviation=self.standard_deviation / max(self.level, 1e-12))

    def find_critical_value(self, n_replicates: int) -> CriticalValue:
        """Return the critical value by which the neighbour leaves the tied set of a sweep with so many replicates."""
        if isinstance(self.source, OneWayLayout):
            n_temperatures = len(self.source.means)
            dof = n_temperatures * (n_replicates - 1)
            return CriticalValue(dunnett_critical_value(n_temperatures, dof), dof)
        own_dof = float(self.source.of_runs.dof[self.neighbour])
        factor = (n_replicates - 1) / (self.n_replicates - 1)
        covariance = self.source.of_runs.covariance
        values = _tabulate_critical_values(covariance.tobytes(), self.source.of_runs.dof.tobytes(), len(covariance))
        # Critical values are nearly linear in the inverse of the degrees of freedom.
        inverses = 1 / _DOF_FACTORS[::-1]
        value = np.interp(1 / factor, inverses, values[::-1, self.neighbour])
        return CriticalValue(float(value), own_dof * factor)


@lru_cache(maxsize=256)
def _tabulate_critical_values(covariance: bytes, dof: bytes, n_temperatures: int) -> Array:
    """Return the critical values (factors, k) at multiples of the degrees of freedom."""
    matrix = np.frombuffer(covariance).reshape(n_temperatures, n_temperatures)
    dof_now = np.frombuffer(dof)
    return np.array(
        [
            critical_values_of_common_scale(matrix, np.maximum(dof_now * factor, 1.0), CONFIDENCE_LEVEL, _N_DIRECTIONS)
            for factor in _DOF_FACTORS
        ]
    )


def list_neighbours(cells: Sequence[Cell], measure: str) -> list[NeighbourPair]:
    """List for each cell whose noise is known its best temperature with its one or two neighbours on the grid."""
    pairs = []
    for cell, noise in zip(cells, estimate_cell_noises(cells, measure), strict=True):
        means = cell.compute_means(measure)
        best = int(means.argmin())
        source = noise if cell.is_paired else cell.describe_layout(measure)
        if source is None or (isinstance(source, OneWayLayout) and source.variance == 0):
            continue
        for neighbour in (best - 1, best + 1):
            if 0 <= neighbour < len(means):
                deviation = (
                    math.sqrt(2 * source.variance)
                    if isinstance(source, OneWayLayout)
                    else float(compute_standard_errors(source.of_runs.covariance)[best, neighbour])
                )
                pairs.append(NeighbourPair(neighbour, deviation, float(means[best]), len(cell.replicates), source))
    return pairs
