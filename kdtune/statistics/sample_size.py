"""Count the replicates that it takes to detect a difference, or to bound it."""

from __future__ import annotations

import bisect
import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy import special

from kdtune.statistics.standard_errors import CONFIDENCE_LEVEL, critical_t

_CERTAIN_NONCENTRALITY = 20.0  # above the critical value
_LEVELS = (np.arange(15) + 0.5) / 15  # of the quantiles that stand for a distribution

MAX_REPLICATES = 10_000  # More are not counted exactly.


class CriticalValue(NamedTuple):
    """The critical value of a t statistic."""

    value: float
    dof: float  # the degrees of freedom of its standard error


def replicates_to_detect(
    difference: float,
    standard_deviation: float,
    find_critical_value: Callable[[int], CriticalValue],
    power: float = 0.8,
    noise_dof: float = math.inf,
) -> int | None:
    """Count the replicates with which a treatment is told apart from the best one, from which it truly differs.

    It is told apart if the difference of the two means exceeds the critical value times its standard error, as in
    comparisons with the best. The probability is that of a noncentral t.

    Parameters
    ----------
    difference : The true difference of the two means, above 0.
    standard_deviation : The standard deviation of the difference within one replicate; of unpaired runs that of the
        difference of two independent runs.
    find_critical_value : A function from the number of replicates to the critical value.
    power : The probability that the difference is found.
    noise_dof : The degrees of freedom of the standard deviation. The probability is the mean over the values that the
        true one may have (O'Hagan, Stevens and Campbell 2005, Pharmaceutical Statistics 4): were it taken as it is,
        half of all sweeps would be planned with too few replicates.

    Returns
    -------
    The smallest number of replicates, or None if more than ``MAX_REPLICATES`` are needed.
    """
    if standard_deviation == 0:
        return 2

    deviations = np.array([standard_deviation])
    if math.isfinite(noise_dof):
        deviations = standard_deviation * np.sqrt(noise_dof / special.chdtri(noise_dof, _LEVELS))

    def is_enough(n_replicates: int) -> bool:
        critical = find_critical_value(n_replicates)
        noncentralities = math.sqrt(n_replicates) * difference / deviations
        # scipy returns NaN for a very large noncentrality.
        noncentralities = np.minimum(noncentralities, critical.value + _CERTAIN_NONCENTRALITY)
        return float(special.nctdtr(critical.dof, noncentralities, critical.value).mean()) <= 1 - power

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
