"""Check and convert the values of a table's columns, which may come from elsewhere."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from kdtune.columns import NUM_ERROR, VAL_NUM_ERROR
from kdtune.errors import RequestError
from kdtune.text import pluralize


def to_numbers(column: pd.Series) -> pd.Series:
    """Return a measure as numbers; NaN, which counts as missing, where it is not finite.

    Raises
    ------
    RequestError
        If a value is not a number, or a number of errors is negative.
    """
    if column.dtype.kind == "b":
        raise RequestError(f"{column.name}: must be a number, not {column.iloc[0]}")
    numbers = pd.to_numeric(column, errors="coerce")
    wrong_values = column[numbers.isna() & column.notna()]
    if len(wrong_values):
        raise RequestError(
            f"{column.name}: must be a number, not {wrong_values.iloc[0]!r} ({pluralize(len(wrong_values), 'row')})"
        )
    is_negative = (numbers < 0) & np.isfinite(numbers.to_numpy(np.float64, na_value=np.nan))
    if is_negative.any() and column.name in (NUM_ERROR, VAL_NUM_ERROR):
        raise RequestError(f"{column.name}: must not be negative, as in {pluralize(int(is_negative.sum()), 'row')}")
    if numbers.dtype.kind != "f":
        return numbers
    return numbers.where(np.isfinite(numbers.to_numpy(np.float64, na_value=np.nan)))


def to_text_id(value: Any) -> str | None:
    """Return an id as text: 7, 7.0 (beside a null) and "7" are the same."""
    if pd.isna(value):
        return None
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
