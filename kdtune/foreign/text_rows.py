"""Read the rows of a text: fast where all are alike, one by one where some are not."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from kdtune.columns import ID, TEACHER_ID
from kdtune.errors import RequestError
from kdtune.foreign.headers import Header
from kdtune.foreign.records import (
    SPACE,
    find_swallowed_line,
    is_blank,
    is_comment,
    is_rule,
    iterate_records,
    split_lines,
)
from kdtune.foreign.text_columns import find_plain_type
from kdtune.number_styles import NULL_WORDS
from kdtune.text import pluralize


@dataclass
class LeftOutLines:
    """The numbers of lines that are no rows: empty ones, comments, rules, and names of columns once more."""

    n_blank: int = 0
    n_comments: int = 0
    n_rules: int = 0
    n_headers: int = 0

    def count(self, line: str, separator: str, quote: str) -> bool:
        """Count a line that is no row; return whether it is none."""
        if is_blank(line, separator, quote):
            self.n_blank += 1
        elif is_comment(line):
            self.n_comments += 1
        elif is_rule(line):
            self.n_rules += 1
        else:
            return False
        return True


class Rows(NamedTuple):
    """The rows of a text."""

    columns: list[Any]  # chunked arrays of Arrow: text without blanks around it, or numbers; null for no value
    left_out: LeftOutLines


def read_rows(path: Path, content: bytes, start: int, header: Header, is_large: bool = False) -> Rows:
    """Read the rows of a text.

    Parameters
    ----------
    path : The file, for messages.
    content : The text in UTF-8.
    start : Where the rows begin.
    header : The names of the columns, and how values are separated.
    is_large : Whether to save time: columns whose first thousand values are plain numbers are read as numbers. A code
        such as "007" further down is then a number, too.

    Raises
    ------
    RequestError
        If a row has too many or too few values, or a quote is not closed.
    """
    text_types = [pa.string()] * len(header.names)
    types = _find_types(header) if is_large else text_types
    rows = _read_regular_rows(content, start, header, types)
    if rows is None and types != text_types:
        rows = _read_regular_rows(content, start, header, text_types)
    return rows or _read_records(path, content[start:], header)


def _find_types(header: Header) -> list[Any]:
    """Return the types of the columns by the first rows; ids stay text, as they are matched with each other."""
    values = [
        [None if field in NULL_WORDS else field for field in fields]
        for fields in zip(*(row.fields for row in header.rows if len(row.fields) == len(header.names)), strict=True)
    ]
    if not values:
        return [pa.string()] * len(header.names)
    pairs = zip(header.names, values, strict=True)
    return [pa.string() if name in (ID, TEACHER_ID) else find_plain_type(column) for name, column in pairs]


def _read_regular_rows(content: bytes, start: int, header: Header, types: Sequence[Any]) -> Rows | None:
    """Read rows by Arrow; None if a row needs a closer look."""
    separator, quote = header.dialect
    has_quotes = content.find(quote.encode(), start) >= 0
    # Arrow knows neither a quote after blanks nor separators of several blanks.
    if has_quotes and _has_padded_quotes(content, separator, quote):
        return None
    if separator == SPACE and any(blanks in content for blanks in (b"  ", b"\t", b"\n ", b" \n", b" \r")):
        return None
    left_out = LeftOutLines()

    def judge_row(row: Any) -> str:
        return "skip" if left_out.count(row.text, separator, quote) else "error"

    names = [str(number) for number in range(len(header.names))]
    try:
        table = pa.csv.read_csv(
            pa.BufferReader(pa.py_buffer(content).slice(start)),
            pa.csv.ReadOptions(column_names=names),
            pa.csv.ParseOptions(
                delimiter=separator,
                quote_char=quote,
                newlines_in_values=has_quotes,
                ignore_empty_lines=False,
                invalid_row_handler=judge_row,
            ),
            pa.csv.ConvertOptions(
                column_types=dict(zip(names, types, strict=True)),
                check_utf8=False,  # Decoding the file has checked it.
                null_values=NULL_WORDS,
                strings_can_be_null=True,
            ),
        )
    except pa.ArrowInvalid:
        return None
    columns = table.columns
    if has_quotes and any(pc.any(pc.match_substring(column, "\n")).as_py() for column in columns if _is_text(column)):
        return None
    # Characters beyond ASCII may be blanks, too.
    if b" " in content or b"\t" in content or not content.isascii():
        columns = [_trim(column) if _is_text(column) else column for column in columns]
    return Rows(columns, left_out)


def _has_padded_quotes(content: bytes, separator: str, quote: str) -> bool:
    """Return whether blanks stand between a separator and a quote."""
    if f" {quote}".encode() not in content:
        return False
    return re.search(rf"(?:^|{re.escape(separator)}) +{quote}".encode(), content, re.MULTILINE) is not None


def _is_text(column: Any) -> bool:
    return bool(pa.types.is_string(column.type))


def _trim(column: Any) -> Any:
    """Return a column without blanks around its values; words for null become null."""
    trimmed = pc.utf8_trim_whitespace(column)
    is_null = pc.is_in(trimmed, value_set=pa.array(NULL_WORDS))
    return pc.if_else(is_null, None, trimmed) if pc.any(is_null).as_py() else trimmed


def _read_records(path: Path, content: bytes, header: Header) -> Rows:
    """Read rows one by one.

    Raises
    ------
    RequestError
        If a row has too many or too few values, or a quote is not closed.
    """
    n_names = len(header.names)
    left_out = LeftOutLines()
    rows = []
    for record in iterate_records(path, split_lines(content.decode()), header.dialect, header.n_lines + 1):
        fields = record.fields
        while len(fields) > n_names and not fields[-1]:
            fields.pop()
        if len(record.lines) > 1:
            _refuse_open_quote(path, record.line, find_swallowed_line(record, header.dialect, n_names))
        if len(fields) == n_names:
            rows.append([None if field in NULL_WORDS else field for field in fields])
        elif not left_out.count("".join(record.lines), *header.dialect):
            raise _make_length_error(path, record.line, fields, header)
    columns: Sequence[Sequence[str | None]] = list(zip(*rows, strict=True)) or [()] * n_names
    return Rows([pa.chunked_array([pa.array(column, pa.string())]) for column in columns], left_out)


def _refuse_open_quote(path: Path, line: int, swallowed_line: int | None) -> None:
    """Raise RequestError if a quoted value of several lines holds a line that looks like a row."""
    if swallowed_line is not None:
        raise RequestError(
            f"{path}:{line:,}: a quote opens in this row and is not closed before line {swallowed_line:,}, which looks "
            f"like another row; remove the quote, or close it"
        )


def _make_length_error(path: Path, line: int, fields: Sequence[str], header: Header) -> RequestError:
    """Return the error for a row that has another number of values than the header has names."""
    count = pluralize(len(fields), "value")
    problem = f"{path}:{line:,}: the row has {count}, but the first row names {pluralize(len(header.names), 'column')}"
    if len(fields) < len(header.names):
        return RequestError(f"{problem}; complete it (leave the place of a missing value empty), or remove it")
    return RequestError(
        f"{problem}; the first row must name all columns (remove what stands above it), and a value that holds the "
        f"separator, as a decimal comma does, needs double quotes"
    )
