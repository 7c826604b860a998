"""Choose the column of T, and refuse columns that the user's options or their own values leave unclear."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

import pandas as pd

from kdtune.analysis.column_values import has_several_values
from kdtune.analysis.option_texts import suggest_map
from kdtune.columns import (
    DESCRIPTIVE_COLUMNS,
    MODEL,
    REPLICATE,
    RESULT_COLUMNS,
    SCORE,
    SHIFT_COLUMNS,
    STATUS,
    TEACHER_ID,
    TEMP,
)
from kdtune.errors import RequestError
from kdtune.foreign.column_names import (
    find_seeds,
    find_temperatures,
    find_width,
    refuse_several_temperatures,
)
from kdtune.foreign.measure_names import is_measure_name
from kdtune.foreign.missing_temperatures import refuse_missing_temperature
from kdtune.foreign.options import ReadingOptions
from kdtune.foreign.split_columns import refuse_split_column
from kdtune.foreign.wide_tables import refuse_wide_replicates
from kdtune.text import suggest_nearest

_FIGURES = (*RESULT_COLUMNS, *DESCRIPTIVE_COLUMNS, *SHIFT_COLUMNS)
KNOWN_COLUMNS = {MODEL, TEMP, REPLICATE, STATUS, SCORE, TEACHER_ID, *_FIGURES}
_COPY = re.compile(r"( \(\d+\)|\.\d+)$")  # what the second of two columns of one name gets


def choose_temperature(table: pd.DataFrame, options: ReadingOptions) -> str:
    """Return the column of the temperature: the one that the user maps, else the only one so called that varies.

    Raises
    ------
    RequestError
        If there is none, or more than one, or the table has a column for each T or replicate.
    """
    if TEMP in options.column_map:
        refuse_wide_replicates(table, options)
        return TEMP
    candidates = find_temperatures(table.columns)
    if not candidates:
        refuse_missing_temperature(table)
    refuse_wide_replicates(table, options)
    varying = [name for name in candidates if has_several_values(table[name])] or candidates
    if len(varying) > 1:
        refuse_split_column(table, varying, TEMP)
        refuse_several_temperatures(varying)
    return varying[0]


def refuse_unknown_measure(own_columns: list[str], options: ReadingOptions) -> None:
    """Raise RequestError if the measure that the user names is no column, or has another meaning by its name."""
    name = options.measure
    if name is None:
        return
    if name not in own_columns:
        raise RequestError(f"--measure: there is no column {name!r}; {suggest_nearest(name, own_columns)}")
    meanings: dict[str, list[str | None]] = {
        "the temperature": [*find_temperatures(own_columns)],
        "the replicate": [*find_seeds(own_columns)],
        "the student's width": [find_width(own_columns)],
        "a state or a role": [MODEL, STATUS],
    }
    for meaning, names in meanings.items():
        if name in names:
            raise RequestError(f"--measure: {name} cannot be the measure that T is chosen by: it is {meaning}")


def refuse_used_cell_columns(
    table: pd.DataFrame, cell_columns: list[str] | None, options: ReadingOptions, own_names: Mapping[str, str]
) -> None:
    """Raise RequestError if a column that the user names a setting has another meaning.

    Parameters
    ----------
    table : The table whose columns have kdtune's names.
    cell_columns : The columns that the user names settings, in kdtune's names if they have any.
    options : What the user says about the table.
    own_names : kdtune's name of a column -> the table's own, where they differ.
    """
    for name in cell_columns or []:
        has_new_name = name not in table.columns
        if name == TEMP:
            meaning = "the temperature"
        elif name == own_names.get(REPLICATE, REPLICATE) or (has_new_name and find_seeds([name])):
            meaning = "the replicate"
        elif name in (options.measure, SCORE, *_FIGURES) or (has_new_name and is_measure_name(name)):
            meaning = "a measure"
        elif name == TEACHER_ID:
            meaning = "the id of a teacher"
        elif has_new_name or name in KNOWN_COLUMNS:
            meaning = "the state or the role of a run"
        else:
            continue
        raise RequestError(f"--cell: {own_names.get(name, name)} cannot name a setting: it is {meaning}")


def refuse_doubtful_copies(table: pd.DataFrame, own_columns: list[str], options: ReadingOptions) -> None:
    """Raise RequestError if the table has T, the replicate or a measure in two columns of one name."""
    mapped = set(options.column_map.values())
    for copy in own_columns:
        name = _COPY.sub("", copy)
        if name == copy or copy in mapped or name in mapped or name not in own_columns:
            continue
        is_temperature = bool(find_temperatures([name]))
        if is_temperature or find_seeds([name]) or name in (MODEL, STATUS, *RESULT_COLUMNS) or is_measure_name(name):
            raise RequestError(
                f"the table has two columns {name} with different values; leave one out, or say which is meant, "
                f"as in {suggest_map(TEMP if is_temperature else name, copy)}"
            )


def refuse_doubtful_numbers(names: Iterable[str], doubts: Mapping[str, str], options: ReadingOptions) -> None:
    """Raise RequestError if T, the width or a measure is written so that its numbers can be read in two ways.

    Parameters
    ----------
    names : The columns, by their own names.
    doubts : The columns whose numbers can be read in two ways, each with a sentence.
    options : What the user says about the table.
    """
    names = list(names)
    needed = {*find_temperatures(names), find_width(names), options.measure, *options.column_map.values()}
    for name, reason in doubts.items():
        if name in needed or name in RESULT_COLUMNS or is_measure_name(name):
            raise RequestError(reason)
