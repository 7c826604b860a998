"""Find what stands beside the columns of a wide table: results that sum them up, and results of other networks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from kdtune.columns import STUDENT
from kdtune.foreign.computed_rows import compute_statistics, count_decimals
from kdtune.foreign.percents import is_numeric, strip_percent
from kdtune.foreign.role_words import read_role

_MOST = 0.9  # of the rows; in a few of them a mean may be out of date
_MIN_ROWS = 2


class Companions(NamedTuple):
    """The columns of a wide table that are none of those with a number in their names."""

    ids: list[str]  # what is the same for all runs of a row: seeds, settings
    statistics: list[str]  # the mean of the others, their standard deviation and the like
    roles: dict[str, str]  # results of other networks: the column -> their role


def find_companions(table: pd.DataFrame, columns: Sequence[str], stem: str, suffix: str) -> Companions:
    """Tell the columns beside those of one measure apart, by their values and by names of roles.

    Parameters
    ----------
    table : The wide table.
    columns : The columns of one measure, whose names differ in a number.
    stem, suffix : What their names have in common beside the number and what says that it is a T or a seed.
    """
    others = [name for name in table.columns if name not in columns]
    numbers = pd.DataFrame({name: strip_percent(table[name]) for name in columns})
    statistics = [name for name in others if _is_statistic(table[name], numbers)]
    roles = {name: _find_role(name, stem, suffix) for name in others if name not in statistics}
    roles = {name: role for name, role in roles.items() if role != STUDENT and is_numeric(table[name])}
    return Companions([name for name in others if name not in (*statistics, *roles)], statistics, roles)


def _is_statistic(column: pd.Series, numbers: pd.DataFrame) -> bool:
    """Return whether a column is a statistic of the numbers that stand beside it in each row, as people round it."""
    if not is_numeric(column) or len(column) < _MIN_ROWS:
        return False
    own = strip_percent(column)
    rows = np.repeat(np.arange(len(numbers)), numbers.shape[1])
    values = pd.Series(numbers.to_numpy(np.float64, na_value=np.nan).ravel(), index=rows).dropna()
    if values.empty or own.nunique() < _MIN_ROWS:
        return False
    tolerance = 0.55 * (10.0 ** -count_decimals(own.dropna()) + 10.0 ** -count_decimals(values))
    own = own.reset_index(drop=True)
    return any(
        bool(((own - statistic.reindex(own.index)).abs() <= tolerance).mean() >= _MOST)
        for statistic in compute_statistics(values).values()
    )


def _find_role(name: str, stem: str, suffix: str) -> str:
    """Return the role of the networks whose results a column has by its name: "baseline", or "acc_baseline"."""
    rest = name.removeprefix(stem) if stem else name
    rest = rest.removesuffix(suffix) if suffix else rest
    for text in (name, rest.strip(" _-/.:@=()")):
        role = read_role(text)
        if role is not None and role != STUDENT:
            return role
    return STUDENT
