"""Find the row that names the columns, among titles, comments and rules."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from kdtune.errors import RequestError
from kdtune.foreign.column_names import find_temperatures
from kdtune.foreign.measure_names import is_measure_name
from kdtune.foreign.records import COMMENT, Dialect, Record, is_comment, is_number_like, is_rule, iterate_records
from kdtune.number_styles import NULL_WORDS, is_null_among_numbers
from kdtune.text import join_names, shorten

_MAX_TITLES = 30  # lines above a header
_MAX_NAMES = 6  # in a message
MAX_COLUMNS = 20_000  # Each takes 8 kB while it is read, however few its rows are.
_MAX_TITLE = 60  # characters


class Header(NamedTuple):
    """The names of the columns, and where they stand."""

    dialect: Dialect
    names: list[str]  # one for each value of a row; empty if the column has none
    line: int  # where the names stand; the first line of the file is 1
    n_lines: int  # how many lines of the text are above the first row
    titles: list[str]  # lines above the names, which are left out
    n_comments: int  # lines above the first row that begin with #, without the names
    agreement: float  # the share of rows that have as many values as there are names
    rows: Sequence[Record]  # the first rows
    numbers_rows: bool = False  # whether each row begins with its number, for which the header has no name


def find_header(records: Sequence[Record], dialect: Dialect) -> Header | None:
    """Return the names of the columns; None if rows have one value only.

    The names stand in the first row with two values, or in a comment above rows without names, as NumPy writes them.

    Parameters
    ----------
    records : The first records of a text.
    dialect : How they were separated.
    """
    comments: list[Record] = []
    contents: list[Record] = []
    for record in records:
        if not any(record.fields) or is_rule(record.lines[0]):
            continue
        if is_comment(record.lines[0]) and not contents:
            comments.append(record)
        elif not is_comment(record.lines[0]):
            contents.append(record)
    comment_header = _find_names_in_comment(comments, contents, dialect)
    if comment_header is not None:
        return comment_header
    titles: list[str] = []
    while contents and len(titles) < _MAX_TITLES and _is_title(contents):
        titles.append(", ".join(field for field in contents.pop(0).fields if field))
    if not contents or len(contents[0].fields) < 2:
        return None
    return _make_header(dialect, contents[0].fields, contents[0], contents[1:], titles, len(comments))


def _is_title(contents: Sequence[Record]) -> bool:
    """Return whether the first row is a title: one value, or a few that a comma in it separates above true names."""
    fields = contents[0].fields
    if sum(map(bool, fields)) < 2:
        return True
    if sum(map(bool, fields)) > len(fields) / 2 or any(map(is_number_like, fields)):
        return False
    for record in contents[1:_MAX_TITLES]:
        if all(record.fields) and find_temperatures(record.fields):
            return any(map(is_measure_name, record.fields))
    return False


def _find_names_in_comment(comments: Sequence[Record], contents: Sequence[Record], dialect: Dialect) -> Header | None:
    """Return the header that is the last comment above rows that begin without names."""
    if not comments or not contents or not any(map(is_number_like, contents[0].fields)):
        return None
    text = comments[-1].lines[0].lstrip().lstrip(COMMENT)
    names = next(iter(iterate_records(Path(), [text], dialect)), None)
    if names is None or not 1 < len(names.fields) == len(contents[0].fields) or any(map(is_number_like, names.fields)):
        return None
    return _make_header(dialect, names.fields, comments[-1], contents, [], len(comments) - 1)


def _make_header(
    dialect: Dialect, names: list[str], record: Record, rows: Sequence[Record], titles: list[str], n_comments: int
) -> Header:
    """Return the header with as many names as the rows have values."""
    names = [name.strip("\ufeff\u200b \t") for name in names]
    numbers_rows = False
    sizes = Counter(len(row.fields) for row in rows)
    size = sizes.most_common(1)[0][0] if sizes else len(names)
    long_rows = [row for row in rows if len(row.fields) == size]
    if size == len(names) + 1 and not any(row.fields[-1] for row in long_rows):
        names = [*names, ""]  # Each row ends with a separator.
    elif size == len(names) + 1 and _is_row_numbering([row.fields[0] for row in long_rows]):
        names = ["", *names]  # R and pandas.DataFrame.to_string write row numbers, and no name for them.
        numbers_rows = True
    elif size == len(names) - 1 and not names[-1]:
        names = names[:-1]  # Only the header ends with a separator.
    n_agreeing = sum(_count_values(row.fields, len(names)) == len(names) for row in rows)
    n_lines = record.line + len(record.lines) - 1
    agreement = n_agreeing / len(rows) if rows else 1.0
    return Header(dialect, names, record.line, n_lines, titles, n_comments, agreement, rows, numbers_rows)


def _is_row_numbering(fields: Sequence[str]) -> bool:
    """Return whether values are 0, 1, 2, ... or 1, 2, 3, ..."""
    return any(fields == [str(number) for number in range(first, first + len(fields))] for first in (0, 1))


def _count_values(fields: Sequence[str], n_names: int) -> int:
    """Return how many values a row has; empty ones at its end do not count if they are more than the names."""
    n_values = len(fields)
    while n_values > n_names and not fields[n_values - 1]:
        n_values -= 1
    return n_values


def check_header(path: Path, header: Header) -> None:
    """Raise RequestError if columns are too many, no rows follow, or the first row is no names or a second one is.

    Parameters
    ----------
    path : The file, for messages.
    header : The names of the columns, with the first rows.
    """
    location = f"{path}:{header.line:,}"
    if len(header.names) > MAX_COLUMNS:
        raise RequestError(
            f"{location}: the first row names {len(header.names):,} columns, and a table of networks has a few hundred "
            f"at most ({MAX_COLUMNS:,} are accepted); remove the separators at its end, or columns that are no settings"
        )
    if not header.rows:
        names = join_names([shorten(name) for name in header.names if name], max_names=_MAX_NAMES)
        raise RequestError(f"{location}: the table has no rows below the names of its columns ({names})")
    first_row = header.rows[0].fields
    is_number = [is_number_like(name) for name in header.names]
    is_like_row = any(is_number) and is_number == [is_number_like(value) for value in first_row]
    if is_like_row or all(is_number_like(name) for name in header.names if name):
        raise RequestError(
            f"{location}: the first row must name the columns, but it holds numbers; write the names of the columns "
            f"above it, with the same separator"
        )
    if len(header.rows) < 2 or first_row == header.names or any(map(is_number_like, first_row)):
        return
    texts = [
        value
        for value, next_value in zip(first_row, header.rows[1].fields, strict=False)
        if value not in NULL_WORDS and not is_null_among_numbers(value) and is_number_like(next_value)
    ]
    if len(texts) >= 2:
        raise RequestError(
            f"{path}:{header.rows[0].line:,}: the row below the names of the columns has no numbers, but {texts[0]!r} "
            f"and {texts[1]!r} where the next row has some, as a second row of names or units does; leave one row "
            f"that names the columns"
        )


def describe_titles(header: Header) -> list[str]:
    """Say which lines above the names of the columns are left out."""
    if not header.titles:
        return []
    titles = join_names([f"{title[:_MAX_TITLE]!r}" for title in header.titles if title], max_names=_MAX_NAMES)
    return [f"Left out above the names of the columns: {titles}."]
