"""Find where over log2 T the mean curve of one cell is lowest, with the noise that its runs show."""

from __future__ import annotations

import math

import numpy as np

from kdtune.analysis.cell import Cell
from kdtune.analysis.cell_noise import CellNoise
from kdtune.analysis.cell_statistics import has_comparison
from kdtune.statistics.curve_minimum import CurveMinimum, NoisyMeans, find_curve_minimum
from kdtune.statistics.one_way_layout import OneWayLayout


def find_cell_minimum(cell: Cell, measure: str, noise: CellNoise | None) -> CurveMinimum:
    """Find the minimum of the mean curve over log2 T, with its interval.

    The interval is open at both ends where the runs show nothing of their noise: there is one of each T.

    Parameters
    ----------
    cell : The cell.
    measure : The measure that T is chosen by.
    noise : The noise of the cell, from ``estimate_cell_noises``; None if it shows none, or runs are unpaired.
    """
    x = np.log2(cell.temperatures)
    if len(x) == 1:
        return CurveMinimum(float(x[0]), -math.inf, math.inf)
    means = cell.compute_means(measure)
    if not cell.is_paired:
        noisy = _describe_unpaired(cell.describe_layout(measure))
    elif noise is not None:
        noisy = NoisyMeans(means, noise.mean_covariance, noise.of_runs.dof)
    elif has_comparison(cell, measure):  # Replicates without noise are copies.
        noisy = NoisyMeans(means, np.zeros((len(x), len(x))), np.ones(len(x)))
    else:
        noisy = NoisyMeans(means, np.full((len(x), len(x)), math.inf), np.zeros(len(x)))
    return find_curve_minimum(x, noisy)


def _describe_unpaired(layout: OneWayLayout) -> NoisyMeans:
    """Return the means of unpaired runs, each T with a variance of its own."""
    if layout.dof == 0:
        return NoisyMeans(layout.means, np.full((len(layout.means),) * 2, math.inf), layout.variance_dof)
    return NoisyMeans(
        means=layout.means,
        covariance=np.diag(layout.variances / layout.counts),
        dof=layout.variance_dof,
        has_independent_variances=True,
        max_dof=float(layout.dof),
    )
