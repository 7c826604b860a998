"""Compute means over replicates and ratios of them, with 95 % confidence intervals; a missing replicate is NaN."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from kdtune.statistics.standard_errors import Array, critical_t

CONFIDENCE_LEVEL = 0.95


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
    values : (R, ...): R replicates.

    Returns
    -------
    (...): the mean; NaN where every replicate misses something.
    """
    complete = _select_complete(values)
    if len(complete) == 0:
        return _fill_mean(values, math.nan)
    return complete.mean(axis=0)


def t_interval(values: Array) -> Interval:
    """Compute Student's t-interval for the mean over the replicates of which no value is missing.

    Parameters
    ----------
    values : (R, ...): R replicates, taken to be normal.

    Returns
    -------
    Two ends (...); infinite with one complete replicate, NaN with none.
    """
    complete = _select_complete(values)
    n_replicates = len(complete)
    if n_replicates == 0:
        return Interval(_fill_mean(values, math.nan), _fill_mean(values, math.nan))
    if n_replicates == 1:
        return Interval(_fill_mean(values, -math.inf), _fill_mean(values, math.inf))
    deviation = complete.std(axis=0, ddof=1)
    margin = critical_t(CONFIDENCE_LEVEL, n_replicates - 1) * deviation / math.sqrt(n_replicates)
    mean = complete.mean(axis=0)
    return Interval(mean - margin, mean + margin)


def fieller_interval(numerator: Array, denominator: Array) -> Ratio:
    """Compute the ratio of the means of paired values with its interval (Fieller 1954, JRSS B 16).

    The interval holds the ratios r at which the mean of ``numerator - r * denominator`` is not significantly
    different from 0. Everything is NaN if the mean of the denominator is not significantly above 0.

    Parameters
    ----------
    numerator, denominator : (R,): R pairs, taken to be normal; a pair with a NaN is left out.
    """
    is_complete = ~(np.isnan(numerator) | np.isnan(denominator))
    numerator, denominator = numerator[is_complete], denominator[is_complete]
    n_pairs = len(numerator)
    if n_pairs < 2:
        return NO_RATIO
    # The squared margins of error of both means, and their mixed term: t^2 times the covariances of the means.
    squared_margins = np.cov(numerator, denominator) * critical_t(CONFIDENCE_LEVEL, n_pairs - 1) ** 2 / n_pairs
    aa, ab, bb = squared_margins[0, 0], squared_margins[0, 1], squared_margins[1, 1]
    a, b = numerator.mean(), denominator.mean()
    # The ratios r with (a - r b)^2 <= aa - 2 r ab + r^2 bb: a quadratic in r.
    quadratic, linear, constant = b**2 - bb, a * b - ab, a**2 - aa
    if quadratic <= 0 or b <= 0:
        return NO_RATIO
    root = math.sqrt(max(0.0, linear**2 - quadratic * constant))
    return Ratio(float(a / b), float((linear - root) / quadratic), float((linear + root) / quadratic))


def cross_fit(decide: Array, test: Array) -> Array:
    """Return each replicate's test errors at the T that is best on all other replicates.

    Parameters
    ----------
    decide, test : (R, k): errors of R replicates at k temperatures, on the split that decides and on the test split.

    Returns
    -------
    (R,); NaN with one replicate.
    """
    n_replicates = len(decide)
    if n_replicates < 2:
        return np.full(n_replicates, math.nan)
    means_of_others = (decide.sum(axis=0) - decide) / (n_replicates - 1)
    errors: Array = test[np.arange(n_replicates), means_of_others.argmin(axis=1)]
    return errors


def _select_complete(values: Array) -> Array:
    """Return the replicates of values (R, ...) that miss nothing."""
    is_missing = np.isnan(values)
    if not is_missing.any():
        return values
    return values[~is_missing.reshape(len(values), -1).any(axis=1)]


def _fill_mean(values: Array, constant: float) -> Any:
    """Return a constant in the shape that a mean over the replicates of values (R, ...) has."""
    if values.ndim == 1:
        return np.float64(constant)
    return np.full(values.shape[1:], constant)
