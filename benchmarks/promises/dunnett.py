"""Compute the critical values of Dunnett (1955, JASA 50), for noise that is equal and independent over treatments.

They are what kdtune's own critical values must be where noise is so, and what comparisons with the best used before
noise was taken as it is. Nothing is shared with the analysis.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from scipy import optimize, special, stats

MAX_CRITICAL_VALUE = 1000.0  # Of 500 treatments with one degree of freedom the critical value is 34.


@lru_cache(maxsize=4096)
def compute_dunnett_value(n_treatments: int, dof: int, confidence_level: float = 0.95) -> float:
    """Compute the one-sided critical value for comparing k treatments with one of them, with as many runs of each.

    It is the d with P(max_i (Z_0 - Z_i) / sqrt(2) <= d S) = confidence level, where i runs over the other k - 1
    treatments, the Z are independent standard normal, and S is the square root of a chi-square variable divided by its
    degrees of freedom. S is integrated by Gauss-Legendre quadrature and Z_0 by Gauss-Hermite quadrature; given both,
    the other Z are independent of each other.

    Parameters
    ----------
    n_treatments : The number k of treatments, two or more.
    dof : The degrees of freedom of the noise variance.
    confidence_level : The probability that no difference exceeds the critical value.
    """
    reach = 10 / math.sqrt(2 * dof)  # about ten standard deviations of S, whose mean is about 1
    low, high = max(0.0, 1 - reach), 1 + reach
    points, weights = np.polynomial.legendre.leggauss(128)
    s = low + (high - low) * (points + 1) / 2
    densities = weights / 2 * (high - low) * stats.chi.pdf(s * math.sqrt(dof), dof) * math.sqrt(dof)
    z, normal_weights = np.polynomial.hermite_e.hermegauss(80)
    normal_weights /= normal_weights.sum()

    def exceed_level(d: float) -> float:
        probabilities = special.ndtr(math.sqrt(2) * d * s[:, None] + z) ** (n_treatments - 1)
        return float(densities @ probabilities @ normal_weights) - confidence_level

    return float(optimize.brentq(exceed_level, 0, MAX_CRITICAL_VALUE, xtol=1e-9))
