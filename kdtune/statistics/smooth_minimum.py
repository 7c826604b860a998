"""Where the mean of some curves has its minimum, and how well a few replicates can tell. Knows no table.

The curves are smoothed by one linear operator, so that the mean of the replicates' smooth curves is the
smooth curve of their mean, and its slope at any point is a mean of independent slopes. A t-test on that
slope asks whether the minimum could be there; inverting it gives an interval (Box and Hunter 1954,
Biometrics 10; the idea is Fieller's). It is exact for normal slopes at any number of replicates, where
the percentile bootstrap of five has 126 distinct resamples and covers far too little.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy import stats
from scipy.interpolate import make_smoothing_spline

Array = npt.NDArray[np.float64]

ROUNDING = 1e-10  # differences below this share of the values are none
POINTS = 401  # at which smooth curves are evaluated
SPLINE_FROM = 5  # points that make_smoothing_spline needs
ROUGHER = 1  # steps of ``smoothers``, each of which divides the penalty by 1.8


@dataclass(frozen=True)
class Optimum:
    """A minimum with its interval; ends are infinite where nothing bounds it."""

    at: float
    low: float
    high: float


@dataclass(frozen=True)
class Smoother:
    """A linear map from values at some x to a smooth curve."""

    points: Array  # (n,)
    fitted: Array  # (k, k): values to fitted values
    values: Array  # (n, k): values to the curve at ``points``
    slopes: Array  # (n, k): values to the curve's slopes there


@lru_cache(maxsize=64)
def list_smoothers(x: tuple[float, ...]) -> list[Smoother]:
    """From the one that passes through all points to a straight line: natural splines, polynomials below 5 points."""
    at, unit = np.array(x), np.eye(len(x))
    points = np.linspace(at[0], at[-1], POINTS)
    if len(x) < SPLINE_FROM:
        found = []
        for degree in reversed(range(1, len(x))):
            fit = np.linalg.pinv(np.vander(at, degree + 1))
            derivative = np.vander(points, degree) * np.arange(degree, 0, -1)
            values = np.vander(points, degree + 1) @ fit
            found.append(Smoother(points, np.vander(at, degree + 1) @ fit, values, derivative @ fit[:-1]))
        return found
    scale = (at[-1] - at[0]) / (len(x) - 1)  # the penalty has units of x cubed
    splines = [make_smoothing_spline(at, unit, lam=lam * scale**3) for lam in np.geomspace(1e-5, 1e3, 33)]
    return [Smoother(points, spline(at), spline(points), spline(points, 1)) for spline in splines]


def choose_smoother(x: tuple[float, ...], ys: Sequence[Array], rougher: int = ROUGHER) -> Smoother:
    """One for several cells: that with the least expected error for their means, by Mallows' C_p, made rougher.

    Each y is (replicates, k); its noise is that of the replicates about their mean curve, each with a level
    of its own, and each counts in units of its noise. Rougher, since an interval needs a bias that is small
    beside the noise: C_p makes the two alike. ``rougher`` is by how many steps of ``smoothers``. Without
    replicates nothing tells noise from shape, and generalized cross-validation guesses.
    """
    all_of_them, (maps, freedom) = list_smoothers(x), _fits(x)
    costs = np.zeros(len(all_of_them))
    for y in ys:
        mean, variance = y.mean(axis=0), residual_variance(y) / len(y)
        misfits = ((mean - maps @ mean) ** 2).sum(axis=1)
        if len(y) == 1:
            costs += np.log(misfits / np.maximum(1 - freedom / len(mean), 1e-9) ** 2 + 1e-12)
        elif variance:
            costs += misfits / variance + 2 * freedom
    best = int(np.argmin(costs))
    return all_of_them[max(0, best - rougher)]


@lru_cache(maxsize=64)
def _fits(x: tuple[float, ...]) -> tuple[Array, Array]:
    """Of all smoothers: the maps to fitted values (m, k, k) and their degrees of freedom (m,), the maps' traces."""
    maps = np.stack([one.fitted for one in list_smoothers(x)])
    return maps, np.trace(maps, axis1=1, axis2=2)


def residual_variance(y: Array) -> float:
    """Of y (replicates, k) after a level for each replicate and each column: (R - 1)(K - 1) degrees of freedom."""
    residuals = y - y.mean(axis=0) - y.mean(axis=1, keepdims=True) + y.mean()
    found = float((residuals**2).sum() / max(1, (y.shape[0] - 1) * (y.shape[1] - 1)))
    return found if found > (ROUNDING * abs(y).max()) ** 2 else 0.0


@lru_cache(maxsize=1024)
def critical_t(level: float, freedom: float) -> float:
    """Student's t that bounds so much of the distribution between it and its negative."""
    return float(stats.t.ppf((1 + level) / 2, freedom))


def widen_to_grid(found: Optimum, x: Array, lowest: int, tied: npt.NDArray[np.bool_]) -> Optimum:
    """The interval in agreement with what was measured, at x (k,).

    Its ends move out to the next x: between two of them nothing was measured, and a smooth curve rounds
    off what turns sharply. (Without this, intervals missed the edge of a plateau in half of all tables,
    and a sharp minimum between sparse x in more.) They move in to the second x beyond all that are
    ``tied``, not told apart from the best: the noise of all x together tells more than that of the
    replicates at one point, but takes it to be equal. The minimum itself and x[lowest] stay inside.
    """
    low, high, places = found.low, found.high, np.flatnonzero(tied)
    if math.isfinite(low):
        low = x[max(0, int(np.searchsorted(x, low, side="right")) - 1)]
    if math.isfinite(high):
        high = x[min(len(x) - 1, int(np.searchsorted(x, high)))]
    if places[0] > 1:
        low = max(low, x[places[0] - 2])
    if places[-1] + 2 < len(x):
        high = min(high, x[places[-1] + 2])
    return Optimum(found.at, float(min(low, found.at, x[lowest])), float(max(high, found.at, x[lowest])))


def sum_of_means(y: Array) -> tuple[Array, Array, Array]:
    """Of y (sets, replicates, n) the sum over sets of the means over replicates, its standard error and its freedom.

    Each (n,). Sets are independent of each other, so that what each of them lies about its own mean tells of
    the noise: (replicates - 1) degrees of freedom a set (Welch 1938, Biometrika 29; Satterthwaite 1946).
    """
    count = y.shape[1]
    variances = y.var(axis=1, ddof=1) / count
    total, squares = variances.sum(axis=0), (variances**2).sum(axis=0)
    freedom = np.divide(total**2, squares, out=np.ones_like(total), where=squares > 0) * (count - 1)
    return y.mean(axis=1).sum(axis=0), np.sqrt(total), freedom


def margin_of_error(error: Array, freedom: Array, level: float) -> Array:
    """Half of the t-interval of what has these errors (n,) and degrees of freedom (n,)."""
    if (freedom == freedom[0]).all():
        return critical_t(level, float(freedom[0])) * error
    wide: Array = stats.t.ppf((1 + level) / 2, freedom) * error
    return wide


def find_minimum(points: Array, values: Array, slopes: Array, level: float = 0.95) -> Optimum:
    """The minimum of the mean of curves, from their values and slopes (replicates, n) at ``points`` (n,).

    Or of the sum of such means over independent sets: (sets, replicates, n).

    The interval holds the points where the mean slope cannot be told from zero and the mean curve cannot
    be told from its minimum, and what lies between them. It is open at an end of ``points`` which the
    minimum may lie beyond. With one replicate it is open at both.
    """
    values, slopes = (each.reshape(-1, *each.shape[-2:]) for each in (values, slopes))
    mean = values.mean(axis=1).sum(axis=0)
    best = int(mean.argmin())
    if values.shape[1] < 2:
        return Optimum(float(points[best]), -math.inf, math.inf)
    excess, excess_error, freedom = sum_of_means(values - values[..., [best]])
    rounding = ROUNDING * abs(mean).max()
    level_there = excess <= margin_of_error(excess_error, freedom, level) + rounding
    slope, slope_error, freedom = sum_of_means(slopes)
    least = margin_of_error(slope_error, freedom, level) + rounding
    falling, rising = slope < -least, slope > least
    inside = np.flatnonzero(level_there & ~falling & ~rising)
    below, above = bool(level_there[0] and not falling[0]), bool(level_there[-1] and not rising[-1])
    first, last = min((best, *inside)), max((best, *inside))
    return Optimum(
        float(points[best]),
        -math.inf if below else float(points[max(first - 1, 0)]),
        math.inf if above else float(points[min(last + 1, len(points) - 1)]),
    )
