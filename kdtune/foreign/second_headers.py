"""Refuse texts in which other names of columns stand among the rows, as where two exports were joined."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from kdtune.errors import RequestError
from kdtune.foreign.column_names import describe_columns, find_temperatures
from kdtune.foreign.headers import Header
from kdtune.foreign.measure_names import is_measure_name
from kdtune.foreign.text_rows import Rows

_NAME = "^[A-Za-z_]"
_MAX_ROWS = 20  # that are looked at, among those without any number
_SHOWN_NAMES = 6


def refuse_second_header(path: Path, header: Header, rows: Rows) -> None:
    """Raise RequestError if a row names T and a measure, and no number stands in it.

    A row that has the names of the first row once more is none of these: it can be left out.
    """
    for position in _find_rows_of_words(rows.columns):
        names = [column[position].as_py() or "" for column in rows.columns]
        if names == header.names or not find_temperatures(names) or not any(map(is_measure_name, names)):
            continue
        line = f":{header.n_lines + position + 1:,}" if _are_lines(rows, position) else ""
        raise RequestError(
            f"{path}{line}: a row ({describe_columns(names, _SHOWN_NAMES)}) looks like other names of the columns than "
            f"those in the first row ({describe_columns(header.names, _SHOWN_NAMES)}): two exports seem to be joined. "
            f"If their columns mean the same in this order, remove this row; else give both the same columns before "
            f"you join them"
        )


def _find_rows_of_words(columns: Sequence[Any]) -> list[int]:
    """Return the first rows in which every value begins with a letter; nothing is one, too, but not everywhere."""
    if not all(pa.types.is_string(column.type) for column in columns):
        return []  # Numbers are no names.
    is_word = None
    for column in columns:
        starts_as_name = pc.fill_null(pc.match_substring_regex(column, _NAME), True)
        is_word = starts_as_name if is_word is None else pc.and_(is_word, starts_as_name)
        if not pc.any(is_word).as_py():
            return []
    return [int(position) for position in pc.indices_nonzero(is_word)[:_MAX_ROWS].to_pylist()]


def _are_lines(rows: Rows, position: int) -> bool:
    """Return whether each of the rows above one is a line of the text, and there are no other lines."""
    left_out = rows.left_out
    has_more_lines = left_out.n_blank or left_out.n_comments or left_out.n_rules or left_out.n_headers
    breaks = [pc.any(pc.match_substring(column[:position], "\n")).as_py() for column in rows.columns]
    return not has_more_lines and not any(breaks)
