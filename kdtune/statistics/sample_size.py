"""How many replicates it takes to find a difference, or to bound it."""

from __future__ import annotations

import bisect
import math
from collections.abc import Callable

from scipy import stats

from kdtune.statistics.smooth_minimum import critical_t

MOST = 10_000  # replicates: beyond, the answer is "more than that"


def replicates_to_tell(difference: float, deviation: float, power: float = 0.8, alpha: float = 0.05) -> int | None:
    """The fewest with which a paired two-sided t-test finds a true difference so often; None beyond ``MOST``."""
    if deviation == 0:
        return 2

    def reached(count: int) -> bool:
        # The square of a noncentral t is a noncentral F, which scipy computes where its noncentral t is not a number.
        beyond = stats.f.isf(alpha, 1, count - 1)
        found = stats.ncf.sf(beyond, 1, count - 1, count * (difference / deviation) ** 2)
        return not found < power  # beyond what scipy computes it is no number: certain

    return _fewest(reached)


def replicates_for_width(width: float, deviation: float, level: float = 0.95) -> int | None:
    """The fewest with which the interval of a mean paired difference is at most so wide; None beyond ``MOST``."""

    def reached(count: int) -> bool:
        half = critical_t(level, count - 1) * deviation / math.sqrt(count)
        return bool(2 * half <= width)

    return _fewest(reached)


def _fewest(reached: Callable[[int], bool]) -> int | None:
    found = bisect.bisect_left(range(MOST + 1), True, lo=2, key=reached)
    return found if found <= MOST else None
