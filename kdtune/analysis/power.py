"""How many replicates it takes, from the noise that was seen. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy import stats
from statsmodels.stats.power import TTestPower

from kdtune.analysis.curves import Array, residual_variance
from kdtune.analysis.layout import Cell

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
        return bool(test.power(ratio, count, alpha, df=count - 1, alternative="two-sided") >= power)

    return _fewest(reached)


def replicates_for_width(width: float, deviation: float, level: float = 0.95) -> int | None:
    """The fewest with which the interval of a mean paired difference is at most so wide; None beyond ``MOST``."""

    def reached(count: int) -> bool:
        half = stats.t.ppf((1 + level) / 2, count - 1) * deviation / math.sqrt(count)
        return bool(2 * half <= width)

    return _fewest(reached)


def _fewest(reached: object) -> int | None:
    low, high = 2, MOST
    assert callable(reached)
    if not reached(high):
        return None
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if reached(middle) else (middle + 1, high)
    return low


def table(cells: Sequence[Cell], measure: str, shares: Sequence[float], widths: bool = False) -> pd.DataFrame:
    """For differences that are shares of a cell's least mean errors: replicates needed in the median cell and in 9 of 10."""
    usable = [cell for cell in cells if min(cell.students[measure].shape) > 1]
    deviations = noise(usable, measure)
    errors = np.array([cell.students[measure].mean(axis=0).min() for cell in usable])
    rows = []
    for share in shares:
        ratio = deviations / np.maximum(errors, 1e-12)
        quantiles = np.quantile(ratio, [0.5, 0.9])
        count = replicates_for_width if widths else replicates_to_tell
        rows.append((share, share * np.median(errors), *(count(share, ratio) for ratio in quantiles)))
    return pd.DataFrame(rows, columns=["difference", "errors", "median_cell", "nine_of_ten_cells"])
