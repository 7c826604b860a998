"""Find which columns of a layout of replicates by treatments may be the best, the best being the lowest.

Multiple comparisons with the best (Hsu 1984, Annals of Statistics 12), for y = treatment + replicate +
noise: replicates are blocks, so that what is hard about one replicate's data is hard for all treatments.
Sign-flip and Wilcoxon tests cannot reject at five replicates: their least p-value is 1/16.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy import integrate, optimize, stats

from kdtune.statistics.standard_errors import ROUNDING, Array, residual_variance


@dataclass(frozen=True)
class Comparison:
    """Each of k treatments compared with the best of the others."""

    excess: Array  # (k,): mean minus the lowest mean of the others
    upper_bounds: Array  # (k,): simultaneous, on how far each lies above the best; 0 or more
    is_tied: npt.NDArray[np.bool_]  # (k,): whether it is statistically tied with the best


def compare_with_best(y: Array, confidence_level: float = 0.95) -> Comparison:
    """Compare the columns of y with the best of them.

    With one replicate nothing is significant: all treatments are tied, and all bounds are infinite.

    Parameters
    ----------
    y : (R, k): R replicates of k treatments; noise is taken to be normal, independent and of one variance.
    confidence_level : of all k bounds together.
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
def dunnett_critical_value(n_treatments: int, dof: int, confidence_level: float = 0.95) -> float:
    """Compute the one-sided critical value for comparing k treatments with one of them (Dunnett 1955, JASA 50).

    It is the d with P(max_i (Z_i - Z_0) / sqrt(2) <= d S) = confidence level, where i runs over the other k - 1
    treatments, the Z are independent standard normal, and S is the root of a chi-square over its ``dof``.
    """
    return float(optimize.brentq(lambda d: _coverage(d, n_treatments, dof) - confidence_level, 0, 100, xtol=1e-6))


def _coverage(d: float, n_treatments: int, dof: int) -> float:
    """Compute the probability in ``dunnett_critical_value``: a quadrature over S of one over Z_0."""
    z, weights = _normal_quadrature()

    def integrand(s: float) -> float:
        # Given S = s and Z_0 = z, the other Z are independent of each other.
        probability = stats.norm.cdf(math.sqrt(2) * d * s + z) ** (n_treatments - 1)
        density = stats.chi.pdf(s * math.sqrt(dof), dof) * math.sqrt(dof)
        return float(weights @ probability * density)

    reach = 10 / math.sqrt(2 * dof)  # about ten standard deviations of S, which lies around 1
    return float(integrate.quad(integrand, max(0, 1 - reach), 1 + reach, limit=200)[0])


@lru_cache(maxsize=1)
def _normal_quadrature() -> tuple[Array, Array]:
    """Return points and weights (80,) of a Gauss-Hermite quadrature over the standard normal distribution."""
    points, weights = np.polynomial.hermite_e.hermegauss(80)
    return points, weights / weights.sum()
