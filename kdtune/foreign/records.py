"""Split delimited text into records, and tell rows of a table from what stands between them."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from kdtune.errors import RequestError

SPACE = " "
COMMENT = "#"
# A rule under a header or around a table, as in "|---|:--:|", "-----+-----" or "=====  =====".
_RULE = re.compile(r"[\s|+:=-]*(--|==)[\s|+:=-]*")
_NUMBER = re.compile(
    r"[+\-−]?(\d[\d., '\u00a0\u202f]*|[.,]\d+)(e[+-]?\d+)?\s*%?|[+-]?inf(inity)?|true|false", re.IGNORECASE
)


class Dialect(NamedTuple):
    """How a text separates and quotes values."""

    separator: str  # a space stands for any number of spaces and tabs
    quote: str


class Record(NamedTuple):
    """One row of a text, which has several lines if a quoted value has line breaks."""

    line: int  # where it begins; the first line of the file is 1
    lines: Sequence[str]
    fields: list[str]  # without blanks around them


def split_lines(text: str) -> list[str]:
    """Split a text into lines that keep their ends. Nothing but a line feed ends a line."""
    return list(io.StringIO(text, newline="\n"))


def iterate_records(path: Path, lines: Sequence[str], dialect: Dialect, first_line: int = 1) -> Iterator[Record]:
    """Yield the records of a text.

    Parameters
    ----------
    path : The file, for messages.
    lines : The lines of the text.
    dialect : How it separates values.
    first_line : Where these lines begin in the file.

    Raises
    ------
    RequestError
        If a value is too long for one: a quote was not closed.
    """
    separated_lines: Sequence[str] = lines
    if dialect.separator == SPACE:
        separated_lines = [line.expandtabs(1).strip() + "\n" for line in lines]
    reader = csv.reader(separated_lines, delimiter=dialect.separator, quotechar=dialect.quote, skipinitialspace=True)
    start = 0
    try:
        for fields in reader:
            yield Record(first_line + start, lines[start : reader.line_num], [field.strip() for field in fields])
            start = reader.line_num
    except csv.Error as error:
        raise RequestError(f"{path}:{first_line + start:,}: the row cannot be read: {error}") from None


def is_blank(text: str, separator: str, quote: str) -> bool:
    """Return whether a line holds nothing but separators, quotes and blanks."""
    return not text.strip(f"{separator}{quote} \t\r\n\ufeff\u00a0")


def is_comment(text: str) -> bool:
    """Return whether a line begins with #."""
    return text.lstrip().startswith(COMMENT)


def is_rule(text: str) -> bool:
    """Return whether a line is drawn under a header or around a table."""
    return bool(_RULE.fullmatch(text.strip()))


def is_number_like(field: str) -> bool:
    """Return whether a value is a number in any style, or a truth."""
    return bool(_NUMBER.fullmatch(field))


def find_swallowed_line(record: Record, dialect: Dialect, n_fields: int) -> int | None:
    """Return the line of a row that a quote swallowed which is not closed; None if there is none."""
    for number, line in enumerate(record.lines[1:], start=record.line + 1):
        fields = line.strip().split(dialect.separator)
        n_numbers = sum(is_number_like(field.strip()) for field in fields)
        if len(fields) == n_fields and dialect.quote not in line and n_numbers >= min(2, n_fields):
            return number
    return None
