"""Number the rows of a table by their values in some columns; each column is looked up once for all questions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from kdtune.analysis.column_values import varies

Indices = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

_MAX_EMPTY = 4  # pairs of numbers get a place each while there are no more places than this many times the rows


class RowNumbers:
    """Numbers of a table's rows, equal for rows that have equal values; each column's values are looked up once."""

    def __init__(self, table: pd.DataFrame) -> None:
        self.table = table
        self._numbers: dict[tuple[str, ...], Indices] = {}
        self._columns: dict[str, tuple[Indices, Any]] = {}  # each row's number, and the value of each number

    def follow(self, table: pd.DataFrame) -> RowNumbers:
        """Return the numbers of a table that was made of this one by removing rows or removing and adding columns.

        A column has the same values as one of the same name here.
        """
        followed = RowNumbers(table)
        if len(table) == len(self.table):
            followed._columns = {name: self._columns[name] for name in self._columns if name in table.columns}
        return followed

    def number(self, names: Sequence[str]) -> Indices:
        """Return a number for each row, from 0: the same for rows that agree in all columns. Null equals null.

        Returns
        -------
        (rows,)
        """
        key = tuple(names)
        if key not in self._numbers:
            self._numbers[key] = self._combine_columns(names)
        return self._numbers[key]

    def _combine_columns(self, names: Sequence[str]) -> Indices:
        columns = [self._number_column(name)[0] for name in names]
        columns = [column for column in columns if column.any()]  # the others have one value
        if not columns:
            return np.zeros(len(self.table), np.int64)
        numbers = columns[0]
        for column in columns[1:]:
            numbers, _ = number_pairs(numbers, column)
        return numbers

    def count_values(self, name: str) -> int:
        """Return how many different values a column has; null is one."""
        return len(self._number_column(name)[1])

    def count_combinations(self, names: Sequence[str]) -> int:
        """Return how many different combinations of values these columns have."""
        if not names:
            return min(1, len(self.table))
        *others, last = sorted(names, key=self.count_values)
        return len(list_first_of_pairs(self.number(others), self._number_column(last)[0]))

    def list_values(self, name: str, is_selected: Mask | None = None) -> pd.Series:
        """Return the different values of a column, or of some of its rows, in no order; null is none of them."""
        numbers, values = self._number_column(name)
        series = pd.Series(values)
        if is_selected is not None and not is_selected.all():
            series = series[_mark_places(numbers[is_selected], len(values))]
        return series.dropna()

    def find_rows(self, name: str, value: Any) -> Mask:
        """Return which rows have this value in a column, (rows,)."""
        numbers, values = self._number_column(name)
        is_value = (pd.Series(values) == value).fillna(False).to_numpy(bool)
        return np.full(len(numbers), True) if is_value.all() else is_value[numbers]

    def has_duplicates(self, names: Sequence[str]) -> bool:
        """Return whether two rows are equal in all these columns."""
        return self.count_combinations(names) < len(self.table)

    def select_combinations(self, names: Sequence[str], is_selected: Mask) -> pd.DataFrame:
        """Return these columns of one row, the last, of each combination of values of the selected rows."""
        numbers = self.number_selected(names, is_selected)
        last: Indices = np.full(int(numbers.max(initial=-1)) + 1, -1, np.int64)
        last[numbers] = np.flatnonzero(is_selected)  # What is written last stays.
        return self.table[list(names)].iloc[np.sort(last[last >= 0])]

    def number_selected(self, names: Sequence[str], is_selected: Mask) -> Indices:
        """Return the numbers of some rows; all of them are not copied."""
        numbers = self.number(names)
        return numbers if is_selected.all() else numbers[is_selected]

    def _number_column(self, name: str) -> tuple[Indices, Any]:
        if name not in self._columns:
            column = self.table[name]
            if varies(column) or column.empty:
                numbers, values = pd.factorize(column, use_na_sentinel=False)
                self._columns[name] = np.asarray(numbers, np.int64), values
            else:  # as the state of runs mostly is: to look up text takes long
                self._columns[name] = np.zeros(len(column), np.int64), column.iloc[:1]
        return self._columns[name]


def number_pairs(first: Indices, second: Indices) -> tuple[Indices, Indices]:
    """Give each distinct pair of numbers a number of its own.

    Parameters
    ----------
    first, second : Numbers of the same rows, from 0, (rows,).

    Returns
    -------
    The number of each row's pair, (rows,), and the first number of each pair, (pairs,).
    """
    places, n_places, n_second = _place_pairs(first, second)
    if n_places > _MAX_EMPTY * len(first):
        numbers, taken_places = pd.factorize(places)
        return np.asarray(numbers, np.int64), np.asarray(taken_places) // n_second
    is_taken = _mark_places(places, n_places)
    ranks: Indices = np.cumsum(is_taken, dtype=np.int64)[places]
    ranks -= 1
    return ranks, np.flatnonzero(is_taken) // n_second


def list_first_of_pairs(first: Indices, second: Indices) -> Indices:
    """Return the first number of each distinct pair: ``number_pairs`` without the rows' numbers, (pairs,)."""
    places, n_places, n_second = _place_pairs(first, second)
    if n_places > _MAX_EMPTY * len(first):
        return np.asarray(pd.unique(places)) // n_second
    return np.flatnonzero(_mark_places(places, n_places)) // n_second


def _place_pairs(first: Indices, second: Indices) -> tuple[Indices, int, int]:
    """Return a number for each pair, how many there could be, and how many of them have the same first."""
    n_second = int(second.max(initial=0)) + 1
    places = first * n_second
    places += second
    return places, (int(first.max(initial=0)) + 1) * n_second, n_second


def _mark_places(places: Indices, n_places: int) -> Mask:
    is_taken = np.zeros(n_places, bool)
    is_taken[places] = True
    return is_taken
