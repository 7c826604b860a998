"""Find the minimum of the mean of smooth curves, or of the smooth curve of means, with a confidence interval.

At the minimum the true slope is 0. The interval holds the points at which the slope does not differ significantly
from 0 (the inversion of a test: Box and Hunter 1954, Biometrics 10; for ratios it is Fieller's interval).

All curves are smoothed by one linear map (``smoothers``), so the slope of their mean is the mean of their slopes: a
mean of independent values, which a t-test needs. The slope test is exact for normal slopes at any number of
replicates. The percentile bootstrap is not: of five replicates it has only 126 distinct resamples and covers far too
little.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from kdtune.statistics.one_way_layout import OneWayLayout, combine_means
from kdtune.statistics.smoothers import Smoother
from kdtune.statistics.standard_errors import (
    CONFIDENCE_LEVEL,
    ROUNDING,
    Array,
    SumOfMeans,
    margin_of_error,
    sum_of_means,
)


@dataclass(frozen=True)
class Minimum:
    """The location at which a curve is lowest, with its confidence interval; an end without a bound is infinite."""

    location: float
    low: float
    high: float


def find_minimum(points: Array, values: Array, slopes: Array, confidence_level: float = CONFIDENCE_LEVEL) -> Minimum:
    """Find the minimum of a sum of mean curves: each is the mean over the replicates of one independent set.

    Parameters
    ----------
    points : (n,): The points in ascending order.
    values : (S, R, n): The curves of R replicates in each of S independent sets. With one replicate the interval is
        open at both ends.
    slopes : (S, R, n): The slopes of these curves.
    confidence_level : The confidence level of the interval, between 0 and 1.
    """
    mean_curve = values.mean(axis=1).sum(axis=0)
    lowest_index = int(mean_curve.argmin())
    n_replicates = values.shape[1]
    if n_replicates < 2:
        return Minimum(float(points[lowest_index]), -math.inf, math.inf)
    excess = sum_of_means(values - values[..., [lowest_index]])
    return _bound_minimum(points, mean_curve, excess, sum_of_means(slopes), confidence_level)


def find_minimum_of_means(
    smoother: Smoother, layout: OneWayLayout, confidence_level: float = CONFIDENCE_LEVEL
) -> Minimum:
    """Find the minimum of the smooth curve of the means of a one-way layout.

    The curve and its slope are linear in the means, so their standard errors follow from those of the means. The
    interval is open at both ends where nothing is known of the noise.

    Parameters
    ----------
    smoother : The smoother for the k points of the layout.
    layout : The layout of k treatments.
    confidence_level : The confidence level of the interval, between 0 and 1.
    """
    mean_curve = smoother.values @ layout.means
    lowest_index = int(mean_curve.argmin())
    if layout.dof == 0:
        return Minimum(float(smoother.points[lowest_index]), -math.inf, math.inf)
    excess = combine_means(layout, smoother.values - smoother.values[lowest_index])
    slope = combine_means(layout, smoother.slopes)
    return _bound_minimum(smoother.points, mean_curve, excess, slope, confidence_level)


def _bound_minimum(
    points: Array, mean_curve: Array, excess: SumOfMeans, slope: SumOfMeans, confidence_level: float
) -> Minimum:
    """Compute the interval of the minimum of a mean curve.

    The interval covers all points at which the mean curve is statistically tied with its minimum and its slope does
    not differ significantly from 0, and one more point on either side. It is open at an end of ``points`` beyond
    which the minimum may lie.

    Parameters
    ----------
    points : (n,): The points in ascending order.
    mean_curve : (n,): The mean curve.
    excess : The mean curve above its lowest value, with standard errors.
    slope : The slope of the mean curve, with standard errors.
    confidence_level : The confidence level of the interval, between 0 and 1.
    """
    lowest_index = int(mean_curve.argmin())
    rounding = ROUNDING * abs(mean_curve).max()
    is_tied = excess.total <= margin_of_error(excess.standard_error, excess.dof, confidence_level) + rounding
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
    return Minimum(float(points[lowest_index]), low, high)


def align_with_grid(minimum: Minimum, x: Array, lowest_index: int, is_tied: npt.NDArray[np.bool_]) -> Minimum:
    """Align the interval of a minimum with the x at which values were measured.

    1. Round each end outwards to a measured x: between two of them nothing is known, and a smooth curve rounds off
       sharp turns. (Without this rule, intervals missed the edge of a plateau in half of all tables, and a sharp
       minimum between sparse x in more.)
    2. Limit each end to two grid steps beyond the tied x: the tie test pools the noise of all x, so it is more
       powerful than the slope test, but it assumes equal variances.
    3. Extend the interval, where needed, to the minimum itself and to the x with the lowest mean.

    Parameters
    ----------
    minimum : The minimum with its interval, from ``find_minimum``.
    x : (k,): The measured x in ascending order.
    lowest_index : The index of the x with the lowest mean.
    is_tied : (k,): Whether each x is statistically tied with the best; one or more are.
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
