"""Find where the mean of replicated smooth curves has its minimum, with a confidence interval of that place.

Curves are smoothed by one linear operator (``smoothers``), so that the mean of the replicates' smooth curves is
the smooth curve of their mean, and its slope at any point is a mean of independent slopes. A t-test on that
slope asks whether the minimum could be there; inverting it gives an interval (Box and Hunter 1954,
Biometrics 10; the idea is Fieller's). It is exact for normal slopes at any number of replicates, where
the percentile bootstrap of five has 126 distinct resamples and covers far too little.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from kdtune.statistics.standard_errors import ROUNDING, Array, margin_of_error, sum_of_means


@dataclass(frozen=True)
class Minimum:
    """The place where a curve is lowest, with its confidence interval; an end without a bound is infinite."""

    location: float
    low: float
    high: float


def find_minimum(points: Array, values: Array, slopes: Array, confidence_level: float = 0.95) -> Minimum:
    """Find the minimum of the mean of curves, or of the sum of such means over independent sets.

    The interval reaches over all points at which the mean curve is statistically tied with its minimum and its
    slope is not significantly different from zero, and to the next point on either side. It is open at an end of
    ``points`` beyond which the minimum may lie, and at both ends with one replicate.

    Parameters
    ----------
    points : (n,), ascending.
    values, slopes : (R, n): of R replicates at ``points``; or (S, R, n) of S independent sets.
    """
    values = values.reshape(-1, *values.shape[-2:])  # (S, R, n)
    slopes = slopes.reshape(-1, *slopes.shape[-2:])
    mean_curve = values.mean(axis=1).sum(axis=0)
    lowest_index = int(mean_curve.argmin())
    location = float(points[lowest_index])
    n_replicates = values.shape[1]
    if n_replicates < 2:
        return Minimum(location, -math.inf, math.inf)

    rounding = ROUNDING * abs(mean_curve).max()
    excess = sum_of_means(values - values[..., [lowest_index]])
    is_tied = excess.total <= margin_of_error(excess.standard_error, excess.dof, confidence_level) + rounding
    slope = sum_of_means(slopes)
    slope_margin = margin_of_error(slope.standard_error, slope.dof, confidence_level) + rounding
    is_falling = slope.total < -slope_margin
    is_rising = slope.total > slope_margin

    inside_indices = np.append(np.flatnonzero(is_tied & ~is_falling & ~is_rising), lowest_index)
    low = float(points[max(inside_indices.min() - 1, 0)])
    high = float(points[min(inside_indices.max() + 1, len(points) - 1)])
    if is_tied[0] and not is_falling[0]:
        low = -math.inf
    if is_tied[-1] and not is_rising[-1]:
        high = math.inf
    return Minimum(location, low, high)


def widen_to_grid(minimum: Minimum, x: Array, lowest_index: int, is_tied: npt.NDArray[np.bool_]) -> Minimum:
    """Bring the interval of a minimum into agreement with what was measured.

    Its ends move out to the next x: between two of them nothing was measured, and a smooth curve rounds
    off what turns sharply. (Without this, intervals missed the edge of a plateau in half of all tables,
    and a sharp minimum between sparse x in more.) They move in to the second x beyond all that are tied
    with the best: the noise of all x together tells more than that of the replicates at one point, but
    takes it to be equal. The minimum itself and ``x[lowest_index]`` stay inside.

    Parameters
    ----------
    x : (k,), ascending: where values were measured.
    lowest_index : index of the x with the lowest mean.
    is_tied : (k,): which x are statistically tied with the best; one or more are.
    """
    low, high = minimum.low, minimum.high
    if math.isfinite(low):
        next_below = int(np.searchsorted(x, low, side="right")) - 1
        low = x[max(0, next_below)]
    if math.isfinite(high):
        next_above = int(np.searchsorted(x, high))
        high = x[min(len(x) - 1, next_above)]
    tied_indices = np.flatnonzero(is_tied)
    first_tied, last_tied = tied_indices[0], tied_indices[-1]
    if first_tied >= 2:
        low = max(low, x[first_tied - 2])
    if last_tied + 2 < len(x):
        high = min(high, x[last_tied + 2])
    return Minimum(
        location=minimum.location,
        low=float(min(low, minimum.location, x[lowest_index])),
        high=float(max(high, minimum.location, x[lowest_index])),
    )
