"""Leave out what is no row or column of a table: empty ones, repeated names, comments, rules; and say so."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import reduce
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kdtune.errors import RequestError
from kdtune.foreign.headers import Header
from kdtune.foreign.records import COMMENT
from kdtune.foreign.second_headers import refuse_second_header
from kdtune.foreign.text_rows import LeftOutLines, Rows
from kdtune.text import join_names, pluralize

_RULE = r":?(-+|=+):?"  # a value of a rule, as in "|---|:--:|"


class CleanRows(NamedTuple):
    """The rows and columns of a table."""

    names: list[str]  # of the columns; a column without a name is called as pandas calls it, "Unnamed: 0"
    columns: list[Any]  # chunked arrays of Arrow, of text or numbers
    notes: list[str]  # what was left out, each a sentence


def clean_rows(path: Path, header: Header, rows: Rows) -> CleanRows:
    """Leave out rows and columns that hold nothing, and rows that repeat the names of the columns.

    Parameters
    ----------
    path : The file, for messages.
    header : The names of the columns; empty if a column has none.
    rows : The columns, and what is left out already, which is completed.

    Raises
    ------
    RequestError
        If no row is left, other names of columns stand among the rows, or values without a name do not number the rows.
    """
    refuse_second_header(path, header, rows)
    columns, left_out = list(rows.columns), rows.left_out
    left_out.n_comments += header.n_comments
    columns, n_blank = _drop_rows(columns, _find_blank(columns))
    columns, n_headers = _drop_rows(columns, _find_headers(columns, header.names))
    columns, n_comments = _drop_rows(columns, _find_comments(columns[0]))
    columns, n_rules = _drop_rows(columns, _find_rule(columns))
    left_out.n_blank += n_blank
    left_out.n_headers += n_headers
    left_out.n_comments += n_comments
    left_out.n_rules += n_rules
    if not len(columns[0]):
        raise RequestError(f"{path}: the table has no rows below the names of its columns")
    if header.numbers_rows:
        _refuse_other_than_row_numbers(path, columns[0])
    return _drop_columns(header, columns, _describe_left_out(left_out))


def _drop_rows(columns: list[Any], is_dropped: Any | None) -> tuple[list[Any], int]:
    """Return columns without some rows, and how many these are; None for no row."""
    n_rows = 0 if is_dropped is None else pc.sum(is_dropped).as_py() or 0
    if not n_rows:
        return columns, 0
    is_kept = pc.invert(is_dropped)
    return [column.filter(is_kept) for column in columns], n_rows


def _find_blank(columns: Sequence[Any]) -> Any | None:
    """Return which rows have no value."""
    if any(column.null_count == 0 for column in columns):
        return None
    return reduce(pc.and_, [column.is_null() for column in columns])


def _find_headers(columns: Sequence[Any], names: Sequence[str]) -> Any | None:
    """Return which rows repeat the names of the columns, as they do where files were joined."""
    is_header = None
    if not all(pa.types.is_string(column.type) for column in columns):
        return None  # Numbers are no names.
    for column, name in zip(columns, names, strict=True):
        if not name:
            continue
        # Names in a comment (# temp,width) are repeated as a comment, and a file that is joined may begin with a mark.
        forms = [name, f"{COMMENT}{name}", f"{COMMENT} {name}", f"\ufeff{name}"] if column is columns[0] else [name]
        is_name = pc.is_in(column, value_set=pa.array(forms))
        is_header = is_name if is_header is None else pc.and_(is_header, is_name)
        if not pc.any(is_header).as_py():
            return None
    return is_header


def _find_comments(column: Any) -> Any | None:
    """Return which values of the first column begin with #, if all others are numbers."""
    if not pa.types.is_string(column.type):
        return None
    is_comment = pc.fill_null(pc.starts_with(column, COMMENT), False)
    if not pc.any(is_comment).as_py():
        return None
    others = column.filter(pc.invert(is_comment)).drop_null()
    try:
        others.cast(pa.float64())
    except pa.ArrowInvalid:
        return None
    return is_comment if len(others) else None


def _find_rule(columns: Sequence[Any]) -> Any | None:
    """Return the first row if it consists of dashes, as below names in Markdown."""
    first_row = [column[0].as_py() for column in columns if len(column) and column[0].is_valid]
    if not first_row or not all(isinstance(value, str) and re.fullmatch(_RULE, value) for value in first_row):
        return None
    if set(first_row) == {"-"}:
        return None  # These are missing values.
    is_rule = np.zeros(len(columns[0]), bool)
    is_rule[0] = True
    return pa.array(is_rule)


def _refuse_other_than_row_numbers(path: Path, column: Any) -> None:
    """Raise RequestError if the values of a column that the header does not know do not number the rows."""
    try:
        numbers = column.cast(pa.int64()).to_numpy()
    except pa.ArrowInvalid:
        numbers = np.zeros(0, np.int64)
    # Blank rows and repeated headers are gone: their numbers may be missing.
    if len(numbers) < len(column) or (np.diff(numbers) <= 0).any():
        raise RequestError(
            f"{path}: the rows have one value more than the first row has names, and the first values do not number "
            f"the rows; name each column in the first row"
        )


def _drop_columns(header: Header, columns: list[Any], notes: list[str]) -> CleanRows:
    """Leave out columns without name and values, and row numbers; call other columns without a name "Unnamed: 0"."""
    names = list(header.names)
    if header.numbers_rows:
        notes.append("The first value of each row numbers the row, and no name stands above it: it is left out.")
        names, columns = names[1:], columns[1:]
    is_empty = [not name and column.null_count == len(column) for name, column in zip(names, columns, strict=True)]
    new_names = [name or f"Unnamed: {position}" for position, name in enumerate(names)]
    unnamed_columns = [
        f"{position + 1} ({new_names[position]!r})"
        for position, name in enumerate(names)
        if not name and not is_empty[position]
    ]
    if unnamed_columns:
        notes.append(f"No name stands above column {join_names(unnamed_columns, max_names=6)}.")
    # In Markdown bars stand around each row, and outside them nothing.
    n_frame = sum(is_empty[:1] + is_empty[-1:]) if header.dialect.separator == "|" else 0
    if sum(is_empty) > n_frame:
        notes.append(f"Left out: {pluralize(sum(is_empty) - n_frame, 'empty column')} without a name.")
    positions = [position for position in range(len(names)) if not is_empty[position]]
    return CleanRows(
        [new_names[position] for position in positions], [columns[position] for position in positions], notes
    )


def _describe_left_out(left_out: LeftOutLines) -> list[str]:
    """Say how many lines are left out, and why; nothing on rules, which never are values."""
    reasons = [
        pluralize(left_out.n_blank, "empty row") if left_out.n_blank else "",
        f"{pluralize(left_out.n_headers, 'row')} with the names of the columns once more" if left_out.n_headers else "",
        f"{pluralize(left_out.n_comments, 'line')} that begin with #" if left_out.n_comments > 1 else "",
        "1 line that begins with #" if left_out.n_comments == 1 else "",
    ]
    known_reasons = [reason for reason in reasons if reason]
    return [f"Left out: {join_names(known_reasons)}."] if known_reasons else []
