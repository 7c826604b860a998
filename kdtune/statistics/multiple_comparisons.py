"""Find which treatments may be the best, that is have the lowest mean, in a layout of replicates and treatments.

The method is multiple comparisons with the best (Hsu 1984, Annals of Statistics 12) for the model y = treatment +
replicate + noise. Replicates are blocks: a difference between replicates that affects all treatments equally cancels.

Rank and sign-flip tests are of little use here: at five replicates their smallest one-sided p-value is 1/32, which is
not significant at 5 % after Bonferroni's correction for two comparisons.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy import integrate, optimize, stats

from kdtune.statistics.standard_errors import CONFIDENCE_LEVEL, ROUNDING, Array, residual_variance


@dataclass(frozen=True)
class Comparison:
    """The comparison of each of k treatments with the best of the others."""

    excess: Array  # (k,): mean minus the lowest mean of the others
    upper_bounds: Array  # (k,): simultaneous upper confidence bounds for (mean - best mean), clipped at 0
    is_tied: npt.NDArray[np.bool_]  # (k,): whether it is statistically tied with the best


def compare_with_best(y: Array, confidence_level: float = CONFIDENCE_LEVEL) -> Comparison:
    """Compare each treatment with the best of the others.

    With one replicate nothing is significant: all treatments are tied, and all bounds are infinite.

    Parameters
    ----------
    y : (R, k): The values of R replicates of k treatments. Their noise is assumed to be normal and independent and
        to have one variance.
    confidence_level : The probability, between 0 and 1, that all k bounds hold together.
    """
    n_replicates, n_treatments = y.shape
    mean = y.mean(axis=0)
    if n_treatments == 1:
        return Comparison(excess=np.zeros(1), upper_bounds=np.zeros(1), is_tied=np.ones(1, bool))
    lowest_mean, second_lowest_mean = np.partition(mean, 1)[:2]
    lowest_of_others = np.where(mean == lowest_mean, second_lowest_mean, lowest_mean)
    excess = mean - lowest_of_others
    if n_replicates == 1:
        return Comparison(
            excess=excess, upper_bounds=np.full(n_treatments, math.inf), is_tied=np.ones(n_treatments, bool)
        )
    dof = (n_replicates - 1) * (n_treatments - 1)
    standard_error = math.sqrt(2 * residual_variance(y) / n_replicates)  # of a difference of two means
    rounding = ROUNDING * abs(mean).max()
    margin = dunnett_critical_value(n_treatments, dof, confidence_level) * standard_error + rounding
    return Comparison(excess=excess, upper_bounds=np.maximum(0, excess + margin), is_tied=excess <= margin)


@lru_cache(maxsize=256)
def dunnett_critical_value(n_treatments: int, dof: int, confidence_level: float = CONFIDENCE_LEVEL) -> float:
    """Compute the one-sided critical value for comparing k treatments with one of them (Dunnett 1955, JASA 50).

    It is the d with P(max_i (Z_i - Z_0) / sqrt(2) <= d S) = confidence level, where i runs over the other k - 1
    treatments, the Z are independent standard normal, and S is the square root of a chi-square variable divided by
    its degrees of freedom.

    Parameters
    ----------
    n_treatments : The number k of treatments, two or more.
    dof : The degrees of freedom of the noise variance.
    confidence_level : The probability that no difference exceeds the critical value.
    """
    return float(optimize.brentq(lambda d: _coverage(d, n_treatments, dof) - confidence_level, 0, 100, xtol=1e-6))


def _coverage(d: float, n_treatments: int, dof: int) -> float:
    """Compute the probability in ``dunnett_critical_value``.

    Integrate numerically over S; for each S, integrate over Z_0 by Gauss-Hermite quadrature.
    """
    z, weights = _normal_quadrature()

    def integrand(s: float) -> float:
        # Given S = s and Z_0 = z, the other Z are independent of each other.
        probability = stats.norm.cdf(math.sqrt(2) * d * s + z) ** (n_treatments - 1)
        density = stats.chi.pdf(s * math.sqrt(dof), dof) * math.sqrt(dof)
        return float(weights @ probability * density)

    reach = 10 / math.sqrt(2 * dof)  # about ten standard deviations of S, whose mean is about 1
    return float(integrate.quad(integrand, max(0, 1 - reach), 1 + reach, limit=200)[0])


@lru_cache(maxsize=1)
def _normal_quadrature() -> tuple[Array, Array]:
    """Return points and weights (80,) of a Gauss-Hermite quadrature over the standard normal distribution."""
    points, weights = np.polynomial.hermite_e.hermegauss(80)
    return points, weights / weights.sum()
