"""Give the columns of a table unique names that are text, and turn the levels of its index into columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import pandas as pd

from kdtune.foreign.plain_values import to_plain_text, to_plain_value

_LONGEST_LIST = 12  # of names in a sentence


class LabelledColumns(NamedTuple):
    """Columns of any type with labels of any type, which need not be unique."""

    labels: list[Any]
    columns: list[Any]  # each a pandas.Series, an array of Arrow or a list, all of one length
    notes: list[str]  # what was left out, each a sentence


class NamedColumns(NamedTuple):
    """Plain columns by their names."""

    columns: dict[str, pd.Series]
    notes: list[str]  # what was changed that a user must know, each a sentence


def to_plain_name(label: Any) -> str:
    """Return a column's label as text without blanks around it; the empty text if there is none.

    The parts of a label of several levels, which pandas has after a pivot, are joined: "acc/mean".
    """
    if isinstance(label, tuple):
        return "/".join(part for part in map(to_plain_name, label) if part)
    return (to_plain_text(to_plain_value(label)) or "").strip()


def list_plain_names(labels: Sequence[Any]) -> list[str]:
    """Return the labels of a table's columns as text; they need not be unique."""
    return [to_plain_name(label) or f"column {number}" for number, label in enumerate(labels, start=1)]


def name_columns(labels: Sequence[Any], columns: Sequence[pd.Series]) -> NamedColumns:
    """Give each column a name of its own; of two columns with the same name and the same values one is left out.

    Parameters
    ----------
    labels : The label of each column, of any type.
    columns : Plain columns.
    """
    names = list_plain_names(labels)
    notes = _describe_names(labels, names)
    named_columns: dict[str, pd.Series] = {}
    for name, column in zip(names, columns, strict=True):
        if name not in named_columns:
            named_columns[name] = column
        elif named_columns[name].equals(column):
            notes.append(f'"{name}" stands in the table twice with the same values: it is read once.')
        else:
            free_name = _find_free_name(name, {*names, *named_columns})
            named_columns[free_name] = column
            notes.append(f'Several columns are called "{name}" and differ: one of them is read as "{free_name}".')
    return NamedColumns(named_columns, notes)


def list_index_levels(frame: pd.DataFrame) -> LabelledColumns:
    """Return the levels of a frame's index that are columns by right: those with a name, and the keys of a concat.

    A single level without a name labels the rows, and is not read; nor are the row numbers below the keys of a concat.
    """
    index = frame.index
    column_names = {to_plain_name(label) for label in frame.columns}
    levels = LabelledColumns([], [], [])
    for number, label in enumerate(index.names, start=1):
        values = index.get_level_values(number - 1)
        name = to_plain_name(label)
        are_row_numbers = pd.api.types.is_integer_dtype(values.dtype) and number == index.nlevels
        if not name and are_row_numbers:
            continue
        if not name and index.nlevels == 1:
            if len(index):
                levels.notes.append(
                    f"The index (as in {str(index[0])!r}) has no name and is not read; "
                    f"name it if it is a setting: `df.index.name = 'NAME'`."
                )
        elif name and name in column_names:
            levels.notes.append(f'The level "{name}" of the index is not read: a column has the same name.')
        else:
            if not name:
                levels.notes.append(f'Level {number} of the index has no name: it is read as "index level {number}".')
            levels.labels.append(name or f"index level {number}")
            levels.columns.append(pd.Series(values))
    return levels


def list_names(names: Sequence[str]) -> str:
    """Return names with commas between them, the first ones if there are many."""
    n_more = len(names) - _LONGEST_LIST
    return ", ".join(names[:_LONGEST_LIST]) + (f" and {n_more:,} more" if n_more > 0 else "")


def _describe_names(labels: Sequence[Any], names: Sequence[str]) -> list[str]:
    """Return a sentence for each kind of change after which a user would look for a column in vain."""
    pairs = list(zip(labels, names, strict=True))
    notes = []
    for number, (label, name) in enumerate(pairs, start=1):
        if not to_plain_name(label):
            notes.append(f'Column {number} has no name: it is read as "{name}".')
    padded_names = [f'"{name}"' for label, name in pairs if isinstance(label, str) and name != label and label.strip()]
    if padded_names:
        notes.append(f"Blanks around names of columns are left out: {list_names(padded_names)}.")
    joined_names = [f'"{name}"' for label, name in pairs if isinstance(label, tuple) and name]
    if joined_names:
        notes.append(f"Names of several levels are joined by a slash: {list_names(joined_names)}.")
    return notes


def _find_free_name(name: str, used_names: set[str]) -> str:
    number = 2
    while f"{name} ({number})" in used_names:
        number += 1
    return f"{name} ({number})"
