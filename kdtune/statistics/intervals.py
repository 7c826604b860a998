"""Compute means over replicates and ratios of means, with confidence intervals; a missing value is NaN."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from kdtune.statistics.standard_errors import CONFIDENCE_LEVEL, Array, critical_t, critical_t_values


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
NO_COVARIANCE: Array = np.zeros((2, 2))


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


def t_interval(
    values: Array, confidence_level: float = CONFIDENCE_LEVEL, overlap: float = 0.0, sampling_variance: Any = 0.0
) -> Interval:
    """Compute Student's t-interval for the mean over the replicates of which no value is missing.

    Replicates of a finite data set are less different from each other than those of other data sets would be. What
    they hide is added: see ``scale_variance``.

    Parameters
    ----------
    values : (R, ...): The values of R replicates, which are assumed to be normal.
    confidence_level : The confidence level of the interval, between 0 and 1.
    overlap : The ratio of test to training examples where replicates are other cuts of the same examples; otherwise 0.
    sampling_variance : (...) or a number: The variance of the mean from the sampling of test examples that all
        replicates share. A negative or missing one counts as 0.

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
    hidden_variance = np.maximum(0.0, np.nan_to_num(sampling_variance))
    squares = scale_variance(complete.var(axis=0, ddof=1), n_replicates, confidence_level, overlap, hidden_variance)
    margin = np.sqrt(squares)
    mean = complete.mean(axis=0)
    return Interval(mean - margin, mean + margin)


def scale_variance(
    variance: Any, n_replicates: int, confidence_level: float, overlap: float = 0.0, sampling_variance: Any = 0.0
) -> Any:
    """Compute the squared margin of error of a mean over replicates, with what a finite data set hides from them.

    Where each replicate is another cut of the same examples, the variance of the mean is (1 / R + overlap) times that
    of a replicate (Nadeau and Bengio 2003, Machine Learning 52, the corrected resampled t-test). Where the test
    examples stay, their sampling variance is added. It is known from many examples, so it goes with the normal
    quantile, while the variance over replicates goes with Student's: each part has the margin that it would have alone
    (Zou and Donner 2008, Statistics in Medicine 27).

    Parameters
    ----------
    variance : (...): The variance of one replicate; or covariances.
    n_replicates : The number R of replicates, two or more.
    confidence_level : The confidence level, between 0 and 1.
    overlap : As in ``t_interval``.
    sampling_variance : (...): As in ``t_interval``; or covariances.
    """
    normal_quantile = critical_t(confidence_level, math.inf)
    of_replicates = critical_t(confidence_level, n_replicates - 1) ** 2 * (1 / n_replicates + overlap) * variance
    return of_replicates + normal_quantile**2 * sampling_variance


def welch_interval(a: Array, b: Array, confidence_level: float = CONFIDENCE_LEVEL) -> Interval:
    """Compute t-intervals for differences of the means of two independent samples (Welch 1938, Biometrika 29).

    Parameters
    ----------
    a : (n, ...): The values of the first sample, which are assumed to be normal. A NaN is left out.
    b : (m, ...): The values of the second sample. Its variance may be another.
    confidence_level : The confidence level of the interval, between 0 and 1.

    Returns
    -------
    The two ends, each (...), for mean(a) - mean(b). They are infinite if a sample has one value, NaN if it has none.
    """
    (a_mean, a_variance, a_dof), (b_mean, b_variance, b_dof) = _describe_sample(a), _describe_sample(b)
    difference, variance = a_mean - b_mean, a_variance + b_variance
    squares = a_variance**2 / a_dof + b_variance**2 / b_dof
    has_noise = (squares > 0) & np.isfinite(squares)
    dof = np.divide(variance**2, squares, out=np.ones(np.shape(squares)), where=has_noise)
    margin = critical_t_values(confidence_level, dof) * np.sqrt(variance)
    return Interval(difference - margin, difference + margin)


def _describe_sample(values: Array) -> tuple[Any, Any, Any]:
    """Return the mean of values (n, ...), the variance of that mean, and its degrees of freedom, each (...).

    A NaN is left out. The mean of no value is NaN, and the variance of the mean of a single value is infinite.
    """
    is_known = ~np.isnan(values)
    counts = is_known.sum(axis=0)
    divisors, dof = np.maximum(1, counts), np.maximum(1, counts - 1)
    means = np.where(counts > 0, np.where(is_known, values, 0.0).sum(axis=0) / divisors, np.nan)
    squares = (np.where(is_known, values - means, 0.0) ** 2).sum(axis=0)
    return means, np.where(counts > 1, squares / dof / divisors, np.inf), dof


def estimate_ratio(
    numerator: Array,
    denominator: Array,
    confidence_level: float = CONFIDENCE_LEVEL,
    overlap: float = 0.0,
    sampling_covariance: Array = NO_COVARIANCE,
) -> Ratio:
    """Estimate the ratio of the means of paired values, with its confidence interval (Fieller 1954, JRSS B 16).

    The interval holds the ratios r for which the mean of ``numerator - r * denominator`` does not differ
    significantly from 0.

    Parameters
    ----------
    numerator : (R,): The numerators of R pairs, which are assumed to be normal.
    denominator : (R,): The denominators of these pairs. A pair with a NaN is left out.
    confidence_level : The confidence level of the interval, between 0 and 1.
    overlap : As in ``t_interval``.
    sampling_covariance : (2, 2): The covariance of both means from the sampling of test examples that all replicates
        share.

    Returns
    -------
    The ratio with its interval. All three are NaN if the mean denominator is not significantly above 0.
    """
    is_complete = ~(np.isnan(numerator) | np.isnan(denominator))
    numerator, denominator = numerator[is_complete], denominator[is_complete]
    n_pairs = len(numerator)
    if n_pairs < 2:
        return NO_RATIO
    covariances = np.cov(numerator, denominator)
    scaled_covariances = scale_variance(covariances, n_pairs, confidence_level, overlap, sampling_covariance)
    return _solve_for_ratio(numerator.mean(), denominator.mean(), scaled_covariances)


def estimate_share_of_gap(
    start: Array, value: Array, end: Array, is_end_fixed: bool = False, confidence_level: float = CONFIDENCE_LEVEL
) -> Ratio:
    """Estimate which share of the way from one mean to another a third one has gone, from independent samples.

    The share is the ratio (mean(start) - mean(value)) / (mean(start) - mean(end)), with Fieller's interval for three
    samples of unequal variances (Hasler, Vonk and Hothorn 2008, Statistics in Medicine 27): its degrees of freedom
    are those of the variance of the numerator minus the ratio times the denominator.

    Parameters
    ----------
    start : (n,): The sample at the start of the way, of two or more values. A NaN is left out, as in the others.
    value : (m,): The sample somewhere on the way, of two or more values.
    end : (p,): The sample at the end of the way, of two or more values.
    is_end_fixed : Whether the end is a known number without noise: then ``end`` may be one value.
    confidence_level : The confidence level of the interval, between 0 and 1.

    Returns
    -------
    The share with its interval. All three are NaN if the gap is not significantly above 0.
    """
    samples = [sample[~np.isnan(sample)] for sample in (start, value, end)]
    counts = np.array([len(sample) for sample in samples])
    if counts[:2].min() < 2 or counts[2] < (1 if is_end_fixed else 2):
        return NO_RATIO
    start_mean, value_mean, end_mean = (float(sample.mean()) for sample in samples)
    if start_mean <= end_mean:
        return NO_RATIO
    variances = np.zeros(3)  # of the three means
    for i in range(2 if is_end_fixed else 3):
        variances[i] = samples[i].var(ddof=1) / counts[i]
    ratio = (start_mean - value_mean) / (start_mean - end_mean)
    weights = np.array([1 - ratio, -1, ratio])  # of the means in the numerator minus the ratio times the denominator
    dof = _effective_dof(weights**2 * variances, np.maximum(1, counts - 1))
    covariances = np.array(
        [[variances[0] + variances[1], variances[0]], [variances[0], variances[0] + variances[2]]]
    )  # of numerator and denominator, which share the start
    scaled_covariances = covariances * critical_t(confidence_level, dof) ** 2
    return _solve_for_ratio(start_mean - value_mean, start_mean - end_mean, scaled_covariances)


def _effective_dof(variances: Array, dof: npt.NDArray[np.int_]) -> float:
    """Compute the degrees of freedom of a sum of independent variances (Satterthwaite 1946, Biometrics Bulletin 2).

    Parameters
    ----------
    variances : (m,): The variances, each estimated on its own.
    dof : (m,): The degrees of freedom of each.
    """
    sum_of_squares = float((variances**2 / dof).sum())
    if sum_of_squares == 0:  # samples without noise
        return float(dof.min())
    return float(variances.sum() ** 2 / sum_of_squares)


def _solve_for_ratio(numerator_mean: float, denominator_mean: float, scaled_covariances: Array) -> Ratio:
    """Compute a ratio of two means with Fieller's interval.

    Parameters
    ----------
    numerator_mean : The mean of the numerator.
    denominator_mean : The mean of the denominator.
    scaled_covariances : (2, 2): The covariances of these two means, times the squared critical value of Student's t.
    """
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
