"""Which columns of a replicates-by-treatments layout may be the best, the best being the lowest. Knows no table.

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

from kdtune.statistics.smooth_minimum import ROUNDING, Array, residual_variance


@dataclass(frozen=True)
class Comparison:
    """Each treatment against the best of the others."""

    excess: Array  # (k,): mean minus the least mean of the others
    upper: Array  # (k,): simultaneous upper bounds of how far each lies above the best, 0 or more
    tied: npt.NDArray[np.bool_]  # (k,): cannot be told apart from the best


def compare_with_best(y: Array, level: float = 0.95) -> Comparison:
    """Compare the columns of y (replicates, k) with the best of them.

    With one replicate nothing can be told: all are tied, and all bounds are infinite.
    """
    count, k = y.shape
    mean = y.mean(axis=0)
    if k == 1:
        return Comparison(np.zeros(1), np.zeros(1), np.ones(1, bool))
    lowest, second = np.partition(mean, 1)[:2]
    excess = mean - np.where(mean == lowest, second, lowest)
    if count == 1:
        return Comparison(excess, np.full(k, math.inf), np.ones(k, bool))
    variance = residual_variance(y)
    margin = (
        critical_value(k, (count - 1) * (k - 1), level) * math.sqrt(2 * variance / count) + ROUNDING * abs(mean).max()
    )
    return Comparison(excess, np.maximum(0, excess + margin), excess <= margin)


@lru_cache(maxsize=256)
def critical_value(k: int, freedom: int, level: float = 0.95) -> float:
    """Dunnett's one-sided critical value: k - 1 comparisons with one other, correlation 1/2.

    The d with P(max_i (Z_i - Z_0) / sqrt(2) <= d S) = level, S the root of a chi-square over its freedom.
    """
    z, weights = np.polynomial.hermite_e.hermegauss(80)
    weights = weights / weights.sum()

    def coverage(d: float) -> float:
        def given(s: float) -> float:
            inside = stats.norm.cdf(math.sqrt(2) * d * s + z) ** (k - 1)
            density = stats.chi.pdf(s * math.sqrt(freedom), freedom) * math.sqrt(freedom)
            return float(weights @ inside * density)

        spread = 10 / math.sqrt(2 * freedom)
        return float(integrate.quad(given, max(0, 1 - spread), 1 + spread, limit=200)[0])

    return float(optimize.brentq(lambda d: coverage(d) - level, 0, 100, xtol=1e-6))
