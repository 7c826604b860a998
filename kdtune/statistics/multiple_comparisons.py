"""Find which treatments may be the best, that is have the lowest mean, in a layout of replicates and treatments.

The method is multiple comparisons with the best (Hsu 1984, Annals of Statistics 12) for the model y = treatment +
replicate + noise. Replicates are blocks: a difference between replicates that affects all treatments equally cancels.
Within a replicate the noise may be unequal and correlated over the treatments (Edwards and Hsu 1983, JASA 78). Runs
without replicates have the model y = treatment + noise, with any number of runs of each treatment.

Rank and sign-flip tests are of little use here: at five replicates their smallest one-sided p-value is 1/32, which is
not significant at 5 % after Bonferroni's correction for two comparisons.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from kdtune.statistics.additive_fit import compute_mean_covariance, compute_residual_covariance, fit_additive
from kdtune.statistics.correlated_differences import (
    compute_standard_errors,
    critical_values_of_common_scale,
)
from kdtune.statistics.noise_covariance import estimate_noise_covariance
from kdtune.statistics.one_way_layout import OneWayLayout
from kdtune.statistics.standard_errors import CONFIDENCE_LEVEL, ROUNDING, Array, residual_variance


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
    if n_treatments == 1 or not fit.shows_noise:
        return compare_by_margins(fit.means, np.full((n_treatments, n_treatments), math.inf))
    if residual_variance(fit.filled) == 0:
        return compare_by_margins(fit.means, np.zeros((n_treatments, n_treatments)))
    noise = estimate_noise_covariance(compute_residual_covariance(fit), fit.dof)
    covariance = compute_mean_covariance(noise.covariance, y)
    return compare_by_margins(fit.means, compute_margins(covariance, noise.dof, confidence_level))


def compare_means_with_best(layout: OneWayLayout, confidence_level: float = CONFIDENCE_LEVEL) -> Comparison:
    """Compare each treatment of a one-way layout with the best of the others, whatever its number of runs.

    Few runs cannot tell whether treatments have equal variances. A difference therefore has the wider of two margins:
    that of the pooled variance, and that of a variance of each treatment, which the others help to estimate. Where no
    treatment has a second run nothing is significant.

    Parameters
    ----------
    layout : The layout. The noise of its runs is assumed to be normal and independent; each treatment may have a
        variance of its own.
    confidence_level : The probability, between 0 and 1, that all k bounds hold together.
    """
    n_treatments = len(layout.means)
    if n_treatments == 1 or layout.dof == 0:
        return compare_by_margins(layout.means, np.full((n_treatments, n_treatments), math.inf))
    margins = [
        compute_margins(noise.covariance / layout.counts, noise.dof, confidence_level) for noise in layout.list_noises()
    ]
    return compare_by_margins(layout.means, np.maximum(*margins))


def compute_margins(covariance: Array, dof: Array, confidence_level: float) -> Array:
    """Compute the margins (k, k) of the differences of k means, by one critical value for those to each of them.

    Parameters
    ----------
    covariance : (k, k): The covariance of the means.
    dof : (k,): The degrees of freedom of the differences to each mean.
    confidence_level : The probability that no difference to a mean exceeds its margin.
    """
    critical_values = critical_values_of_common_scale(covariance, dof, confidence_level)
    return np.asarray(critical_values[:, np.newaxis] * compute_standard_errors(covariance))


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
