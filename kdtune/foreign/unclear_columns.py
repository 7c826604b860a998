"""Choose the column of T, and refuse columns that the user's options or their own values leave unclear."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Mapping

import pandas as pd

from kdtune.columns import MODEL, REPLICATE, RESULT_COLUMNS, SCORE, SHIFT_COLUMNS, STATUS, TEACHER_ID, TEMP
from kdtune.errors import RequestError
from kdtune.foreign.column_names import (
    find_seeds,
    find_temperatures,
    find_width,
    refuse_missing_temperature,
    refuse_several_temperatures,
)
from kdtune.foreign.measures import is_measure_name
from kdtune.foreign.options import ReadingOptions
from kdtune.text import suggest_nearest

KNOWN_COLUMNS = {MODEL, TEMP, REPLICATE, STATUS, SCORE, TEACHER_ID, *RESULT_COLUMNS, *SHIFT_COLUMNS}
_COPY = re.compile(r"( \(\d+\)|\.\d+)$")  # what the second of two columns of one name gets


def choose_temperature(table: pd.DataFrame, options: ReadingOptions) -> str:
    """Return the column of the temperature: the one that the user maps, else the only one so called that varies.

    Raises
    ------
    RequestError
        If there is none, or more than one.
    """
    if TEMP in options.column_map:
        return TEMP
    candidates = find_temperatures(table.columns)
    if not candidates:
        refuse_missing_temperature(table.columns)
    varying = [name for name in candidates if table[name].nunique() > 1] or candidates
    if len(varying) > 1:
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


def refuse_used_cell_columns(table: pd.DataFrame, cell_columns: list[str] | None, options: ReadingOptions) -> None:
    """Raise RequestError if a column that the user names a setting has another meaning."""
    for name in cell_columns or []:
        if name == options.measure or name not in table.columns or name in KNOWN_COLUMNS:
            raise RequestError(
                f"--cell: {name} cannot name a setting: it is read as the replicate, the state of a run, or a measure"
            )


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
                f"as in --map {TEMP if is_temperature else name}={shlex.quote(copy)}"
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
