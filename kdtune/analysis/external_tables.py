"""Standardize tables from elsewhere: rename their columns, check their values, add the columns that they lack."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields
from difflib import get_close_matches
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from kdtune.analysis.cells import find_cell_columns
from kdtune.analysis.column_values import check_temperatures, to_numbers, to_plain_values, to_text_id
from kdtune.analysis.comparisons import TemperatureCurves
from kdtune.analysis.optimum import CellOptimum
from kdtune.analysis.test_split import ChoiceResult
from kdtune.columns import (
    DONE,
    FAILED,
    ID,
    MODEL,
    N_PARAMS,
    REPLICATE,
    RESULT_COLUMNS,
    STATUS,
    STUDENT,
    TEACHER_ID,
    TEMP,
)
from kdtune.errors import RequestError
from kdtune.text import pluralize, suggest_nearest

# The column names of an answer's frames and printed tables: a setting must have another name.
RESERVED = {field.name for result in (CellOptimum, ChoiceResult, TemperatureCurves) for field in fields(result)}
RESERVED |= {f"{model}_{measure}" for model in ("baseline", "teacher") for measure in RESULT_COLUMNS}
RESERVED |= {f"{measure}_{end}" for measure in RESULT_COLUMNS for end in ("low", "high")}
RESERVED |= {"interval", "_cell", "_failed"}
RESERVED -= set(RESULT_COLUMNS)

# The columns that change the answer: a misspelled name of one of them is an error.
_IMPORTANT_COLUMNS = (TEMP, REPLICATE, MODEL, STATUS, *RESULT_COLUMNS)
_NO_CELL_COLUMNS = (MODEL, TEMP, REPLICATE, STATUS, ID, *RESULT_COLUMNS)


class StandardTable(NamedTuple):
    """A table with the columns that the analysis needs."""

    table: pd.DataFrame
    cell: list[str] | None  # the columns that name a cell, as they are called in ``table``; None for the default


def standardize_table(table: pd.DataFrame, column_map: Mapping[str, str], cell: Iterable[str] | None) -> StandardTable:
    """Give a table the columns that the analysis needs.

    A table without ``model`` holds distilled students; without ``status``, all that have errors are done;
    without ``replicate``, networks of one cell and T are its replicates in their order. A setting that is
    called what the answer calls one of its results is renamed: student becomes "student (setting)".

    Parameters
    ----------
    table : The table with its own column names.
    column_map : The table's own name of each column that kdtune knows, as in ``{"temp": "tau"}``.
    cell : The columns that name a cell, by the names that kdtune knows.

    Raises
    ------
    RequestError
        If a column does not exist, T is not a positive number, or a measure is not a number.
    """
    _check_map(column_map)
    cell_columns = _list_cell_columns(cell)
    if table.columns.empty:
        raise RequestError(f"the table has no column {TEMP!r}: it has no columns")
    table = _rename_columns(table, column_map)
    _check_cell_columns(table, cell_columns or [])
    if TEMP not in table.columns:
        raise RequestError(
            f"the table has no column {TEMP!r}; name the one with the temperatures: --map temp=NAME; "
            f"it has {', '.join(map(str, table.columns[:12]))}"
        )
    if MODEL not in table.columns:
        table = table.assign(**{MODEL: STUDENT})
    check_temperatures(table.loc[table[MODEL] == STUDENT, TEMP])
    numeric_columns = [name for name in (*RESULT_COLUMNS, N_PARAMS) if name in table.columns]
    table = table.assign(**{name: to_numbers(table[name]) for name in numeric_columns})
    if STATUS not in table.columns:
        table = _add_status(table)
    new_names = {name: f"{name} (setting)" for name in table.columns if name in RESERVED}
    table = table.rename(columns=new_names)
    if cell_columns is not None:
        cell_columns = [new_names.get(name, name) for name in cell_columns]
    object_columns = [name for name in table.columns if table[name].dtype.kind in "OMm"]
    table = table.assign(**{name: to_plain_values(table[name]) for name in object_columns})
    if ID in table.columns and TEACHER_ID in table.columns and table[ID].dtype != table[TEACHER_ID].dtype:
        table = table.assign(**{name: table[name].map(to_text_id) for name in (ID, TEACHER_ID)})
    return StandardTable(_add_replicates(table, cell_columns), cell_columns)


def _check_map(column_map: Any) -> None:
    """Raise RequestError unless ``map`` maps texts to texts."""
    is_map = isinstance(column_map, Mapping)
    if not is_map or not all(isinstance(name, str) for pair in column_map.items() for name in pair):
        raise RequestError(f"map: must map names to names, as in map={{'temp': 'tau'}}, not {column_map!r}")


def _list_cell_columns(cell: Any) -> list[str] | None:
    """Return the names in ``cell``, each once; raise RequestError unless it holds texts or is None."""
    if cell is None:
        return None
    if isinstance(cell, str) and cell.strip():
        raise RequestError(f"cell: must be a list of names, not the text {cell!r}; write cell=[{cell!r}]")
    is_list = isinstance(cell, Iterable) and not isinstance(cell, (str, bytes, Mapping))
    names = list(cell) if is_list else []
    if not is_list or not all(isinstance(name, str) for name in names):
        raise RequestError(f"cell: must be a list of names, as in cell=['width', 'class_sep'], not {cell!r}")
    return list(dict.fromkeys(names))


def _rename_columns(table: pd.DataFrame, column_map: Mapping[str, str]) -> pd.DataFrame:
    for name, own_name in column_map.items():
        missing_columns = [
            column for column in _IMPORTANT_COLUMNS if column not in column_map and column not in table.columns
        ]
        similar_names = get_close_matches(name, missing_columns, n=1, cutoff=0.7)
        if name not in _IMPORTANT_COLUMNS and similar_names:
            raise RequestError(
                f"--map {name}={own_name}: kdtune has no column {name!r}; did you mean {similar_names[0]!r}?"
            )
        if own_name not in table.columns:
            raise RequestError(
                f"--map {name}={own_name}: there is no column {own_name!r}; {suggest_nearest(own_name, table.columns)}"
            )
    own_names = set(column_map.values())
    if len(own_names) < len(column_map):
        raise RequestError(f"--map: {' and '.join(column_map)} cannot be one column of the table")
    replaced_columns = [name for name in column_map if name in table.columns and name not in own_names]
    return table.drop(columns=replaced_columns).rename(
        columns={own_name: name for name, own_name in column_map.items()}
    )


def _check_cell_columns(table: pd.DataFrame, cell_columns: list[str]) -> None:
    for name in cell_columns:
        if name not in table.columns:
            raise RequestError(f"--cell: there is no column {name!r}; {suggest_nearest(name, table.columns)}")
        if name in _NO_CELL_COLUMNS:
            raise RequestError(f"--cell: {name} cannot name a setting: networks of one setting differ in it")


def _add_status(table: pd.DataFrame) -> pd.DataFrame:
    """Mark the networks that have any result as done, the others as failed."""
    measures = [name for name in RESULT_COLUMNS if name in table.columns]
    has_results = table[measures].notna().any(axis=1) if measures else False
    return table.assign(**{STATUS: np.where(has_results, DONE, FAILED)})


def _add_replicates(table: pd.DataFrame, cell_columns: list[str] | None) -> pd.DataFrame:
    """Count the networks of one cell and T in their order, unless the table names its replicates."""
    is_student = table[MODEL] == STUDENT
    if REPLICATE in table.columns and table.loc[is_student, REPLICATE].notna().any():
        n_unnamed = int(table.loc[is_student, REPLICATE].isna().sum())
        if n_unnamed:
            raise RequestError(f"{REPLICATE}: {pluralize(n_unnamed, 'row')} of distilled students have no replicate")
        return table
    table = table.drop(columns=REPLICATE, errors="ignore")
    if cell_columns is None:
        cell_columns = find_cell_columns(table.assign(**{REPLICATE: 0}))
    number = table.groupby([MODEL, TEMP, *cell_columns], dropna=False).cumcount()
    return table.assign(**{REPLICATE: number})
