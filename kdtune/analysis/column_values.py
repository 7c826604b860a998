"""Check and convert the values of a table's columns, which may come from elsewhere."""

from __future__ import annotations

import shlex
from typing import Any

import numpy as np
import pandas as pd

from kdtune.columns import NUM_ERROR, VAL_NUM_ERROR
from kdtune.errors import RequestError
from kdtune.text import pluralize

_FIRST_ROWS = 100
MAX_MEASURE = 1e100  # Greater numbers count as infinite: their squares, which statistics add up, would be.
MIN_MEASURE = 1e-100  # Smaller numbers count as 0: what is divided by their squares would be infinite.


def to_numbers(column: pd.Series, own_name: str | None = None) -> pd.Series:
    """Return a measure as numbers: NaN, which counts as missing, where it is as good as infinite; 0 where as good as 0.

    Parameters
    ----------
    column : The measure.
    own_name : What messages call it; None for the column's name.

    Raises
    ------
    RequestError
        If a value is not a number, or a number of errors is negative.
    """
    if column.dtype.kind == "b":
        raise RequestError(f"{own_name or column.name}: must be a number, not {column.iloc[0]}")
    if _is_plain_measure(column):
        return column
    numbers = pd.to_numeric(column, errors="coerce")
    wrong_values = column[numbers.isna() & column.notna()]
    if len(wrong_values):
        raise RequestError(
            f"{own_name or column.name}: must be a number, not {wrong_values.iloc[0]!r} "
            f"({pluralize(len(wrong_values), 'row')}). Write a number, or leave the cell empty if the run has no "
            f"result."
        )
    is_negative = (numbers < 0) & np.isfinite(numbers.to_numpy(np.float64, na_value=np.nan))
    if is_negative.any() and column.name in (NUM_ERROR, VAL_NUM_ERROR):
        raise RequestError(
            f"{own_name or column.name}: errors are not negative, but {numbers[is_negative].iloc[0]:g} is "
            f"({pluralize(int(is_negative.sum()), 'row')}). For another measure, such as a negative loss, say "
            f"--measure {shlex.quote(own_name or str(column.name))} --lower-is-better (or --higher-is-better)"
        )
    if numbers.dtype.kind != "f":
        return numbers
    sizes = np.abs(numbers.to_numpy(np.float64, na_value=np.nan))
    return numbers.where(sizes <= MAX_MEASURE).mask(sizes < MIN_MEASURE, 0.0)


def _is_plain_measure(column: pd.Series) -> bool:
    """Return whether all values are finite numbers, and not negative, as most measures are."""
    if column.dtype.kind not in "iuf" or column.empty:
        return False
    low, high = column.min(skipna=False), column.max(skipna=False)
    has_tiny = column.dtype.kind == "f" and bool(((column > 0) & (column < MIN_MEASURE)).any())
    return bool(pd.notna(low) and low >= 0 and high <= MAX_MEASURE) and not has_tiny


def list_first_values(column: pd.Series) -> pd.Series:
    """Return the first hundred values or so, of which null is none: they tell what most columns of text are not."""
    first_values = column.iloc[:_FIRST_ROWS].dropna()
    return first_values if len(first_values) else column.dropna().iloc[:_FIRST_ROWS]


def has_several_values(column: pd.Series) -> bool:
    """Return whether a column has two different values, of which null is none. Counting them would take longer."""
    values = column if column.notna().all() else column.dropna()
    return not values.empty and not bool((values == values.iloc[0]).all())


def varies(column: pd.Series) -> bool:
    """Return whether a column has more than one value; null counts as a value."""
    if column.empty or pd.isna(column.iloc[0]):
        return bool(column.notna().any())
    return not bool((column == column.iloc[0]).fillna(False).all())


def to_text_id(value: Any) -> str | None:
    """Return an id as text: 7, 7.0 (beside a null) and "7" are the same."""
    if pd.isna(value):
        return None
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
