"""Compute noise variances, standard errors and margins of error of means over replicates, for Student's t."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import special

Array = npt.NDArray[np.float64]

CONFIDENCE_LEVEL = 0.95  # of every interval and bound, unless a caller chooses another level
ROUNDING = 1e-10  # Differences below this share of the values are rounding errors.


class SumOfMeans(NamedTuple):
    """A sum over independent sets of their means, at n points, with its standard error and degrees of freedom."""

    total: Array  # (n,)
    standard_error: Array  # (n,): of the total
    dof: Array  # (n,): degrees of freedom of the standard error


def residual_variance(y: Array) -> float:
    """Estimate the noise variance in a two-way layout of replicates and treatments without interaction.

    The effects of replicates and of treatments are subtracted. The residuals that remain have (R - 1)(k - 1) degrees
    of freedom.

    Parameters
    ----------
    y : (R, k): The values of R replicates of k treatments.

    Returns
    -------
    The variance of one value; 0 where the residuals are rounding errors only.
    """
    n_replicates, n_treatments = y.shape
    residuals = y - y.mean(axis=0) - y.mean(axis=1, keepdims=True) + y.mean()
    dof = max(1, (n_replicates - 1) * (n_treatments - 1))
    variance = float((residuals**2).sum() / dof)
    if variance > (ROUNDING * abs(y).max()) ** 2:
        return variance
    return 0.0


@lru_cache(maxsize=1024)
def critical_t(confidence_level: float, dof: float) -> float:
    """Compute the two-sided critical value of Student's t.

    Parameters
    ----------
    confidence_level : The probability between the negative critical value and the critical value.
    dof : The degrees of freedom.
    """
    return float(critical_t_values(confidence_level, np.array(dof)))


def critical_t_values(confidence_level: float, dof: Array) -> Array:
    """Compute the critical values of ``critical_t`` for degrees of freedom of any shape."""
    values: Array = special.stdtrit(dof, (1 + confidence_level) / 2)  # scipy.stats.t.ppf takes twice as long.
    return values


def margin_of_error(standard_error: Array, dof: Array, confidence_level: float) -> Array:
    """Compute half the widths of t-intervals.

    Parameters
    ----------
    standard_error : (n,): The standard errors of n estimates.
    dof : (n,): The degrees of freedom of these standard errors.
    confidence_level : The confidence level of the intervals, between 0 and 1.

    Returns
    -------
    (n,): The critical values times the standard errors.
    """
    if (dof == dof[0]).all():  # One cached critical value is much faster than n new ones.
        return critical_t(confidence_level, float(dof[0])) * standard_error
    return critical_t_values(confidence_level, dof) * standard_error


def sum_of_means(y: Array) -> SumOfMeans:
    """Sum the means over replicates of independent sets, with standard error and degrees of freedom.

    Each set estimates its own variance v of its mean, with R - 1 degrees of freedom. The sum has variance
    sum(v) and about (R - 1) sum(v)**2 / sum(v**2) degrees of freedom (Welch 1938, Biometrika 29;
    Satterthwaite 1946, Biometrics Bulletin 2).

    Parameters
    ----------
    y : (S, R, n): The values at n points of R replicates in each of S independent sets.
    """
    n_replicates = y.shape[1]
    variances = y.var(axis=1, ddof=1) / n_replicates  # (S, n): v
    variance = variances.sum(axis=0)
    sum_of_squares = (variances**2).sum(axis=0)
    # Where there is no noise at all, one set's degrees of freedom stand in for 0 / 0.
    effective_sets = np.divide(variance**2, sum_of_squares, out=np.ones_like(variance), where=sum_of_squares > 0)
    return SumOfMeans(
        total=y.mean(axis=1).sum(axis=0),
        standard_error=np.sqrt(variance),
        dof=effective_sets * (n_replicates - 1),
    )
