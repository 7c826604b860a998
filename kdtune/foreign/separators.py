"""Find the separator of a text file from its first lines."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from kdtune.errors import RequestError
from kdtune.foreign.headers import Header, find_header
from kdtune.foreign.records import SPACE, Dialect, is_number_like, iterate_records, split_lines

SEPARATOR_NAMES = {",": "a comma", ";": "a semicolon (;)", "\t": "a tab", "|": "a bar (|)", SPACE: "one or more spaces"}
_DECLARATION = re.compile(r'"?sep=(.|\\t)"?', re.IGNORECASE)  # the first line of a file for Excel
_HINTS = {".tsv": "\t", ".tab": "\t", ".csv": ","}
_LEAST_AGREEMENT = 0.5  # the share of rows that must have as many values as the header names


def find_layout(path: Path, head: str) -> Header:
    """Return the separator, the names of the columns and where the rows begin.

    ``csv.Sniffer`` errs on values with spaces, few columns and decimal commas. Here each separator is tried, and that
    one is taken with which most rows have as many values as the header has names.

    Parameters
    ----------
    path : The file: its name is a hint where several separators are as good.
    head : The first lines of the text, each complete.

    Raises
    ------
    RequestError
        If no separator makes a table of the text.
    """
    lines = split_lines(head)
    declaration = _DECLARATION.fullmatch(lines[0].strip()) if lines else None
    n_skipped = 0
    separators = [separator for separator in SEPARATOR_NAMES if separator in head]
    if declaration:
        separators = [declaration[1].replace("\\t", "\t")]
        n_skipped = 1
    headers = []
    for separator in separators:
        quote = _find_quote(lines[n_skipped:], separator)
        header = _try_separator(path, lines[n_skipped:], Dialect(separator, quote), n_skipped + 1)
        if header is not None:
            headers.append(header)
    hint = next((_HINTS[suffix.lower()] for suffix in path.suffixes if suffix.lower() in _HINTS), "")
    header = max(headers, key=lambda candidate: _rate_separator(candidate, hint), default=None)
    is_table = header is not None and header.agreement >= _LEAST_AGREEMENT
    # Sentences hold spaces and commas, too. Elsewhere the first row that is wrong is named later.
    if header is None or (not is_table and (header.titles or header.dialect.separator == SPACE)):
        raise RequestError(
            f"{path}: this is not a table: with no separator (comma, semicolon, tab, bar, spaces) its rows have two or "
            f"more values, and as many as the first row; save the table as CSV, with one row per network and the names "
            f"of the columns first"
        )
    return header


def _name(separator: str) -> str:
    return SEPARATOR_NAMES.get(separator, repr(separator))


def describe_separator(separator: str) -> list[str]:
    """Return a sentence on the separator; none on commas."""
    return [] if separator == "," else [f"The separator is {_name(separator)}."]


def _find_quote(lines: Sequence[str], separator: str) -> str:
    """Return the quote: a double one, or a single one if it stands around each name of the first row."""
    names = [name.strip() for name in lines[0].split(separator)] if lines else []
    is_single = all(len(name) > 1 and name[0] == name[-1] == "'" for name in names)
    return "'" if names and is_single else '"'


def _try_separator(path: Path, lines: Sequence[str], dialect: Dialect, first_line: int) -> Header | None:
    """Return the header that a text has with a separator; None if it separates nothing."""
    try:
        records = list(iterate_records(path, lines, dialect, first_line))
    except RequestError:
        return None  # With this separator a quote stays open.
    header = find_header(records, dialect)
    return None if header is not None and dialect.separator == SPACE and not header.rows else header


def _rate_separator(header: Header, hint: str) -> tuple[float, ...]:
    """Return how good a separator is: the larger the better, the first number counts most."""
    separator = header.dialect.separator
    return (
        header.agreement >= _LEAST_AGREEMENT,
        not any(is_number_like(name) for name in header.names),
        separator != SPACE,
        -len(header.titles),
        header.agreement,
        separator == hint,
        len(header.names),
    )
