"""Read tables from JSON: records, columns, what pandas writes, and JSON lines."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from kdtune.errors import RequestError
from kdtune.foreign.column_names import find_temperatures
from kdtune.foreign.file_kinds import refuse_kind
from kdtune.foreign.nested_columns import flatten_records
from kdtune.foreign.plain_tables import to_plain_table
from kdtune.text import join_names, pluralize

_FORMS = (
    'kdtune reads a list of records ([{"temp": 4, "num_error": 150}, ...]), one such record per line, and an object of '
    'columns ({"temp": [4, ...], "num_error": [150, ...]})'
)
_LEVELS = "."  # joins the names of values in values, as pandas.json_normalize and W&B do
_ROW_NUMBERS = "index"  # what pandas calls row numbers in orient="table"

_KINDS = {int: "numbers", float: "numbers", str: "texts", bool: "truths", list: "lists", dict: "objects"}
_SHOWN_NAMES = 4  # in a message

Record = Mapping[str, Any]


class JsonTable(NamedTuple):
    """A table that was read from JSON."""

    frame: pd.DataFrame  # plain columns with unique names
    notes: list[str]  # what was understood, each a sentence


class _Table(NamedTuple):
    content: Any  # columns or records, for plain_tables
    notes: list[str]


def is_json(text: str) -> bool:
    """Return whether a text begins as JSON of a table does."""
    return text.lstrip()[:1] in ("{", "[")


def read_json(path: Path, text: str) -> JsonTable:
    """Read a table from JSON, or JSON lines.

    Parameters
    ----------
    path : The file, for messages.
    text : Its content.

    Raises
    ------
    RequestError
        If it is damaged, or no table.
    """
    value = _parse(path, text)
    table = _find_table(path, value)
    plain = to_plain_table(table.content)
    if not len(plain.frame):
        raise RequestError(f"{path}: the table has no rows; {_FORMS}")
    return JsonTable(plain.frame, [*table.notes, *plain.notes])


def _parse(path: Path, text: str) -> Any:
    """Return what the JSON says; of JSON lines, a list."""
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        first_line = text.lstrip().split("\n", 1)[0]
        problem = error
    except ValueError as error:  # An integer has thousands of digits.
        raise RequestError(f"{path}: this JSON cannot be read: {error}") from None
    except RecursionError:
        raise RequestError(f"{path}: this JSON is no table: its values lie too deep in each other; {_FORMS}") from None
    try:
        json.loads(first_line)
    except json.JSONDecodeError:
        raise RequestError(
            f"{path}:{problem.lineno:,}: this is not valid JSON: {problem.msg} (column {problem.colno}); "
            f"write the file again; {_FORMS}"
        ) from None
    records = []
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            try:
                records.append(json.loads(line))
            except ValueError as error:
                reason = str(error)
                if isinstance(error, json.JSONDecodeError):  # else an integer has thousands of digits
                    reason = f"{error.msg} (column {error.colno})"
                raise RequestError(
                    f"{path}:{number:,}: the line is not valid JSON: {reason}; complete or remove it"
                ) from None
    return records


def _find_table(path: Path, value: Any) -> _Table:
    """Return the columns or records of a table in JSON, of whatever form it is."""
    if isinstance(value, list):
        return _read_list(path, value)
    if not isinstance(value, dict):
        raise _make_form_error(path, value)
    if "cells" in value and "nbformat" in value:
        refuse_kind(
            path, "a Jupyter notebook", "write the table in it to a file (frame.to_csv('table.csv')), and name that"
        )
    if isinstance(value.get("schema"), dict) and _is_records(value.get("data")):
        return _read_table_schema(value)
    if isinstance(value.get("columns"), list) and isinstance(value.get("data"), list):
        return _Table(_label_rows(path, value["columns"], value["data"]), [])
    if (
        value
        and all(isinstance(item, list) for item in value.values())
        and (not _has_records(value) or _has_columns_of_objects(value))
    ):
        return _read_columns(path, value)
    if value and all(isinstance(item, dict) for item in value.values()) and set.intersection(*map(set, value.values())):
        return _read_nested(path, value)
    record_lists = {name: item for name, item in value.items() if _is_records(item)}
    if len(record_lists) == 1:
        ((name, records),) = record_lists.items()
        others = [other for other in value if other != name]
        note = f'The table is the list "{name}" in the JSON.'
        if others:
            note += f" Not read: {join_names(others, max_names=8)}."
        return _Table(flatten_records(records), [note])
    if len(record_lists) > 1:
        raise RequestError(
            f"{path}: the JSON holds several tables ({join_names(list(record_lists))}); save one of them"
        )
    if any(isinstance(item, list) for item in value.values()):
        raise _make_form_error(path, value)
    records = flatten_records([value])
    if not find_temperatures(records[0]):  # One run may be logged so; what has no T is something else.
        raise _make_form_error(path, value)
    return _Table(records, [])


def _read_list(path: Path, items: list[Any]) -> _Table:
    if _is_records(items):
        return _Table(flatten_records(items), [])
    if len(items) > 1 and all(isinstance(item, list) for item in items) and all(isinstance(n, str) for n in items[0]):
        return _Table(_label_rows(path, items[0], items[1:]), ["The first list in the JSON names the columns."])
    raise _make_form_error(path, items)


def _read_table_schema(value: Record) -> _Table:
    """Read what pandas writes with orient="table"; its row numbers are left out."""
    records = value["data"]
    numbers = [record.get(_ROW_NUMBERS) for record in records]
    if value["schema"].get("primaryKey") == [_ROW_NUMBERS] and numbers == list(range(len(records))):
        records = [{name: item for name, item in record.items() if name != _ROW_NUMBERS} for record in records]
    return _Table(flatten_records(records), [])


def _read_columns(path: Path, columns: Mapping[str, list[Any]]) -> _Table:
    lengths = {name: len(items) for name, items in columns.items()}
    if len(set(lengths.values())) > 1:
        examples = join_names([f"{name} has {length:,}" for name, length in lengths.items()], max_names=4)
        raise RequestError(f"{path}: the columns in the JSON have different numbers of values: {examples}")
    return _Table(columns, [])


def _read_nested(path: Path, value: Mapping[str, Mapping[str, Any]]) -> _Table:
    """Read an object of objects: columns of numbered rows, as pandas writes them, or rows by a name."""
    inner_names = [list(item) for item in value.values()]
    has_numbered_rows = all(names == inner_names[0] for names in inner_names) and all(map(str.isdigit, inner_names[0]))
    if has_numbered_rows and not all(map(str.isdigit, value)):
        return _Table({name: list(item.values()) for name, item in value.items()}, [])
    if has_numbered_rows:
        raise RequestError(f"{path}: the columns of the table in the JSON have no names; {_FORMS}")
    if all(map(str.isdigit, value)):
        return _Table(flatten_records(list(value.values())), [])
    key = "key" if not any("key" in names for names in inner_names) else "key of the row"
    note = f"Each object in the JSON is a row, and its name the value of the column {key}, as in {next(iter(value))!r}."
    return _Table(flatten_records([{key: name, **item} for name, item in value.items()]), [note])


def _label_rows(path: Path, names: Sequence[Any], rows: Sequence[Any]) -> list[dict[str, Any]]:
    """Return rows of values as records."""
    for number, row in enumerate(rows, start=1):
        if not isinstance(row, list) or len(row) != len(names):
            raise RequestError(f"{path}: row {number:,} in the JSON does not have {pluralize(len(names), 'value')}")
    labels = [_LEVELS.join(map(str, name)) if isinstance(name, list) else str(name) for name in names]
    if len(set(labels)) < len(labels):
        raise RequestError(f"{path}: two columns in the JSON have one name; rename one of them")
    return [dict(zip(labels, row, strict=True)) for row in rows]


def _is_records(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(item, dict) for item in value)


def _has_records(value: Record) -> bool:
    return any(_is_records(item) for item in value.values())


def _has_columns_of_objects(columns: Mapping[str, list[Any]]) -> bool:
    """Return whether lists of objects are columns of one table: of one length, and with different names in them."""
    names = [{name for record in items for name in record} for items in columns.values() if _is_records(items)]
    has_one_length = len({len(items) for items in columns.values()}) == 1
    return len(columns) > 1 and has_one_length and len(set().union(*names)) == sum(map(len, names))


def _make_form_error(path: Path, value: Any) -> RequestError:
    return RequestError(f"{path}: this JSON is no table, but {_describe_form(value)}; {_FORMS}")


def _describe_form(value: Any) -> str:
    """Say what a value is that is no table, as in "a list of numbers" and "a single object (a, b)"."""
    if value in ({}, []):
        return f"an empty {'list' if isinstance(value, list) else 'object'}"
    if isinstance(value, dict):
        return f"a single object ({join_names(list(value), max_names=_SHOWN_NAMES)})"
    if not isinstance(value, list):
        return "a single value"
    kinds = {_KINDS.get(type(item), "null") for item in value}
    return f"a list of {kinds.pop() if len(kinds) == 1 else 'different values'}"
