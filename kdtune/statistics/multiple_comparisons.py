"""Find which treatments may be the best, that is have the lowest mean, in a layout of replicates and treatments.

The method is multiple comparisons with the best (Hsu 1984, Annals of Statistics 12) for the model y = treatment +
replicate + noise. Replicates are blocks: a difference between replicates that affects all treatments equally cancels.
Within a replicate the noise may be unequal and correlated over the treatments (Edwards and Hsu 1983, JASA 78). Runs
without replicates have the model y = treatment + noise, with any number of runs of each treatment, and equal noise.

Rank and sign-flip tests are of little use here: at five replicates their smallest one-sided p-value is 1/32, which is
not significant at 5 % after Bonferroni's correction for two comparisons.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy import optimize, special, stats

from kdtune.statistics.additive_fit import compute_mean_covariance, compute_residual_covariance, fit_additive
from kdtune.statistics.correlated_differences import (
    compute_standard_errors,
    critical_values_of_common_scale,
)
from kdtune.statistics.noise_covariance import estimate_noise_covariance
from kdtune.statistics.one_way_layout import OneWayLayout
from kdtune.statistics.standard_errors import CONFIDENCE_LEVEL, ROUNDING, Array, residual_variance

MAX_CRITICAL_VALUE = 1000.0  # Of 500 treatments with one degree of freedom the critical value is 34.


@dataclass(frozen=True)
class Comparison:
    """The comparison of each of k treatments with the best of the others."""

    excess: Array  # (k,): mean minus the lowest mean of the others
    upper_bounds: Array  # (k,): simultaneous upper confidence bounds for (mean - best mean), clipped at 0
    is_tied: npt.NDArray[np.bool_]  # (k,): whether it is statistically tied with the best


def compare_with_best(y: Array, confidence_level: float = CONFIDENCE_LEVEL) -> Comparison:
    """Compare each treatment with the best of the others, from replicates that all treatments share.

    The noise may be unequal and correlated over the treatments; its covariance is estimated from the residuals
    (``noise_covariance``). With one replicate nothing is significant: all treatments are tied, and all bounds are
    infinite. Residuals that are rounding errors are no noise: all differences are then significant.

    Parameters
    ----------
    y : (R, k): The values of R replicates of k treatments; NaN for a missing run. The replicates are connected by
        treatments that they share (``additive_fit``).
    confidence_level : The probability, between 0 and 1, that all k bounds hold together.
    """
    n_treatments = y.shape[1]
    fit = fit_additive(y)
    if n_treatments == 1 or fit.dof <= 0:
        return compare_by_margins(fit.means, np.full((n_treatments, n_treatments), math.inf))
    if residual_variance(fit.filled) == 0:
        return compare_by_margins(fit.means, np.zeros((n_treatments, n_treatments)))
    noise = estimate_noise_covariance(compute_residual_covariance(fit), fit.dof)
    covariance = compute_mean_covariance(noise.covariance, y)
    critical_values = critical_values_of_common_scale(covariance, noise.dof, confidence_level)
    return compare_by_margins(fit.means, critical_values[:, np.newaxis] * compute_standard_errors(covariance))


def compare_means_with_best(layout: OneWayLayout, confidence_level: float = CONFIDENCE_LEVEL) -> Comparison:
    """Compare each treatment of a one-way layout with the best of the others (Hsu 1984), whatever its number of runs.

    A treatment is tied if no other mean lies below its own by more than the margin of their difference. Any other may
    be the best, so the upper bound of a treatment is the greatest of its differences to them, plus the margin.

    The margins use one critical value for all differences. Where the numbers of runs differ it is a little too large,
    which makes the bounds conservative. Where no treatment has a second run nothing is significant.

    Parameters
    ----------
    layout : The layout. The noise of its runs is assumed to be normal and independent and to have one variance.
    confidence_level : The probability, between 0 and 1, that all k bounds hold together.
    """
    means, counts = layout.means, layout.counts
    n_treatments = len(means)
    if n_treatments == 1:
        return Comparison(excess=np.zeros(1), upper_bounds=np.zeros(1), is_tied=np.ones(1, bool))
    excess = means - _find_lowest_of_others(means)
    if layout.dof == 0:
        return Comparison(
            excess=excess, upper_bounds=np.full(n_treatments, math.inf), is_tied=np.ones(n_treatments, bool)
        )
    ratio = float(counts.min() / counts.max())
    critical_value = dunnett_critical_value(n_treatments, layout.dof, confidence_level, ratio)
    standard_errors = np.sqrt(layout.variance * (1 / counts[:, None] + 1 / counts))  # (k, k): of each difference
    margins = critical_value * standard_errors + ROUNDING * abs(means).max()
    differences = means[:, None] - means  # (k, k): mean of the row's treatment minus mean of the column's
    bounds = differences + margins
    np.fill_diagonal(bounds, 0.0)
    is_tied = (differences <= margins).all(axis=1)
    return Comparison(excess=excess, upper_bounds=np.maximum(0, bounds.max(axis=1)), is_tied=is_tied)


def compare_by_margins(means: Array, margins: Array) -> Comparison:
    """Compare each of k means with the best of the others, by the margins of all differences.

    Row i of the margins bounds the differences to treatment i where it is the best one. Which one is best is unknown,
    but it is one of those that are tied: the bound of a treatment is the greatest that any of these gives.

    Parameters
    ----------
    means : (k,): The means.
    margins : (k, k): The margins of the mean of the row's treatment minus the mean of the column's.
    """
    if len(means) == 1:
        return Comparison(excess=np.zeros(1), upper_bounds=np.zeros(1), is_tied=np.ones(1, bool))
    differences = means[:, np.newaxis] - means
    margins = margins + ROUNDING * abs(means).max()
    np.fill_diagonal(margins, 0.0)
    is_tied: npt.NDArray[np.bool_] = np.asarray((differences <= margins).all(axis=1))
    bounds = np.where(is_tied[:, np.newaxis], margins - differences, 0.0)  # (k, k): row i if treatment i is best
    np.fill_diagonal(bounds, 0.0)
    excess = means - _find_lowest_of_others(means)
    return Comparison(excess=excess, upper_bounds=np.maximum(0, bounds.max(axis=0)), is_tied=is_tied)


def _find_lowest_of_others(means: Array) -> Array:
    """Return for each of the means (k,), of which there are two or more, the lowest of the others."""
    lowest_mean, second_lowest_mean = np.partition(means, 1)[:2]
    lowest_of_others: Array = np.where(means == lowest_mean, second_lowest_mean, lowest_mean)
    return lowest_of_others


@lru_cache(maxsize=4096)
def dunnett_critical_value(
    n_treatments: int, dof: int, confidence_level: float = CONFIDENCE_LEVEL, ratio: float = 1.0
) -> float:
    """Compute the one-sided critical value for comparing k treatments with one of them (Dunnett 1955, JASA 50).

    It is the d with P(max_i (sqrt(r) Z_0 - Z_i) / sqrt(1 + r) <= d S) = confidence level, where i runs over the other
    k - 1 treatments, the Z are independent standard normal, S is the square root of a chi-square variable divided by
    its degrees of freedom, and r is the ratio of the runs of another treatment to those of treatment 0.

    The differences have correlations of r / (1 + r). With the least ratio of all pairs none of the true correlations
    is smaller, and then the critical value is large enough for all (Slepian 1962, Bell System Technical Journal 41).

    Parameters
    ----------
    n_treatments : The number k of treatments, two or more.
    dof : The degrees of freedom of the noise variance.
    confidence_level : The probability that no difference exceeds the critical value.
    ratio : The ratio r: the fewest runs of a treatment over the most.
    """

    def excess_coverage(d: float) -> float:
        return _coverage(d, n_treatments, dof, ratio) - confidence_level

    return float(optimize.brentq(excess_coverage, 0, MAX_CRITICAL_VALUE, xtol=1e-9))


def _coverage(d: float, n_treatments: int, dof: int, ratio: float) -> float:
    """Compute the probability in ``dunnett_critical_value``.

    Integrate over S by Gauss-Legendre quadrature and over Z_0 by Gauss-Hermite quadrature. Given both, the other Z are
    independent of each other.
    """
    reach = 10 / math.sqrt(2 * dof)  # about ten standard deviations of S, whose mean is about 1
    low, high = max(0.0, 1 - reach), 1 + reach
    unit_points, unit_weights = _uniform_quadrature()
    s = low + (high - low) * unit_points
    density = stats.chi.pdf(s * math.sqrt(dof), dof) * math.sqrt(dof)
    z, normal_weights = _normal_quadrature()
    probability = special.ndtr(math.sqrt(1 + ratio) * d * s[:, None] + math.sqrt(ratio) * z) ** (n_treatments - 1)
    return float((high - low) * (unit_weights * density) @ probability @ normal_weights)


@lru_cache(maxsize=1)
def _uniform_quadrature() -> tuple[Array, Array]:
    """Return points and weights (128,) of a Gauss-Legendre quadrature from 0 to 1."""
    points, weights = np.polynomial.legendre.leggauss(128)
    return (points + 1) / 2, weights / 2


@lru_cache(maxsize=1)
def _normal_quadrature() -> tuple[Array, Array]:
    """Return points and weights (80,) of a Gauss-Hermite quadrature over the standard normal distribution."""
    points, weights = np.polynomial.hermite_e.hermegauss(80)
    return points, weights / weights.sum()
