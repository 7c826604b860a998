"""Prepare the curves of cells for the estimation of effects: their means and their noise."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from kdtune.analysis.cell import Cell
from kdtune.analysis.cell_noise import estimate_cell_noises
from kdtune.statistics.simulated_curves import NoisyCurve
from kdtune.statistics.standard_errors import Array, residual_variance

MIN_RELATIVE_NOISE = 0.1  # of the median noise: a cell that happens to show less noise would outweigh all others


def estimate_noise(cells: Sequence[Cell], measure: str) -> Array:
    """Return the standard deviation (C,) of one run in each cell, but for the level of its replicate."""
    return np.array([math.sqrt(residual_variance(cell.student_measures[measure])) for cell in cells])


def make_noisy_curves(cells: Sequence[Cell], measure: str, columns: Sequence[str]) -> list[NoisyCurve]:
    """Return the curves of cells with two replicates or more, the noise pooled over cells that are alike.

    Parameters
    ----------
    cells : The cells, of paired runs or of runs that were paired at random, without holes.
    measure : The measure that T is chosen by.
    columns : The columns that name a cell.
    """
    deviations = estimate_noise(cells, measure)
    least_variance = float((MIN_RELATIVE_NOISE * np.median(deviations)) ** 2)
    curves = []
    for cell, noise in zip(cells, estimate_cell_noises(cells, measure, columns), strict=True):
        y = cell.student_measures[measure]
        n_replicates, n_temperatures = y.shape
        if noise is not None:
            covariance, dof = noise.mean_covariance, float(noise.of_runs.dof.mean())
        else:  # Runs of different temperatures are independent, or there is no noise.
            variance = float(y.var(axis=0, ddof=1).mean()) if not cell.is_paired else 0.0
            covariance = np.eye(n_temperatures) * variance / n_replicates
            dof = float((n_replicates - 1) * n_temperatures)
        shortfall = least_variance / n_replicates - float(np.diagonal(covariance).mean())
        if shortfall > 0:
            covariance = covariance + shortfall * np.eye(n_temperatures)
        curves.append(NoisyCurve(np.log2(cell.temperatures), y, covariance, dof))
    return curves
