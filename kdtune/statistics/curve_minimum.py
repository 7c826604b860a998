"""Find the minimum of the mean curve with an interval that holds on lopsided and kinked curves, too.

For each place m the interval asks whether a curve that falls to m and rises beyond it (``turning_curves``) fits the
means significantly worse than the best such curve of any place. The difference of the two sums of squares is compared
with its own noise: the variance of the means in the direction in which the two fitted curves differ. This is a
likelihood-ratio test that needs no equal or independent noise (a profile: Venzon and Moolgavkar 1988, Applied
Statistics 37).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy import special, stats

from kdtune.statistics.standard_errors import CONFIDENCE_LEVEL, ROUNDING, Array
from kdtune.statistics.turning_curves import Profile, fit_turning_curves

# No mean counts more than as if its variance were this share of the median: few runs show small variances badly.
MIN_RELATIVE_VARIANCE = 0.25
MISFIT_LEVEL = 0.1  # the p-value below which turning curves do not fit
# Nothing is assumed of the curve within a step of the grid as wide as this, in the units of x (doublings of T).
COARSE_STEP = 0.75


@dataclass(frozen=True)
class NoisyMeans:
    """The means of k treatments with their noise."""

    means: Array  # (k,)
    covariance: Array  # (k, k): of the means, but for what is common to all of them
    dof: Array  # (k,): degrees of freedom of the variances of each mean
    has_independent_variances: bool = False  # whether each variance is estimated from the runs of its treatment alone
    max_dof: float = math.inf  # the degrees of freedom of all runs together

    @property
    def has_noise_estimate(self) -> bool:
        """Whether anything is known of the noise."""
        return bool(self.dof.min() > 0)

    def estimate_dof(self, directions: Array) -> Array:
        """Return the degrees of freedom (n,) of the variances of the means in directions (n, k)."""
        if not self.has_independent_variances:
            return np.asarray(directions**2 @ self.dof / np.maximum((directions**2).sum(axis=1), 1e-300))
        terms = directions**2 * np.diagonal(self.covariance)  # Satterthwaite 1946, Biometrics Bulletin 2
        squares = (terms**2 / self.dof).sum(axis=1)
        total = terms.sum(axis=1) ** 2
        dof = np.divide(total, squares, out=np.full(len(total), self.dof.min()), where=squares > 0)
        return np.asarray(np.minimum(dof, self.max_dof))

    def select(self, indices: slice) -> NoisyMeans:
        """Return the means of some of the treatments."""
        return NoisyMeans(
            self.means[indices],
            self.covariance[indices, indices],
            self.dof[indices],
            self.has_independent_variances,
            self.max_dof,
        )


@dataclass(frozen=True)
class CurveMinimum:
    """The location at which a curve is lowest, with its confidence interval; an end without a bound is infinite."""

    location: float
    low: float
    high: float
    second: float | None = None  # a second minimum, where the curve has two significantly


def find_curve_minimum(x: Array, noisy: NoisyMeans, confidence_level: float = CONFIDENCE_LEVEL) -> CurveMinimum:
    """Find the minimum of the mean curve with its confidence interval.

    Parameters
    ----------
    x : (k,): The x of the means in ascending order, two or more.
    noisy : The means with their noise. If nothing is known of it, the interval is open at both ends.
    confidence_level : The confidence level of the interval, between 0 and 1.
    """
    if not noisy.has_noise_estimate:
        is_silent = replace(noisy, covariance=np.zeros_like(noisy.covariance), dof=np.ones(len(x)))
        return replace(_bound_minimum(x, is_silent, confidence_level), low=-math.inf, high=math.inf)
    hill = _find_hill(noisy, confidence_level)
    if hill is None:
        return _bound_minimum(x, noisy, confidence_level)
    best_index = int(noisy.means.argmin())
    left, right = slice(0, hill + 1), slice(hill, len(x))
    own, other = (left, right) if best_index < hill else (right, left)
    minimum = _bound_minimum(x[own], noisy.select(own), confidence_level, _open_ends(own, len(x)))
    other_index = other.start + int(noisy.means[other].argmin())
    second = _bound_minimum(x[other], noisy.select(other), confidence_level, _open_ends(other, len(x)))
    if _is_higher(noisy, best_index, confidence_level)[other_index]:
        return CurveMinimum(minimum.location, minimum.low, minimum.high, float(x[other_index]))
    # Which of the two is the lower cannot be told.
    return CurveMinimum(
        minimum.location, min(minimum.low, second.low), max(minimum.high, second.high), float(x[other_index])
    )


def _open_ends(indices: slice, n_points: int) -> tuple[bool, bool]:
    return indices.start == 0, indices.stop == n_points


def _find_hill(noisy: NoisyMeans, confidence_level: float) -> int | None:
    """Return the index of a mean that is significantly above one on its left and one on its right, if there is one.

    The margins are Tukey's for all pairs, so that a curve without a hill has one with a probability of at most half of
    1 - confidence level.
    """
    n_means = len(noisy.means)
    if n_means < 3:
        return None
    variances = np.diagonal(noisy.covariance)
    errors = np.sqrt(np.maximum(variances[:, None] + variances - 2 * noisy.covariance, 0.0))
    critical = _critical_range(n_means, max(1, round(float(noisy.dof.min()))), confidence_level)
    rounding = ROUNDING * abs(noisy.means).max()
    margins = critical * errors + rounding
    lead = noisy.means[:, None] - noisy.means - margins  # (k, k): above 0 where the row's mean is above the column's
    np.fill_diagonal(lead, -math.inf)
    lower = np.tril(np.ones((n_means, n_means), bool), -1)
    left = np.where(lower, lead, -math.inf).max(axis=1)
    right = np.where(lower.T, lead, -math.inf).max(axis=1)
    hills = np.minimum(left, right)
    return int(hills.argmax()) if hills.max() > 0 else None


@lru_cache(maxsize=1024)
def _critical_range(n_means: int, dof: int, confidence_level: float) -> float:
    return float(stats.studentized_range.ppf(confidence_level, n_means, dof)) / math.sqrt(2)


def _is_higher(noisy: NoisyMeans, index: int, confidence_level: float) -> npt.NDArray[np.bool_]:
    """Return whether each mean (k,) is significantly above the one at an index, by a t-test of their difference."""
    k = len(noisy.means)
    directions = np.eye(k) - np.eye(k)[index]
    errors = np.sqrt(np.maximum(((directions @ noisy.covariance) * directions).sum(axis=1), 0.0))
    margins = special.stdtrit(noisy.estimate_dof(directions), (1 + confidence_level) / 2) * errors
    return np.asarray(noisy.means - noisy.means[index] > margins + ROUNDING * abs(noisy.means).max())


def _bound_minimum(
    x: Array, noisy: NoisyMeans, confidence_level: float, has_open_ends: tuple[bool, bool] = (True, True)
) -> CurveMinimum:
    """Bound the minimum of a curve of one valley; an end of x (k,) is a bound if the curve is known beyond it.

    Where no turning curve fits the means nothing is excluded: the curve is bent downward, or has several valleys.
    """
    lowest = int(noisy.means.argmin())
    profile, weights = _profile(x, noisy)
    is_plausible = np.ones(len(profile.places), bool)
    if not _has_misfit(profile, weights, noisy):
        is_plausible = _is_plausible(profile, weights, noisy, confidence_level)
    inside = np.flatnonzero(is_plausible)
    places = profile.places
    low, high = places[max(0, inside[0] - 1)], places[min(len(places) - 1, inside[-1] + 1)]
    if inside[0] == 0 and has_open_ends[0]:
        low = -math.inf
    if inside[-1] == len(places) - 1 and has_open_ends[1]:
        high = math.inf
    low, high = min(float(low), float(x[lowest])), max(float(high), float(x[lowest]))
    mirrored_high = _reach_over_coarse_step(-x[::-1], len(x) - 1 - lowest, -high)
    return CurveMinimum(_locate(profile, x, lowest), _reach_over_coarse_step(x, lowest, low), -mirrored_high)


def _reach_over_coarse_step(x: Array, lowest_index: int, low: float) -> float:
    """Return the lower end of an interval, moved out to the next x (k,) where the step to it is coarse.

    A curve with one valley, of which nothing else is known, may be lowest anywhere between the neighbours of the x with
    the lowest mean: the interval reaches to its lower neighbour if that step is coarse.
    """
    if math.isinf(low):
        return low
    next_below = max(0, int(np.searchsorted(x, low, side="right")) - 1)
    if low == x[lowest_index]:
        next_below = max(0, lowest_index - 1)
    is_coarse = x[next_below + 1] - x[next_below] >= COARSE_STEP if next_below + 1 < len(x) else False
    return min(low, float(x[next_below])) if is_coarse else low


def _locate(profile: Profile, x: Array, lowest_index: int) -> float:
    """Return the place where the fit is best, between the neighbours of the x (k,) with the lowest mean.

    Of places that fit equally well it is the one nearest that x: with few x there are many.
    """
    neighbours = x[max(0, lowest_index - 1)], x[min(len(x) - 1, lowest_index + 1)]
    is_near = (profile.places >= neighbours[0]) & (profile.places <= neighbours[1])
    places, misfits = profile.places[is_near], profile.misfits[is_near]
    tolerance = ROUNDING * (profile.fits**2).sum(axis=1).max()
    best_places = places[misfits <= misfits.min() + tolerance]
    return float(best_places[abs(best_places - x[lowest_index]).argmin()])


def _profile(x: Array, noisy: NoisyMeans) -> tuple[Profile, Array]:
    """Fit turning curves to means; return the profile, and the weights (k,) of the means."""
    variances = np.diagonal(noisy.covariance)
    typical = float(np.median(variances))
    weights = np.ones(len(x))
    if typical > 0:
        weights = 1 / np.sqrt(np.clip(variances / typical, MIN_RELATIVE_VARIANCE, None))
    return fit_turning_curves(x, noisy.means, weights), weights


def _has_misfit(profile: Profile, weights: Array, noisy: NoisyMeans) -> bool:
    """Return whether even the best turning curve fits significantly worse than the noise allows."""
    covariance = noisy.covariance * np.outer(weights, weights)
    best = int(profile.misfits.argmin())
    share = max(0.0, 1 - profile.n_terms[best] / len(weights))
    expected = share * np.trace(covariance)
    squares = share * float((covariance**2).sum())
    if expected <= 0 or squares <= 0:
        return False
    dof = expected**2 / squares
    noise_dof = float(noisy.dof.mean()) * max(1.0, dof) ** 0.5
    return bool(special.fdtrc(dof, noise_dof, profile.misfits[best] / expected) < MISFIT_LEVEL)


def _is_plausible(
    profile: Profile, weights: Array, noisy: NoisyMeans, confidence_level: float
) -> npt.NDArray[np.bool_]:
    """Return whether a minimum at each place (m,) fits the means not significantly worse than the best."""
    best = int(profile.misfits.argmin())
    directions = (profile.fits[best] - profile.fits) * weights  # (m, k): of the means, in which the curves differ
    lengths = ((profile.fits[best] - profile.fits) ** 2).sum(axis=1)
    variances = ((directions @ noisy.covariance) * directions).sum(axis=1)
    statistic = (profile.misfits - profile.misfits[best]) * lengths
    dof = noisy.estimate_dof(directions)
    is_plausible = statistic <= special.stdtrit(dof, (1 + confidence_level) / 2) ** 2 * variances
    is_plausible |= profile.misfits - profile.misfits[best] <= ROUNDING * (profile.fits**2).sum(axis=1).max()
    return np.asarray(is_plausible)


def align_with_tied(minimum: CurveMinimum, x: Array, lowest_index: int, is_tied: npt.NDArray[np.bool_]) -> CurveMinimum:
    """Align the interval of a minimum with the x that may have the lowest mean.

    The minimum of a curve with one valley lies between the neighbours of the x with the lowest mean, and that x is
    among the tied ones (multiple comparisons with the best). So the interval ends at the neighbours of the tied x: an x
    before the first tied one or after the last is an end of the interval at most. The x with the lowest mean is inside.

    Parameters
    ----------
    minimum : The minimum with its interval, from ``find_curve_minimum``.
    x : (k,): The x in ascending order.
    lowest_index : The index of the x with the lowest mean.
    is_tied : (k,): Whether each x is statistically tied with the best; one or more are.
    """
    tied_indices = np.flatnonzero(is_tied)
    first, last = tied_indices[0] - 1, tied_indices[-1] + 1
    low = max(minimum.low, x[first]) if first >= 0 else minimum.low
    high = min(minimum.high, x[last]) if last < len(x) else minimum.high
    location = float(np.clip(minimum.location, low, high))
    return replace(
        minimum, location=location, low=float(min(low, x[lowest_index])), high=float(max(high, x[lowest_index]))
    )
