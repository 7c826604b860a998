"""Convert a table of any common library to plain columns: text, integers, floats, truths and nulls."""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike
from typing import Any, NamedTuple

import pandas as pd

from kdtune.columns import COLUMN_TYPES, ID, LATER_COLUMNS, TEACHER_ID
from kdtune.errors import RequestError
from kdtune.foreign.nested_columns import flatten_columns, read_objects
from kdtune.foreign.plain_arrays import BLANK_TEXTS, PlainColumn
from kdtune.foreign.plain_columns import to_plain_column
from kdtune.foreign.plain_names import LabelledColumns, list_names, list_plain_names, name_columns
from kdtune.foreign.plain_sources import is_polars, is_rows, list_columns
from kdtune.text import describe_type

# What libraries offer to let others read their tables; the last ones are those of a DuckDB connection after a query.
_PROTOCOLS = ("__arrow_c_stream__", "__arrow_c_array__", "__dataframe__", "to_arrow_table", "fetch_arrow_table")
# Ids are matched with each other: one column of them must not become numbers while another one stays text.
_ID_COLUMNS = {ID, TEACHER_ID}


class PlainTable(NamedTuple):
    """A table of plain columns."""

    frame: pd.DataFrame  # unique text names, the index 0, 1, 2, ...
    notes: list[str]  # what was changed that a user must know, each a sentence


def is_table(source: Any) -> bool:
    """Return whether something is a table of some library, and not the path of one."""
    if isinstance(source, (str, bytes, PathLike, type)):
        return False
    has_protocol = any(hasattr(source, name) for name in _PROTOCOLS) and not _is_one_column(source)
    return isinstance(source, (pd.DataFrame, Mapping)) or is_polars(source) or is_rows(source) or has_protocol


def to_plain_table(source: Any) -> PlainTable:
    """Return a table with plain columns, as ``plain_columns.to_plain_column`` describes them.

    The source is not modified; of what can be read only once, such as a stream of Arrow, nothing is left.

    Parameters
    ----------
    source : A table of pandas, polars, Arrow or DuckDB, or of any library with the Arrow PyCapsule interface or the
        dataframe interchange protocol; a mapping of names to columns; or a list of mappings of names to values.

    Raises
    ------
    RequestError
        If it is none of these, or a column cannot be read.
    """
    if not is_table(source):
        raise make_kind_error(source)
    return _read_columns(list_columns(source))


def flatten_texts(frame: pd.DataFrame) -> PlainTable:
    """Return a plain table whose columns of texts that are objects, as ``{"T": 4}``, are flattened."""
    if all(read_objects(frame[name]) is None for name in frame.columns):
        return PlainTable(frame, [])
    return _read_columns(LabelledColumns(list(frame.columns), [frame[name] for name in frame.columns], []))


def _read_columns(table: LabelledColumns) -> PlainTable:
    """Return plain columns with unique names; those of objects are flattened."""
    labels, columns, notes = flatten_columns(table)
    names = list_plain_names(labels)
    # In the table of a sweep the types are right: there a shift of the biases of class "3" is text.
    is_sweep = set(COLUMN_TYPES) - set(LATER_COLUMNS) <= set(names)
    text_names = set(names) if is_sweep else _ID_COLUMNS
    plain_columns = [
        _read_column(name, column, name in text_names) for name, column in zip(names, columns, strict=True)
    ]
    named_columns = name_columns(labels, [column.values for column in plain_columns])
    names_by_change: dict[str, list[str]] = {}
    for name, column in zip(names, plain_columns, strict=True):
        for change in column.changes:
            names_by_change.setdefault(change, []).append(name)
    if is_sweep:
        # A network without hidden layers has a blank there, and arguments that are lists are written as JSON.
        notes = []
        names_by_change.get(BLANK_TEXTS, []).clear()
    notes = [*notes, *named_columns.notes]
    notes += [f"{list_names(names)}: {change}." for change, names in names_by_change.items() if names]
    return PlainTable(pd.DataFrame(named_columns.columns), notes)


def _read_column(name: str, column: Any, keeps_text: bool) -> PlainColumn:
    """Return a plain column; raise RequestError, naming the column, if its values cannot be read."""
    try:
        return to_plain_column(column, keeps_text)
    except Exception as error:  # Values of foreign types raise errors of their own.
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise RequestError(
            f"{name}: its values cannot be read: {reason}; convert the column to text or numbers, or leave it out"
        ) from error


def _is_one_column(source: Any) -> bool:
    return hasattr(source, "to_frame")


def make_kind_error(source: Any) -> RequestError:
    """Return the error for something that is neither a path nor a table; it names the type, and what would be right."""
    remedy = ""
    if _is_one_column(source):
        remedy = "; a single column becomes a table with .to_frame()"
    elif hasattr(source, "__array__"):
        remedy = "; an array becomes a table with pandas.DataFrame(array, columns=[...])"
    return RequestError(
        f"results: must be a path, as in results='results/fakeset', or a table: a pandas or polars DataFrame, an "
        f"Arrow table, a DuckDB relation, any other object with __arrow_c_stream__ or __dataframe__, a dict of "
        f"columns, or a list of rows, each a dict; not of type {describe_type(source)}{remedy}"
    )
