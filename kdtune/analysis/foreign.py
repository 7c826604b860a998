"""Tables from elsewhere: rename their columns, fill in what they do not say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from kdtune import table as t
from kdtune.errors import RequestError
from kdtune.messages import nearest
from kdtune.words import plural


def read(path: Path) -> pd.DataFrame:
    """A Parquet or CSV file as it is.

    Raises
    ------
    RequestError
        If it is neither.
    """
    try:
        if path.suffix == ".csv":
            return pd.read_csv(path)
        return t.to_frame(pa.parquet.read_table(path))
    except (OSError, ValueError, pa.ArrowException, pd.errors.ParserError) as error:
        raise RequestError(f"{path}: is no table: {str(error).splitlines()[0]}") from None


def standard(table: pd.DataFrame, renamed: Mapping[str, str], cell: Sequence[str] | None) -> pd.DataFrame:
    """The table with the columns that the analysis needs.

    Parameters
    ----------
    renamed : their name of a column of ours, as in ``{"temp": "tau"}``.
    cell : the columns that name a cell, in our names.

    A table without ``model`` holds distilled students; without ``status``, all that have errors are done;
    without ``replicate``, networks of one cell and T are its replicates in their order.

    Raises
    ------
    RequestError
        If a column is not there, T is not a positive number, or a measure is no number.
    """
    for ours, theirs in renamed.items():
        if theirs not in table.columns:
            raise RequestError(
                f"--map {ours}={theirs}: there is no column {theirs!r}; {nearest(theirs, table.columns)}"
            )
    table = table.drop(columns=[ours for ours in renamed if ours in table.columns and ours not in renamed.values()])
    table = table.rename(columns={theirs: ours for ours, theirs in renamed.items()})
    for name in cell or []:
        if name not in table.columns:
            raise RequestError(f"--cell: there is no column {name!r}; {nearest(name, table.columns)}")
    if t.TEMP not in table.columns:
        raise RequestError(f"the table has no column {t.TEMP!r}; name the one with the temperatures: --map temp=NAME")
    if t.MODEL not in table.columns:
        table = table.assign(**{t.MODEL: t.STUDENT})
    _check_temperatures(table)
    measures = [name for name in t.RESULTS if name in table.columns]
    table = table.assign(**{name: _numbers(table[name]) for name in measures})
    if t.STATUS not in table.columns:
        there = table[measures].notna().any(axis=1) if measures else False
        table = table.assign(**{t.STATUS: np.where(there, t.DONE, t.FAILED)})
    if t.REPLICATE not in table.columns:
        keys = [t.MODEL, t.TEMP, *(cell or [])]
        table = table.assign(**{t.REPLICATE: table.groupby(keys, dropna=False).cumcount()})
    return table


def _numbers(column: pd.Series) -> pd.Series:
    """As they are; NaN for what is not finite, which then counts as missing."""
    numbers = pd.to_numeric(column, errors="coerce")
    wrong = column[numbers.isna() & column.notna()]
    if len(wrong):
        raise RequestError(f"{column.name}: must be a number, not {wrong.iloc[0]!r} ({plural(len(wrong), 'row')})")
    if numbers.dtype.kind != "f":
        return numbers
    return numbers.where(np.isfinite(numbers.to_numpy(np.float64, na_value=np.nan)))


def _check_temperatures(table: pd.DataFrame) -> None:
    column = table.loc[table[t.MODEL] == t.STUDENT, t.TEMP]
    values = pd.to_numeric(column, errors="coerce")
    wrong = column[~(values > 0) | ~np.isfinite(values.astype("float64"))]
    if len(wrong):
        raise RequestError(f"{t.TEMP}: must be a positive number, not {wrong.iloc[0]!r} ({plural(len(wrong), 'row')})")
