"""Tables from elsewhere: rename their columns, fill in what they do not say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from kdtune.analysis.cells import find_cell_columns
from kdtune.columns import (
    DONE,
    FAILED,
    ID,
    MODEL,
    N_PARAMS,
    NUM_ERROR,
    REPLICATE,
    RESULT_COLUMNS,
    STATUS,
    STUDENT,
    TEACHER_ID,
    TEMP,
    VAL_NUM_ERROR,
)
from kdtune.errors import RequestError
from kdtune.table import to_frame
from kdtune.text import nearest, plural

# What the frames of an answer and their tables call their own columns.
RESERVED = {
    "T", "T_opt", "T_opt_continuous", "T_opt_low", "T_opt_high", "tied", "good_enough", "flags", "left_out",
    "replicates", "temperatures", "student", "student_low", "student_high", "teacher", "baseline", "at_T1",
    "gap_closed", "gap_low", "gap_high", "cross_fitted", "chosen_on_test", "errors", "excess", "band", "regret",
    "gain", "gain_low", "gain_high", "interval", "_cell", "_failed",
}  # fmt: skip
RESERVED |= {f"{who}_{measure}" for who in ("baseline", "teacher") for measure in RESULT_COLUMNS}
RESERVED |= {f"{measure}_{end}" for measure in RESULT_COLUMNS for end in ("low", "high")}
RESERVED |= {
    f"{name}{end}"
    for name in ("minus_baseline", "minus_teacher", "minus_T1", "cross_fitted_minus_T1")
    for end in ("", "_low", "_high")
}

# What makes another answer where it is missing, or called something else.
NEEDED = (TEMP, REPLICATE, MODEL, STATUS, *RESULT_COLUMNS)


def read_external_table(path: Path) -> pd.DataFrame:
    """A Parquet, CSV or TSV file (compressed, too) as it is.

    Raises
    ------
    RequestError
        If it is none of them.
    """
    kinds = [suffix.lower() for suffix in path.suffixes]
    try:
        if ".csv" in kinds or ".tsv" in kinds:
            table = pd.read_csv(path, sep="\t" if ".tsv" in kinds else ",", encoding="utf-8-sig")
            return table.rename(columns=lambda name: str(name).strip())
        return to_frame(pa.parquet.read_table(path))
    except (OSError, ValueError, pa.ArrowException, pd.errors.ParserError) as error:
        raise RequestError(f"{path}: is no table: {str(error).splitlines()[0]}") from None


def standardize(
    table: pd.DataFrame, renamed: Mapping[str, str], cell: Sequence[str] | None
) -> tuple[pd.DataFrame, list[str] | None]:
    """The table with the columns that the analysis needs, and the columns that name a cell as they are called there.

    Parameters
    ----------
    renamed : their name of a column of ours, as in ``{"temp": "tau"}``.
    cell : the columns that name a cell, in our names.

    A table without ``model`` holds distilled students; without ``status``, all that have errors are done;
    without ``replicate``, networks of one cell and T are its replicates in their order. A setting that is
    called what the answer calls one of its figures is renamed: student becomes "student (setting)".

    Raises
    ------
    RequestError
        If a column is not there, T is not a positive number, or a measure is no number.
    """
    for ours, theirs in renamed.items():
        lacking = [name for name in NEEDED if name not in renamed and name not in table.columns]
        if ours not in NEEDED and (meant := get_close_matches(ours, lacking, n=1, cutoff=0.7)):
            raise RequestError(f"--map {ours}={theirs}: {ours} is no column of kdtune's; did you mean {meant[0]!r}?")
        if theirs not in table.columns:
            raise RequestError(
                f"--map {ours}={theirs}: there is no column {theirs!r}; {nearest(theirs, table.columns)}"
            )
    if len({*renamed.values()}) < len(renamed):
        raise RequestError(f"--map: {' and '.join(renamed)} cannot be one column of the table")
    table = table.drop(columns=[ours for ours in renamed if ours in table.columns and ours not in renamed.values()])
    table = table.rename(columns={theirs: ours for ours, theirs in renamed.items()})
    cell = None if cell is None else list(dict.fromkeys(cell))
    for name in cell or []:
        if name not in table.columns:
            raise RequestError(f"--cell: there is no column {name!r}; {nearest(name, table.columns)}")
        if name in (MODEL, TEMP, REPLICATE, STATUS, ID, *RESULT_COLUMNS):
            raise RequestError(f"--cell: {name} does not name a cell: networks of one cell differ in it")
    if TEMP not in table.columns:
        raise RequestError(
            f"the table has no column {TEMP!r}; name the one with the temperatures: --map temp=NAME; "
            f"it has {', '.join(map(str, table.columns[:12]))}"
        )
    if MODEL not in table.columns:
        table = table.assign(**{MODEL: STUDENT})
    _check_temperatures(table)
    measures = [name for name in RESULT_COLUMNS if name in table.columns]
    table = table.assign(**{name: _numbers(table[name]) for name in (*measures, N_PARAMS) if name in table.columns})
    if STATUS not in table.columns:
        there = table[measures].notna().any(axis=1) if measures else False
        table = table.assign(**{STATUS: np.where(there, DONE, FAILED)})
    taken = {name: f"{name} (setting)" for name in table.columns if name in RESERVED}
    table = table.rename(columns=taken)
    cell = None if cell is None else [taken.get(name, name) for name in cell]
    table = table.assign(**{name: _plain(table[name]) for name in table.columns if table[name].dtype.kind in "OMm"})
    if {ID, TEACHER_ID} <= {*table.columns} and table[ID].dtype != table[TEACHER_ID].dtype:
        table = table.assign(**{name: table[name].map(_as_text) for name in (ID, TEACHER_ID)})
    return _with_replicates(table, cell), cell


def _as_text(name: Any) -> str | None:
    """An id: 7, 7.0 (beside a null) and "7" are the same."""
    if pd.isna(name):
        return None
    return str(int(name)) if isinstance(name, float) and name.is_integer() else str(name)


def _with_replicates(table: pd.DataFrame, cell: list[str] | None) -> pd.DataFrame:
    students = table[MODEL] == STUDENT
    if REPLICATE in table.columns and table.loc[students, REPLICATE].notna().any():
        unnamed = int(table.loc[students, REPLICATE].isna().sum())
        if unnamed:
            raise RequestError(f"{REPLICATE}: {plural(unnamed, 'row')} of distilled students have none")
        return table
    table = table.drop(columns=REPLICATE, errors="ignore")
    keys = [
        MODEL,
        TEMP,
        *(find_cell_columns(table.assign(**{REPLICATE: 0})) if cell is None else cell),
    ]
    return table.assign(**{REPLICATE: table.groupby(keys, dropna=False).cumcount()})


def _plain(column: pd.Series) -> pd.Series:
    """Text in place of what is neither text, number, truth nor nothing: dates, lists, exact decimals."""
    if column.dtype.kind == "O":
        if pd.api.types.infer_dtype(column) in ("string", "boolean", "integer", "floating", "empty"):
            return column
        strange = column.map(lambda value: not isinstance(value, (str, int, float, bool, type(None), type(pd.NA))))
        return column.where(~strange, column.map(str)) if strange.any() else column
    return column.astype(str).where(column.notna(), None)


def _numbers(column: pd.Series) -> pd.Series:
    """As they are; NaN for what is not finite, which then counts as missing."""
    if column.dtype.kind == "b":
        raise RequestError(f"{column.name}: must be a number, not {column.iloc[0]}")
    numbers = pd.to_numeric(column, errors="coerce")
    wrong = column[numbers.isna() & column.notna()]
    if len(wrong):
        raise RequestError(f"{column.name}: must be a number, not {wrong.iloc[0]!r} ({plural(len(wrong), 'row')})")
    negative = numbers < 0
    if negative.any() and column.name in (NUM_ERROR, VAL_NUM_ERROR):
        raise RequestError(f"{column.name}: must not be negative, as in {plural(int(negative.sum()), 'row')}")
    if numbers.dtype.kind != "f":
        return numbers
    return numbers.where(np.isfinite(numbers.to_numpy(np.float64, na_value=np.nan)))


def _check_temperatures(table: pd.DataFrame) -> None:
    column = table.loc[table[MODEL] == STUDENT, TEMP]
    values = pd.to_numeric(column, errors="coerce")
    wrong = column[~(values > 0) | ~np.isfinite(values.astype("float64"))]
    if len(wrong):
        first = wrong.tolist()[0]
        raise RequestError(f"{TEMP}: must be a positive number, not {first!r} ({plural(len(wrong), 'row')})")
