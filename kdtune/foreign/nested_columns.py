"""Flatten columns of objects: a column ``config`` of {"T": 4} becomes ``config.T``, as pandas.json_normalize does."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd
import pyarrow as pa

from kdtune.foreign.plain_names import LabelledColumns, list_names, to_plain_name

_LEVELS = "."  # joins the names of values in values, as pandas.json_normalize and W&B do
_WANDB_VALUE = {"value", "desc"}  # how W&B stores one value of a configuration
# What Python writes into a dict that is no literal: np.float64(0.5), and numbers without digits.
_WRAPPER = re.compile(r"\b(?:np|numpy)\.\w+\(([^()]*)\)")
_NAN, _INFINITY = re.compile(r"(?<=[:\s,\[(])nan(?=\s*[,}\])])"), re.compile(r"(?<=[:\s,\[(-])inf(?=\s*[,}\])])")


def flatten_records(records: Sequence[Mapping[Any, Any]]) -> list[dict[str, Any]]:
    """Return records without objects in them: {"config": {"T": 4}} becomes {"config.T": 4}."""
    return [dict(_iterate_values(record)) for record in records]


def _iterate_values(record: Mapping[Any, Any]) -> Iterator[tuple[str, Any]]:
    for label, value in record.items():
        name = to_plain_name(label)
        if not isinstance(value, Mapping):
            yield name, value
        elif set(value) == _WANDB_VALUE:
            yield from _iterate_values({name: value["value"]})
        elif not value:
            yield name, None
        else:
            for inner_name, inner_value in _iterate_values(value):
                yield f"{name}{_LEVELS}{inner_name}", inner_value


def flatten_columns(table: LabelledColumns) -> LabelledColumns:
    """Replace each column of objects, or of texts that are objects, by a column for each of their values."""
    labels: list[Any] = []
    columns: list[Any] = []
    flat_names, examples = [], []
    for label, column in zip(table.labels, table.columns, strict=True):
        records = read_objects(column)
        if records is None:
            labels.append(label)
            columns.append(column)
            continue
        name = to_plain_name(label)
        flat = flatten_records([{name: record} for record in records])
        inner_names = list(dict.fromkeys(inner_name for record in flat for inner_name in record))
        inner_names = [inner for inner in inner_names if inner != name] or [name]
        labels += inner_names
        columns += [[record.get(inner_name) for record in flat] for inner_name in inner_names]
        flat_names.append(name)
        examples.append(inner_names[0])
    if not flat_names:
        return table
    note = f"{list_names(flat_names)}: each value of these objects is read as a column of its own, as {examples[0]}."
    return LabelledColumns(labels, columns, [*table.notes, note])


def read_objects(column: Any) -> list[Mapping[Any, Any] | None] | None:
    """Return the objects of a column, None where it has no value; None if it holds anything else, or nothing."""
    if isinstance(column, pd.Series):
        if isinstance(column.dtype, pd.ArrowDtype):
            column = pa.array(column)
        elif not (column.dtype == object or isinstance(column.dtype, pd.StringDtype)):
            return None
    if isinstance(column, (pa.Array, pa.ChunkedArray)):
        return _read_array(column)
    first_value = next((value for value in column if not _is_null(value)), None)
    if not _may_be_object(first_value):
        return None
    return _read_values(column)


def _read_array(array: Any) -> list[Mapping[Any, Any] | None] | None:
    if str(array.type) == "string_view":
        array = array.cast(pa.large_string())  # Arrow cannot select such texts.
    first_values = array.drop_null().slice(0, 1).to_pylist() if _has_objects(array.type) else []
    return _read_values(array.to_pylist()) if first_values and _may_be_object(first_values[0]) else None


def _has_objects(kind: Any) -> bool:
    return pa.types.is_struct(kind) or str(kind) in ("string", "large_string", "string_view")


def _read_values(values: Any) -> list[Mapping[Any, Any] | None] | None:
    records: list[Mapping[Any, Any] | None] = []
    for value in values:
        if _is_null(value):
            records.append(None)
            continue
        record = _parse(value) if isinstance(value, str) else value
        if not isinstance(record, Mapping):
            return None
        records.append(record)
    return records


def _is_null(value: Any) -> bool:
    if isinstance(value, (str, float)):
        return value == "" or value != value
    return value is None or value is pd.NA


def _may_be_object(value: Any) -> bool:
    if isinstance(value, str):
        text = value.strip()
        return text.startswith("{") and text.endswith("}")
    return isinstance(value, Mapping)


def _parse(text: str) -> Any:
    """Return the object that a text is in JSON, or in Python; None if it is none."""
    if not _may_be_object(text):
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        pass
    # Second, with what is no literal written as one: texts in the object might have such words, too.
    for literal in (text.strip(), _INFINITY.sub("1e999", _NAN.sub("None", _WRAPPER.sub(r"\1", text.strip())))):
        try:
            return ast.literal_eval(literal)
        except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
            continue
    return None
