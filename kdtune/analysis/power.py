"""How many replicates it takes, from the noise that was seen. Pure."""

from __future__ import annotations

import bisect
import math
from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
from scipy import stats

from kdtune.analysis.curves import Array, residual_variance, t_value
from kdtune.analysis.layout import Cell
from kdtune.errors import RequestError

MOST = 10_000  # replicates: beyond, the answer is "more than that"


def noise(cells: Sequence[Cell], measure: str) -> Array:
    """(cells,): standard deviation of the difference of two temperatures in one replicate; cells with several."""
    usable = [cell.students[measure] for cell in cells if min(cell.students[measure].shape) > 1]
    return np.array([math.sqrt(2 * residual_variance(y)) for y in usable])


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
        half = t_value(level, count - 1) * deviation / math.sqrt(count)
        return bool(2 * half <= width)

    return _fewest(reached)


def _fewest(reached: Callable[[int], bool]) -> int | None:
    found = bisect.bisect_left(range(MOST + 1), True, lo=2, key=reached)
    return found if found <= MOST else None


def table(cells: Sequence[Cell], measure: str, shares: Sequence[float], errors: Sequence[float] = ()) -> pd.DataFrame:
    """Replicates that differences take, a row a difference.

    Parameters
    ----------
    shares : differences as shares of a cell's least mean errors.
    errors : differences in errors.

    ``to_tell`` has a difference found in 4 of 5 sweeps, ``to_bound`` gives its interval half its size on
    either side; both for the median cell, and, with ``_most``, for nine cells of ten.

    Raises
    ------
    RequestError
        If no cell has two replicates and two temperatures.
    """
    usable = [cell for cell in cells if min(cell.students[measure].shape) > 1]
    if not usable:
        raise RequestError("no cell has two replicates of two temperatures; noise cannot be seen in fewer")
    deviations = noise(usable, measure)
    if not deviations.any():
        raise RequestError("the replicates of every cell are copies of each other, which show no noise")
    least = np.array([cell.students[measure].mean(axis=0).min() for cell in usable])
    typical = float(np.median(least))
    rows = [(share, share * typical, share, deviations / np.maximum(least, 1e-12)) for share in sorted(shares)]
    rows += [(count / typical if typical else math.inf, count, count, deviations) for count in sorted(errors)]
    return pd.DataFrame([{"difference": share, "errors": count, **_counts(*rest)} for share, count, *rest in rows])


def _counts(difference: float, deviations: Array) -> dict[str, int | None]:
    median, most = np.quantile(deviations, [0.5, 0.9])
    return {
        "to_tell": replicates_to_tell(difference, median),
        "to_tell_most": replicates_to_tell(difference, most),
        "to_bound": replicates_for_width(difference, median),
        "to_bound_most": replicates_for_width(difference, most),
    }
