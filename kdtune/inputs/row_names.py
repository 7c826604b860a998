"""Columns that name the rows of a table and are no features: ids as text, row numbers, numbers of customers."""

from __future__ import annotations

import re

import numpy as np
import numpy.typing as npt
import pandas as pd

from kdtune.inputs.errors import InputError
from kdtune.inputs.table_rows import TableRows, write_drop
from kdtune.text import join_names

_MIN_COUNTED_ROWS = 10  # In shorter tables anything may count up by chance.
_MIN_NUMBERED_ROWS = 100  # In shorter tables measurements that are whole numbers may all differ.
DATE = re.compile(
    r"\d{4}-\d{1,2}-\d{1,2}([ T]\d.*)?|\d{1,2}[./-]\d{1,2}[./-]\d{2,4}( \d.*)?|\d{4}/\d{1,2}/\d{1,2}( \d.*)?"
)


def list_row_names(rows: TableRows) -> list[str]:
    """List the columns of text that have a value of their own in each row of the first table."""
    first_table = rows.frame.iloc[: [*rows.first_rows.values(), len(rows.frame)][1]]
    names = []
    for name in first_table.columns:
        values = first_table[name].dropna()
        if pd.api.types.is_numeric_dtype(values.dtype) or len(values) < max(2, len(first_table) / 2):
            continue
        if pd.api.types.infer_dtype(values) in ("string", "categorical") and values.is_unique:
            is_date = all(DATE.fullmatch(str(value).strip()) for value in values)
            names += [] if is_date else [name]
    return names


def make_row_name_error(rows: TableRows, names: list[str]) -> InputError:
    """Make the error for columns of ``list_row_names``."""
    columns = join_names([repr(name) for name in names], max_names=5)
    verb, pronoun = ("has", "it") if len(names) == 1 else ("have", "them")
    return InputError(
        f"{columns} {verb} another text in each row, which names the row and is no feature; leave {pronoun} out with "
        f"{write_drop(names)}",
        next(iter(rows.first_rows)),
    )


def is_counting_up(rows: TableRows, numbers: npt.NDArray[np.float64]) -> bool:
    """Return whether numbers rise by 1 from row to row of the first table, as row numbers do."""
    first_table = numbers[: [*rows.first_rows.values(), len(numbers)][1]]
    return len(first_table) >= _MIN_COUNTED_ROWS and bool((np.diff(first_table) == 1).all())


def is_numbering(rows: TableRows, numbers: npt.NDArray[np.float64]) -> bool:
    """Return whether each row of the first table has a whole number of its own, as ids do."""
    first_table = numbers[: [*rows.first_rows.values(), len(numbers)][1]]
    is_whole = len(first_table) >= _MIN_NUMBERED_ROWS and bool((first_table == np.round(first_table)).all())
    return is_whole and len(np.unique(first_table)) == len(first_table)
