"""Count the replicates that it takes to detect a difference, or to bound it."""

from __future__ import annotations

import bisect
import math
from collections.abc import Callable

from scipy import stats

from kdtune.statistics.standard_errors import CONFIDENCE_LEVEL, critical_t

MAX_REPLICATES = 10_000  # More are not counted exactly.


def replicates_to_detect(
    difference: float,
    standard_deviation: float,
    power: float = 0.8,
    significance: float = 0.05,
    dof_per_replicate: int = 1,
) -> int | None:
    """Count the replicates with which a two-sided t-test detects a true difference.

    Parameters
    ----------
    difference : The true difference of the two means.
    standard_deviation : The standard deviation of the difference within one replicate; of unpaired runs that of the
        difference of two independent runs.
    power : The probability that the test detects the difference.
    significance : The significance level of the test.
    dof_per_replicate : 1 for a paired test; 2 for a test of two independent samples, of one run per replicate each.

    Returns
    -------
    The smallest number of replicates, or None if more than ``MAX_REPLICATES`` are needed.
    """
    if standard_deviation == 0:
        return 2

    def is_enough(n_replicates: int) -> bool:
        # The square of a noncentral t is a noncentral F. scipy computes it also where its noncentral t is NaN.
        dof = dof_per_replicate * (n_replicates - 1)
        critical_f = stats.f.isf(significance, 1, dof)
        noncentrality = n_replicates * (difference / standard_deviation) ** 2
        reached_power = stats.ncf.sf(critical_f, 1, dof, noncentrality)
        # scipy returns NaN for a very large noncentrality, at which detection is certain.
        return bool(math.isnan(reached_power) or reached_power >= power)

    return _find_least(is_enough)


def replicates_to_bound(
    width: float,
    standard_deviation: float,
    confidence_level: float = CONFIDENCE_LEVEL,
    dof_per_replicate: int = 1,
) -> int | None:
    """Count the replicates with which the t-interval of a difference of means is narrow enough.

    Parameters
    ----------
    width : The largest acceptable width of the interval, from end to end.
    standard_deviation : The standard deviation of the difference, as in ``replicates_to_detect``.
    confidence_level : The confidence level of the interval, between 0 and 1.
    dof_per_replicate : 1 for paired differences, 2 for differences of independent samples.

    Returns
    -------
    The smallest number of replicates, or None if more than ``MAX_REPLICATES`` are needed.
    """

    def is_enough(n_replicates: int) -> bool:
        critical_value = critical_t(confidence_level, dof_per_replicate * (n_replicates - 1))
        margin = critical_value * standard_deviation / math.sqrt(n_replicates)
        return bool(2 * margin <= width)

    return _find_least(is_enough)


def _find_least(is_enough: Callable[[int], bool]) -> int | None:
    """Return the smallest sufficient number, from 2 on, by bisection: every greater number is sufficient, too."""
    n_replicates = bisect.bisect_left(range(MAX_REPLICATES + 1), True, lo=2, key=is_enough)
    if n_replicates > MAX_REPLICATES:
        return None
    return n_replicates
