"""Count the replicates that it takes to detect a difference, or to bound it."""

from __future__ import annotations

import bisect
import math
from collections.abc import Callable

from scipy import stats

from kdtune.statistics.standard_errors import CONFIDENCE_LEVEL, critical_t

MAX_REPLICATES = 10_000  # More are not counted exactly.


def replicates_to_detect(
    difference: float, standard_deviation: float, power: float = 0.8, significance: float = 0.05
) -> int | None:
    """Count the replicates with which a paired two-sided t-test detects a true difference.

    Parameters
    ----------
    difference : The true difference of the two means.
    standard_deviation : The standard deviation of the difference within one replicate.
    power : The probability that the test detects the difference.
    significance : The significance level of the test.

    Returns
    -------
    The smallest number of replicates, or None if more than ``MAX_REPLICATES`` are needed.
    """
    if standard_deviation == 0:
        return 2

    def is_enough(n_replicates: int) -> bool:
        # The square of a noncentral t is a noncentral F. scipy computes it also where its noncentral t is NaN.
        critical_f = stats.f.isf(significance, 1, n_replicates - 1)
        noncentrality = n_replicates * (difference / standard_deviation) ** 2
        reached_power = stats.ncf.sf(critical_f, 1, n_replicates - 1, noncentrality)
        # scipy returns NaN for a very large noncentrality, at which detection is certain.
        return bool(math.isnan(reached_power) or reached_power >= power)

    return _find_least(is_enough)


def replicates_to_bound(
    width: float, standard_deviation: float, confidence_level: float = CONFIDENCE_LEVEL
) -> int | None:
    """Count the replicates with which the t-interval of a mean paired difference is narrow enough.

    Parameters
    ----------
    width : The largest acceptable width of the interval, from end to end.
    standard_deviation : The standard deviation of the difference within one replicate.
    confidence_level : The confidence level of the interval, between 0 and 1.

    Returns
    -------
    The smallest number of replicates, or None if more than ``MAX_REPLICATES`` are needed.
    """

    def is_enough(n_replicates: int) -> bool:
        margin = critical_t(confidence_level, n_replicates - 1) * standard_deviation / math.sqrt(n_replicates)
        return bool(2 * margin <= width)

    return _find_least(is_enough)


def _find_least(is_enough: Callable[[int], bool]) -> int | None:
    """Return the smallest sufficient number, from 2 on, by bisection: every greater number is sufficient, too."""
    n_replicates = bisect.bisect_left(range(MAX_REPLICATES + 1), True, lo=2, key=is_enough)
    if n_replicates > MAX_REPLICATES:
        return None
    return n_replicates
