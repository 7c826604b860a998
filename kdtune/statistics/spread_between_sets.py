"""Estimate how much an effect differs between data sets, beyond the noise in each of them."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from scipy import optimize, stats

from kdtune.statistics.standard_errors import CONFIDENCE_LEVEL, Array

_LARGEST = 1e6  # of the largest variance or squared distance seen: where a search for a variance ends


class Spread(NamedTuple):
    """The standard deviation of true effects between data sets, with its confidence interval."""

    deviation: float
    low: float
    high: float


def estimate_spread(estimates: Array, standard_errors: Array, confidence_level: float = CONFIDENCE_LEVEL) -> Spread:
    """Estimate the standard deviation of the true effects of S data sets.

    Cochran's Q, with the variance between sets added to the variance of each, has a chi-square distribution with S - 1
    degrees of freedom. The estimate is the variance at which Q is S - 1 (Paule and Mandel 1982, Journal of Research of
    the National Bureau of Standards 87), the ends of the interval where Q is a quantile (Viechtbauer 2007, Statistics
    in Medicine 26).

    Parameters
    ----------
    estimates : (S,): The estimates of two or more sets.
    standard_errors : (S,): Their standard errors, each above 0.
    confidence_level : The confidence level of the interval, between 0 and 1.
    """
    dof = len(estimates) - 1
    tail = (1 - confidence_level) / 2

    def q(variance: float) -> float:
        weights = 1 / (standard_errors**2 + variance)
        mean = (weights @ estimates) / weights.sum()
        return float(weights @ (estimates - mean) ** 2)

    def solve(target: float) -> float:
        if q(0.0) <= target:
            return 0.0
        highest = float(np.ptp(estimates) ** 2 + (standard_errors**2).max()) * _LARGEST
        return math.sqrt(optimize.brentq(lambda variance: q(variance) - target, 0.0, highest))

    return Spread(
        deviation=solve(dof),
        low=solve(float(stats.chi2.ppf(1 - tail, dof))),
        high=solve(float(stats.chi2.ppf(tail, dof))),
    )
