"""The one door for tables: any file or frame comes out as a standard table, with notes on what was understood."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import pandas as pd

from kdtune.analysis.column_values import to_numbers, to_text_id
from kdtune.analysis.comparisons import DifferenceCurves, TemperatureCurves
from kdtune.analysis.cross_fitted_choice import CrossFittedResult
from kdtune.analysis.optimum import CellOptimum
from kdtune.analysis.redraws import know_earlier_data
from kdtune.analysis.table_files import locate_table
from kdtune.analysis.table_queries import select_rows
from kdtune.analysis.test_split import ChoiceResult
from kdtune.columns import (
    DATA_SEED,
    DATASET,
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
    WIDTH,
)
from kdtune.errors import RequestError
from kdtune.foreign.column_names import find_seeds, find_weak_replicates, find_width
from kdtune.foreign.files import read_file
from kdtune.foreign.mending import MendingError, write_for
from kdtune.foreign.options import NO_REPLICATE, ReadingOptions, ReadTable
from kdtune.foreign.plain_tables import flatten_texts, is_table, to_plain_table
from kdtune.foreign.roles import SETTING_SUFFIX
from kdtune.foreign.selection_notes import describe_selection
from kdtune.foreign.standard_tables import standardize_external_table, standardize_sweep_table
from kdtune.foreign.unclear_columns import refuse_doubtful_numbers
from kdtune.table_facts import AnswerFacts, find_facts, find_select
from kdtune.text import join_names, suggest_nearest

# The column names of an answer's frames and printed tables: a setting must have another name.
_RESULTS = (CellOptimum, ChoiceResult, CrossFittedResult, TemperatureCurves, DifferenceCurves)
RESERVED = {field.name for result in _RESULTS for field in fields(result)}
RESERVED -= {"cross_fitting", "measures", "differences"}  # results in results, which stand for columns of their own
RESERVED |= {f"{model}_{measure}" for model in ("baseline", "teacher") for measure in RESULT_COLUMNS}
RESERVED |= {f"{measure}_{end}" for measure in RESULT_COLUMNS for end in ("low", "high")}
RESERVED |= {"interval", "best T", "statistically tied", "gap closed", "cross-fitted", "_cell", "_failed"}
RESERVED -= set(RESULT_COLUMNS)

# The columns that change the answer: a misspelled name of one of them is an error.
_IMPORTANT_COLUMNS = (TEMP, REPLICATE, MODEL, STATUS, *RESULT_COLUMNS)
_NO_CELL_COLUMNS = (TEMP, REPLICATE, STATUS, ID, *RESULT_COLUMNS)
# The columns that together say that a sweep of kdtune wrote a table.
_SWEEP_COLUMNS = {MODEL, ID, TEACHER_ID, STATUS, TEMP, REPLICATE, DATA_SEED, VAL_NUM_ERROR, NUM_ERROR}
_LIKE_NUMBERS = (*RESULT_COLUMNS, N_PARAMS)


def read_table(source: Any, options: ReadingOptions) -> ReadTable:
    """Read a table from a sweep's folder, a file of any common kind, or a frame of any common library.

    Parameters
    ----------
    source : A sweep's folder, its name under results/, a file, or a frame.
    options : What the user says about the table.

    Raises
    ------
    RequestError
        If there is no table, or it cannot be understood.
    """
    plain_frame, notes, doubts = _read_plain_columns(source)
    frame = plain_frame
    facts = find_table_facts(source, frame)
    if facts is not None and facts.n_missing and STUDENT not in set(frame[MODEL]):
        raise RequestError(
            f"no distilled student is done yet: {facts.n_networks - facts.n_missing:,} of the sweep's "
            f"{facts.n_networks:,} networks are; run the sweep again to train the others"
        )
    if options.where:
        n_rows = len(frame)
        frame = select_rows(frame, options.where).reset_index(drop=True)
        if frame.empty:
            raise RequestError(f"--where {options.where}: no row of {n_rows:,} matches")
        notes.append(f"{len(frame):,} of {n_rows:,} rows match --where {options.where}.")
    refuse_doubtful_numbers(frame.columns, doubts, options)
    if options.measure is None:
        options = replace(options, select=_find_select(source, options))
    try:
        read = standardize_table(frame, options, notes)
    except MendingError as error:
        raise error.write_for(_locate(source), plain_frame) from None
    place = _locate(source)
    reserve, *own_notes = (write_for(note, place, plain_frame) for note in (read.reserve, *read.notes))
    return read._replace(facts=facts, reserve=reserve, notes=[*own_notes, *(facts.notes if facts is not None else [])])


def find_table_facts(source: Any, frame: pd.DataFrame) -> AnswerFacts | None:
    """Return what an answer must say beside the rows of a sweep's table; None for a table from elsewhere.

    Parameters
    ----------
    source : A sweep's folder, its name under results/, a file or a frame.
    frame : The plain columns that were read from it.
    """
    if not is_sweep_table(frame):
        return None
    facts = find_facts(_locate(source))
    if facts is None and DATASET in frame.columns:
        return know_earlier_data(frame[DATASET])
    # A frame may be a part of a table that the user took.
    return facts.count_missing(len(frame)) if facts is not None and isinstance(source, (str, Path)) else facts


def _locate(source: Any) -> Any:
    """Return the file of a table that is named by its place; a frame is returned as it is."""
    return locate_table(str(source)) if isinstance(source, (str, Path)) else source


def _find_select(source: Any, options: ReadingOptions) -> str:
    """Return what T is chosen by: what the user says, else what the table says, else errors."""
    stated = find_select(_locate(source))
    return options.select or stated or NUM_ERROR


def read_plain_table(source: Any) -> tuple[pd.DataFrame, list[str]]:
    """Return the plain columns of a table as they are called there, and notes on how it was read."""
    frame, notes, _ = _read_plain_columns(source)
    return frame, notes


def _read_plain_columns(source: Any) -> tuple[pd.DataFrame, list[str], Mapping[str, str]]:
    """Return plain columns, notes, and a sentence for each column whose numbers can be read in two ways."""
    if is_table(source) or not isinstance(source, (str, Path)):
        plain = to_plain_table(source)  # raises, and says what is a table, if it is none
        return plain.frame, list(plain.notes), {}
    content = read_file(locate_table(str(source)))
    if content.is_plain:
        plain = flatten_texts(content.frame)
        return plain.frame, [*content.notes, *plain.notes], content.doubts
    plain = to_plain_table(content.frame)
    return plain.frame, [*content.notes, *plain.notes], content.doubts


def is_sweep_table(frame: pd.DataFrame) -> bool:
    """Return whether a sweep of kdtune wrote a table."""
    return set(frame.columns) >= _SWEEP_COLUMNS


def standardize_table(frame: pd.DataFrame, options: ReadingOptions, notes: list[str] | None = None) -> ReadTable:
    """Give a plain table the columns that the analysis needs.

    Raises
    ------
    RequestError
        If a column does not exist, T is not a positive number, or a measure is not a number.
    """
    notes = [] if notes is None else notes
    if frame.columns.empty:
        raise RequestError(f"the table has no column {TEMP!r}: it has no columns")
    if frame.empty:
        raise RequestError("the table has no rows, only names of columns")
    is_sweep = is_sweep_table(frame)
    if options.column_map.get(REPLICATE) == NO_REPLICATE and NO_REPLICATE not in frame.columns:
        if is_sweep:
            raise RequestError(
                f"--map {REPLICATE}={NO_REPLICATE}: this is a sweep of kdtune, whose replicates are paired; the option "
                "is for tables from elsewhere"
            )
        frame, options = _leave_seeds_out(frame, options, notes)
    frame = _rename_mapped(frame, options.column_map)
    options = replace(options, cell=_find_cell_columns(frame, options))
    standardize = standardize_sweep_table if is_sweep else standardize_external_table
    read = standardize(frame, options, notes)
    numeric_columns = [name for name in _LIKE_NUMBERS if name in read.table.columns]
    table = read.table.assign(**{name: to_numbers(read.table[name]) for name in numeric_columns})
    if ID in table.columns and TEACHER_ID in table.columns and table[ID].dtype != table[TEACHER_ID].dtype:
        table = table.assign(**{name: table[name].map(to_text_id) for name in (ID, TEACHER_ID)})
    new_names = {name: f"{name}{SETTING_SUFFIX}" for name in table.columns if name in RESERVED}
    cell_columns = None if read.cell_columns is None else [new_names.get(name, name) for name in read.cell_columns]
    select = options.select or NUM_ERROR
    notes = [*read.notes, *describe_selection(table, select, options.column_map, is_sweep)]
    return read._replace(table=table.rename(columns=new_names), cell_columns=cell_columns, notes=notes, select=select)


def _leave_seeds_out(
    frame: pd.DataFrame, options: ReadingOptions, notes: list[str]
) -> tuple[pd.DataFrame, ReadingOptions]:
    """Return a table without the columns that would name the replicate, as the user asks, and the other options."""
    seeds = [*find_seeds(frame.columns), *find_weak_replicates(frame.columns)]
    if seeds:
        verb = "is" if len(seeds) == 1 else "are"
        notes.append(
            f"Runs are not paired, as --map {REPLICATE}={NO_REPLICATE} says: {join_names(seeds)} {verb} left out."
        )
    column_map = {name: own_name for name, own_name in options.column_map.items() if name != REPLICATE}
    return frame.drop(columns=seeds), replace(options, column_map=column_map)


def _rename_mapped(table: pd.DataFrame, column_map: Mapping[str, str]) -> pd.DataFrame:
    """Rename the columns that the user maps to kdtune's names."""
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


def _find_cell_columns(table: pd.DataFrame, options: ReadingOptions) -> list[str] | None:
    """Return the columns that the user names as settings, by their names in the table.

    The user may call them as the file does, as ``--map`` does, or as an answer printed them.
    """
    if options.cell is None:
        return None
    new_names = {own_name: name for name, own_name in options.column_map.items()}
    columns = []
    for name in options.cell:
        own_name = new_names.get(name, name)
        if own_name not in table.columns:
            own_name = own_name.removesuffix(SETTING_SUFFIX)
        if own_name == WIDTH and WIDTH not in table.columns:
            own_name = find_width(table.columns) or WIDTH
        if own_name not in table.columns:
            raise RequestError(f"--cell: there is no column {name!r}; {suggest_nearest(name, table.columns)}")
        if own_name in _NO_CELL_COLUMNS:
            raise RequestError(f"--cell: {name} cannot name a setting: networks of one setting differ in it")
        columns.append(own_name)
    return list(dict.fromkeys(columns))
