"""Compute means over replicates and ratios of means, with confidence intervals; a missing value is NaN."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from kdtune.statistics.standard_errors import CONFIDENCE_LEVEL, Array, critical_t


class Interval(NamedTuple):
    """A confidence interval: two numbers, or two arrays of one shape."""

    low: Any
    high: Any


class Ratio(NamedTuple):
    """A ratio of two means with its confidence interval."""

    ratio: float
    low: float
    high: float


NO_RATIO = Ratio(math.nan, math.nan, math.nan)


def mean_over_replicates(values: Array) -> Any:
    """Compute the mean over the replicates of which no value is missing.

    Parameters
    ----------
    values : (R, ...): The values of R replicates.

    Returns
    -------
    (...): The mean. It is NaN if every replicate misses a value.
    """
    complete = _select_complete(values)
    if len(complete) == 0:
        return _fill_mean(values, math.nan)
    return complete.mean(axis=0)


def t_interval(values: Array, confidence_level: float = CONFIDENCE_LEVEL) -> Interval:
    """Compute Student's t-interval for the mean over the replicates of which no value is missing.

    Parameters
    ----------
    values : (R, ...): The values of R replicates, which are assumed to be normal.
    confidence_level : The confidence level of the interval, between 0 and 1.

    Returns
    -------
    The two ends, each (...). They are infinite with one complete replicate and NaN with none.
    """
    complete = _select_complete(values)
    n_replicates = len(complete)
    if n_replicates == 0:
        return Interval(_fill_mean(values, math.nan), _fill_mean(values, math.nan))
    if n_replicates == 1:
        return Interval(_fill_mean(values, -math.inf), _fill_mean(values, math.inf))
    deviation = complete.std(axis=0, ddof=1)
    margin = critical_t(confidence_level, n_replicates - 1) * deviation / math.sqrt(n_replicates)
    mean = complete.mean(axis=0)
    return Interval(mean - margin, mean + margin)


def estimate_ratio(numerator: Array, denominator: Array, confidence_level: float = CONFIDENCE_LEVEL) -> Ratio:
    """Estimate the ratio of the means of paired values, with its confidence interval (Fieller 1954, JRSS B 16).

    The interval holds the ratios r for which the mean of ``numerator - r * denominator`` does not differ
    significantly from 0.

    Parameters
    ----------
    numerator : (R,): The numerators of R pairs, which are assumed to be normal.
    denominator : (R,): The denominators of these pairs. A pair with a NaN is left out.
    confidence_level : The confidence level of the interval, between 0 and 1.

    Returns
    -------
    The ratio with its interval. All three are NaN if the mean denominator is not significantly above 0.
    """
    is_complete = ~(np.isnan(numerator) | np.isnan(denominator))
    numerator, denominator = numerator[is_complete], denominator[is_complete]
    n_pairs = len(numerator)
    if n_pairs < 2:
        return NO_RATIO
    numerator_mean, denominator_mean = numerator.mean(), denominator.mean()
    # The variances and the covariance of the two means, times the squared critical value.
    scaled_covariances = np.cov(numerator, denominator) * critical_t(confidence_level, n_pairs - 1) ** 2 / n_pairs
    numerator_variance, denominator_variance = scaled_covariances[0, 0], scaled_covariances[1, 1]
    covariance = scaled_covariances[0, 1]
    # The interval holds the r that satisfy
    #   (numerator_mean - r denominator_mean)^2 <= numerator_variance - 2 r covariance + r^2 denominator_variance,
    # that is quadratic r^2 - 2 linear r + constant <= 0.
    quadratic = denominator_mean**2 - denominator_variance
    linear = numerator_mean * denominator_mean - covariance
    constant = numerator_mean**2 - numerator_variance
    if quadratic <= 0 or denominator_mean <= 0:
        return NO_RATIO
    root = math.sqrt(max(0.0, linear**2 - quadratic * constant))
    return Ratio(
        ratio=float(numerator_mean / denominator_mean),
        low=float((linear - root) / quadratic),
        high=float((linear + root) / quadratic),
    )


def _select_complete(values: Array) -> Array:
    """Return the replicates of values (R, ...) of which no value is missing."""
    is_missing = np.isnan(values)
    if not is_missing.any():
        return values
    return values[~is_missing.reshape(len(values), -1).any(axis=1)]


def _fill_mean(values: Array, constant: float) -> Any:
    """Return a constant in the shape that a mean over the replicates of values (R, ...) has."""
    if values.ndim == 1:
        return np.float64(constant)
    return np.full(values.shape[1:], constant)
