"""Place the smooth curves of several cells on one axis of log2 T and make them level beyond the cells' own grids."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kdtune.statistics.smoothers import N_POINTS
from kdtune.statistics.standard_errors import Array

# The doublings of T beyond the ends of its grid over which a curve's slope falls to 0, so that no cost has a kink.
LEVELLING_WIDTH = 0.25


@dataclass(frozen=True)
class CellCurves:
    """A cell's smooth curves over log2 T, one per replicate, all at the same evenly spaced points."""

    points: Array  # (n,): log2 T
    values: Array  # (R, n), in units of the cell's noise
    slopes: Array  # (R, n)
    grid: Array  # (k,): log2 T of the temperatures that were tried


@dataclass(frozen=True)
class LevelledCurves:
    """A cell's curves on the axis that all cells share, level beyond the ends of the cell's own grid."""

    values: Array  # (R, n)
    slopes: Array  # (R, n); 0 at both ends
    optima: Array  # (R,): where each replicate's own curve is lowest, within its grid
    uncertainty: float  # of the mean curve's optimum, in addition to noise: see ``_estimate_end_uncertainty``


def place_on_one_axis(curves: Sequence[CellCurves]) -> tuple[Array, list[LevelledCurves]]:
    """Place the curves of all cells on one axis that reaches beyond all of them.

    Parameters
    ----------
    curves : The curves of each cell, one cell or more.

    Returns
    -------
    The axis, (n,) evenly spaced points, and the curves of each cell on it.
    """
    low = min(curve.points[0] for curve in curves)
    high = max(curve.points[-1] for curve in curves)
    axis = np.linspace(low - LEVELLING_WIDTH, high + LEVELLING_WIDTH, N_POINTS)
    return axis, [_level_off(curve, axis) for curve in curves]


def _level_off(curves: CellCurves, axis: Array) -> LevelledCurves:
    """Extend curves to the axis: beyond the ends of their grid the slope falls linearly to 0 and stays 0."""
    axis_inside = axis.clip(curves.points[0], curves.points[-1])
    distances = (axis - axis_inside).clip(-LEVELLING_WIDTH, LEVELLING_WIDTH)
    slopes = _interpolate(axis_inside, curves.points, curves.slopes)
    values = _interpolate(axis_inside, curves.points, curves.values)
    values = values + slopes * (distances - distances * abs(distances) / (2 * LEVELLING_WIDTH))
    slopes = slopes * (1 - abs(distances) / LEVELLING_WIDTH)
    slopes[:, [0, -1]] = 0
    optima = curves.points[curves.values.argmin(axis=1)]
    return LevelledCurves(values=values, slopes=slopes, optima=optima, uncertainty=_estimate_end_uncertainty(curves))


def _estimate_end_uncertainty(curves: CellCurves) -> float:
    """Return the width of the grid's first or last step if the mean curve is lowest within it, else 0.

    A natural spline has no curvature at its ends, which moves a minimum near an end towards it. The size of this
    shift is unknown, but it is less than the step. (Without this, the interval of the effect missed the true effect in
    a fifth of tables with such minima.)
    """
    location = curves.points[curves.values.mean(axis=0).argmin()]
    grid = curves.grid
    if location < grid[1]:
        return float(grid[1] - grid[0])
    if location > grid[-2]:
        return float(grid[-1] - grid[-2])
    return 0.0


def _interpolate(axis: Array, points: Array, ys: Array) -> Array:
    """Interpolate curves (R, n) linearly between their evenly spaced points."""
    positions = (axis - points[0]) / (points[1] - points[0])
    lower_points = positions.astype(int).clip(0, len(points) - 2)
    fractions = positions - lower_points
    interpolated: Array = ys[:, lower_points] * (1 - fractions) + ys[:, lower_points + 1] * fractions
    return interpolated
