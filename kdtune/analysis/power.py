"""How many replicates it takes, from the noise that was seen. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
from scipy import stats
from statsmodels.stats.power import TTestPower

from kdtune.analysis.curves import Array, residual_variance
from kdtune.analysis.layout import Cell
from kdtune.errors import RequestError

CERTAIN = 20.0  # standard errors; the noncentral t is not computed for many more
MOST = 10_000  # replicates: beyond, the answer is "more than that"


def noise(cells: Sequence[Cell], measure: str) -> Array:
    """(cells,): standard deviation of the difference of two temperatures in one replicate; cells with several."""
    usable = [cell.students[measure] for cell in cells if min(cell.students[measure].shape) > 1]
    return np.array([math.sqrt(2 * residual_variance(y)) for y in usable])


def replicates_to_tell(difference: float, deviation: float, power: float = 0.8, alpha: float = 0.05) -> int | None:
    """The fewest with which a paired two-sided t-test finds a true difference so often; None beyond ``MOST``."""
    if deviation == 0:
        return 2
    test = TTestPower()
    ratio = abs(difference) / deviation

    def reached(count: int) -> bool:
        if ratio * math.sqrt(count) > CERTAIN:
            return True
        return bool(test.power(ratio, count, alpha, df=count - 1, alternative="two-sided") >= power)

    return _fewest(reached)


def replicates_for_width(width: float, deviation: float, level: float = 0.95) -> int | None:
    """The fewest with which the interval of a mean paired difference is at most so wide; None beyond ``MOST``."""

    def reached(count: int) -> bool:
        half = stats.t.ppf((1 + level) / 2, count - 1) * deviation / math.sqrt(count)
        return bool(2 * half <= width)

    return _fewest(reached)


def _fewest(reached: Callable[[int], bool]) -> int | None:
    low, high = 2, MOST
    if not reached(high):
        return None
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if reached(middle) else (middle + 1, high)
    return low


def table(cells: Sequence[Cell], measure: str, shares: Sequence[float]) -> pd.DataFrame:
    """Replicates that differences take which are shares of a cell's least mean errors, a row a share.

    ``to_tell`` has them found in 4 of 5 sweeps, ``to_bound`` gives their interval half their size on either
    side; both for the median cell, and, with ``_most``, for nine cells of ten.

    Raises
    ------
    RequestError
        If no cell has two replicates and two temperatures.
    """
    usable = [cell for cell in cells if min(cell.students[measure].shape) > 1]
    if not usable:
        raise RequestError("no cell has two replicates of two temperatures; noise cannot be seen in fewer")
    errors = np.array([cell.students[measure].mean(axis=0).min() for cell in usable])
    median, most = np.quantile(noise(usable, measure) / np.maximum(errors, 1e-12), [0.5, 0.9])
    return pd.DataFrame(
        {
            "difference": share,
            "errors": share * float(np.median(errors)),
            "to_tell": replicates_to_tell(share, median),
            "to_tell_most": replicates_to_tell(share, most),
            "to_bound": replicates_for_width(share, median),
            "to_bound_most": replicates_for_width(share, most),
        }
        for share in sorted(shares)
    )
