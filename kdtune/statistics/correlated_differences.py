"""Compute critical values for comparing one of k correlated means with all others.

The means m are normal with covariance C. Treatment i is compared with each other j by t_ij = (m_i - m_j) / SE_ij, where
SE_ij^2 = C_ii + C_jj - 2 C_ij is estimated. The critical value of i is the quantile of max_j t_ij where all true means
are equal; it follows from the correlations of these differences (Hsu 1984; Edwards and Hsu 1983, JASA 78).

The probability is a mean over directions: a normal vector of r dimensions is a direction, which is uniform, times a
length, whose square is a chi-square variable with r degrees of freedom and independent of it. The length, and a
standard error common to all, are integrated out exactly, so that a thousand directions, which are Sobol points, give
critical values with errors of about 0.4 %.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np
from scipy import special
from scipy.linalg import helmert
from scipy.stats import qmc

from kdtune.statistics.standard_errors import Array

N_DIRECTIONS = 1024  # and as many opposite ones; a power of 2, as Sobol points need it
_RANK_TOLERANCE = 1e-10  # Smaller eigenvalues, as shares of the largest one, are rounding errors.
_LOG_RATIO_RANGE, _LOG_RATIO_STEP = (-5.0, 7.0), 0.04  # of critical values over largest differences
_SLACK = 0.05  # How far, as a share, critical values may lie outside their bounds for want of directions.
_N_BISECTIONS = 4


def compute_standard_errors(covariance: Array) -> Array:
    """Compute the standard errors of all differences of two means.

    Parameters
    ----------
    covariance : (..., k, k): The covariances of k means.

    Returns
    -------
    (..., k, k): The standard errors; 0 on the diagonal.
    """
    variances = np.diagonal(covariance, axis1=-2, axis2=-1)
    squares = variances[..., :, np.newaxis] + variances[..., np.newaxis, :] - 2 * covariance
    return np.sqrt(np.maximum(squares, 0.0))


def critical_values_of_common_scale(
    covariance: Array, dof: Array, confidence_level: float, n_directions: int = N_DIRECTIONS
) -> Array:
    """Compute critical values where the covariance is known but for its scale, by the multivariate t distribution.

    Parameters
    ----------
    covariance : (k, k): The covariance of the means, up to a factor. k is two or more.
    dof : (k,): The degrees of freedom of the factor's estimate, for the differences to each treatment.
    confidence_level : The probability that no difference exceeds its critical value.
    n_directions : The number of directions, a power of 2.

    Returns
    -------
    (k,): The critical value of each treatment; 0 where it does not differ from any other.
    """
    factors = _factorize(covariance)
    n_dimensions = factors.shape[1]
    normal: Array = _spread_directions(n_directions, n_dimensions) @ factors.T  # (directions, k)
    largest = _find_largest_differences(normal, compute_standard_errors(covariance))
    return _invert(
        largest,
        lambda squares: np.asarray(special.fdtr(n_dimensions, dof[:, np.newaxis], squares / n_dimensions)),
        dof,
        confidence_level,
    )


def _factorize(covariance: Array) -> Array:
    """Return factors (k, k - 1) whose product with their transpose is the covariance of the means about their own mean.

    They are the symmetric root in a fixed basis of contrasts. Factors from eigenvectors would turn at random where
    eigenvalues are equal, and the drawn directions with them: units of errors would change critical values.
    """
    contrasts = helmert(len(covariance)).T  # (k, k - 1): orthonormal, each with the sum 0
    eigenvalues, vectors = np.linalg.eigh(contrasts.T @ covariance @ contrasts)
    roots = np.sqrt(np.where(eigenvalues > _RANK_TOLERANCE * eigenvalues[-1], eigenvalues.clip(0), 0.0))
    factors: Array = contrasts @ (vectors * roots) @ vectors.T
    return factors


@lru_cache(maxsize=64)
def _spread_directions(n_directions: int, n_dimensions: int) -> Array:
    """Return directions (n, r) that are spread evenly over the unit sphere."""
    if n_dimensions == 1:
        return np.ones((n_directions, 1))
    uniform = qmc.Sobol(n_dimensions, scramble=True, rng=np.random.default_rng(0)).random(n_directions)
    normal = special.ndtri(np.clip(uniform, 1e-12, 1 - 1e-12))
    directions: Array = normal / np.linalg.norm(normal, axis=1, keepdims=True)
    return directions


def _find_largest_differences(normal: Array, standard_errors: Array) -> Array:
    """Return for each direction, and for the opposite ones, the largest difference of each treatment to another.

    Parameters
    ----------
    normal : (n, k): The means in each direction.
    standard_errors : (k, k) or (n, k, k): The standard errors of their differences. Where they are 0 none counts.

    Returns
    -------
    (2 n, k): The largest differences, each divided by its standard error.
    """
    differences = normal[:, :, np.newaxis] - normal[:, np.newaxis, :]
    is_comparable = standard_errors > 0
    inverses = np.divide(1.0, standard_errors, out=np.zeros_like(standard_errors), where=is_comparable)
    differences *= inverses
    return np.concatenate([differences.max(axis=2), -differences.min(axis=2)])


def _invert(
    largest: Array, compute_probability: Callable[[Array], Array], dof: Array, confidence_level: float
) -> Array:
    """Return the c (k,) at which the mean over directions of the probability of (c / largest)^2 is the level.

    It lies between the critical values of a single t-test and of Bonferroni's for as many as there are.

    Parameters
    ----------
    largest : (n, k): The largest differences.
    compute_probability : A function from squares (n,) of the ratio of c to a largest difference to their probability,
        (n,) or, for each treatment, (k, n).
    dof : (k,): The degrees of freedom of the t statistics.
    confidence_level : The mean probability.
    """
    n_treatments = largest.shape[1]
    # A table of the probability at even steps of the logarithm of c / largest is read much faster than it is computed.
    table = compute_probability(np.exp(2 * np.arange(*_LOG_RATIO_RANGE, _LOG_RATIO_STEP)))
    table = np.ascontiguousarray(np.broadcast_to(table, (n_treatments, table.shape[-1])))
    first_entries = np.arange(n_treatments) * table.shape[1]
    entries = table.ravel()
    with np.errstate(divide="ignore"):
        offsets = (-np.log(np.maximum(largest, 0.0)) - _LOG_RATIO_RANGE[0]) / _LOG_RATIO_STEP
    levels = np.array([confidence_level, 1 - (1 - confidence_level) / (n_treatments - 1)])
    limits = special.stdtrit(dof[:, np.newaxis], levels)
    low, high = np.log(limits[:, 0] * (1 - _SLACK)), np.log(limits[:, 1] * (1 + _SLACK))

    def compute_mean_probability(log_c: Array) -> Array:
        positions = np.clip(offsets + log_c / _LOG_RATIO_STEP, 0, table.shape[1] - 1.001)
        steps = positions.astype(np.intp)
        places = first_entries + steps
        probability = entries[places] + (positions - steps) * (entries[places + 1] - entries[places])
        return np.asarray(probability.mean(axis=0))

    for _ in range(_N_BISECTIONS):
        middle = (low + high) / 2
        is_too_small = compute_mean_probability(middle) < confidence_level
        low, high = np.where(is_too_small, middle, low), np.where(is_too_small, high, middle)
    # In so short an interval the probability is a straight line.
    at_low, at_high = compute_mean_probability(low), compute_mean_probability(high)
    rise = np.where(at_high > at_low, at_high - at_low, 1.0)
    log_c = low + (high - low) * np.clip((confidence_level - at_low) / rise, 0, 1)
    critical_values: Array = np.where((largest > 0).any(axis=0), np.exp(log_c), 0.0)
    return critical_values
