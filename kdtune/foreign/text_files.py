"""Read tables from text: CSV and whatever else separates values."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from kdtune.analysis.file_problems import make_empty_error
from kdtune.columns import ID, TEACHER_ID
from kdtune.foreign.headers import check_header, describe_titles
from kdtune.foreign.plain_names import name_columns
from kdtune.foreign.row_cleaning import clean_rows
from kdtune.foreign.separators import describe_separator, find_layout
from kdtune.foreign.text_columns import NeedsTextError, read_columns
from kdtune.foreign.text_rows import read_rows

_LARGE = 1 << 22  # bytes from which on reading takes a noticeable time
_HEAD_SIZE = 1 << 15  # bytes that show how a text is laid out
_MIN_HEAD_LINES = 20  # also where they are long


class TextTable(NamedTuple):
    """A table that was read from text."""

    frame: pd.DataFrame  # plain columns with unique names
    notes: list[str]  # what was understood, each a sentence
    doubts: dict[str, str]  # the columns whose numbers can be read in two ways, each with a sentence


def read_delimited_text(path: Path, content: bytes) -> TextTable:
    """Read a table from text.

    Parameters
    ----------
    path : The file, for messages.
    content : The text in UTF-8.

    Raises
    ------
    RequestError
        If it is no table, the first row does not name the columns, or a row has too many or too few values.
    """
    if not content[:_HEAD_SIZE].strip() and not content.strip():
        raise make_empty_error(path)
    head_end = max(content.find(b"\n", _HEAD_SIZE) + 1, _find_line(content, _MIN_HEAD_LINES))
    if len(content) <= max(_HEAD_SIZE, head_end):
        head_end = len(content)
    header = find_layout(path, content[:head_end].decode())
    check_header(path, header)
    start = _find_line(content, header.n_lines)
    # Where spreadsheets write decimal commas, they separate values by semicolons.
    is_european = header.dialect.separator == ";"
    is_large = len(content) > _LARGE and not is_european
    table = clean_rows(path, header, read_rows(path, content, start, header, is_large))
    try:
        values, value_notes, doubts = read_columns(table.names, table.columns, is_european)
    except NeedsTextError:
        table = clean_rows(path, header, read_rows(path, content, start, header))
        values, value_notes, doubts = read_columns(table.names, table.columns, is_european)
    _keep_ids_as_text(table.names, table.columns, values)
    columns, name_notes = name_columns(table.names, values)
    notes = [*describe_separator(header.dialect.separator), *describe_titles(header)]
    return TextTable(pd.DataFrame(columns, copy=False), [*notes, *table.notes, *name_notes, *value_notes], doubts)


def _find_line(content: bytes, n_lines: int) -> int:
    """Return where a number of lines end."""
    position = 0
    for _ in range(n_lines):
        end = content.find(b"\n", position)
        if end < 0:
            return len(content)
        position = end + 1
    return position


def _keep_ids_as_text(names: Sequence[str], columns: Sequence[Any], values: list[pd.Series]) -> None:
    """Keep ids of networks and of their teachers as text if some are no numbers: they are matched with each other."""
    positions = [position for position, name in enumerate(names) if name in (ID, TEACHER_ID)]
    if any(values[position].dtype.kind not in "iuf" for position in positions):
        for position in positions:
            values[position] = columns[position].to_pandas()
