"""Describe the noise of the best temperature of a cell against its neighbours, for any number of replicates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from kdtune.analysis.cell import Cell
from kdtune.analysis.cell_noise import estimate_cell_noises
from kdtune.statistics.correlated_differences import compute_standard_errors, critical_values_of_common_scale
from kdtune.statistics.noise_covariance import NoiseCovariance
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
    noise: NoiseCovariance  # of one run of each temperature
    replicate_dof: float  # the degrees of freedom of the runs of one temperature, on the average
    is_paired: bool  # whether replicates pair the runs

    @property
    def noise_dof(self) -> float:
        """The degrees of freedom of the deviation."""
        return float(self.noise.dof[self.neighbour])

    def make_relative(self) -> NeighbourPair:
        """Return the pair with its deviation as a share of the cell's lowest mean."""
        return replace(self, standard_deviation=self.standard_deviation / max(self.level, 1e-12))

    def find_critical_value(self, n_replicates: int) -> CriticalValue:
        """Return the critical value by which the neighbour leaves the tied set of a sweep with so many replicates."""
        factor = (n_replicates - 1) / self.replicate_dof
        covariance, dof = self.noise.covariance, self.noise.dof
        values = _tabulate_critical_values(covariance.tobytes(), dof.tobytes(), len(covariance))
        # Critical values are nearly linear in the inverse of the degrees of freedom.
        inverses = 1 / _DOF_FACTORS[::-1]
        value = np.interp(1 / factor, inverses, values[::-1, self.neighbour])
        return CriticalValue(float(value), self.noise_dof * factor)


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
        if noise is not None:
            noises, replicate_dof = [noise.of_runs], float(len(cell.replicates) - 1)
        elif not cell.is_paired and len(means) > 1 and cell.describe_layout(measure).dof > 0:
            layout = cell.describe_layout(measure)
            noises, replicate_dof = list(layout.list_noises()), layout.dof / len(means)
        else:
            continue
        deviations = np.array([compute_standard_errors(each.covariance)[best] for each in noises])
        for neighbour in (best - 1, best + 1):
            if 0 <= neighbour < len(means):
                widest = int(deviations[:, neighbour].argmax())  # as in ``compare_means_with_best``
                pairs.append(
                    NeighbourPair(
                        neighbour=neighbour,
                        standard_deviation=float(deviations[widest, neighbour]),
                        level=float(means[best]),
                        noise=noises[widest],
                        replicate_dof=replicate_dof,
                        is_paired=cell.is_paired,
                    )
                )
    return pairs
