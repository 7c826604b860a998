"""List the columns of a table of any common library, as pandas or Arrow have them."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.interchange

from kdtune.errors import RequestError
from kdtune.foreign.plain_names import LabelledColumns, list_index_levels, list_names, to_plain_name

# Polars alone has columns of Python objects and integers of 128 bits, which pyarrow cannot read.
_POLARS_ONLY_TYPES = ("Object", "Int128", "UInt128")


def is_polars(source: Any) -> bool:
    """Return whether something is a DataFrame or LazyFrame of polars."""
    kind = type(source)
    return kind.__module__.startswith("polars.") and kind.__name__ in ("DataFrame", "LazyFrame")


def is_rows(source: Any) -> bool:
    """Return whether something is a list of mappings: one per row."""
    return isinstance(source, (list, tuple)) and all(isinstance(row, Mapping) for row in source)


def list_columns(source: Any) -> LabelledColumns:
    """Return the columns of a table, of whatever library it is.

    Raises
    ------
    RequestError
        If the table's own library cannot read it, or columns have different lengths.
    """
    if isinstance(source, pd.DataFrame):
        levels = list_index_levels(source)
        columns = [source.iloc[:, number] for number in range(source.shape[1])]
        return LabelledColumns([*levels.labels, *source.columns], [*levels.columns, *columns], levels.notes)
    if isinstance(source, Mapping):
        return _list_mapping_columns(source)
    if is_rows(source):
        return _list_row_columns(source)
    try:
        return _list_polars_columns(source) if is_polars(source) else _list_arrow_columns(source)
    except Exception as error:  # Each library raises errors of its own.
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise RequestError(f"the table (a {type(source).__name__}) cannot be read: {reason}") from error


def _list_mapping_columns(mapping: Mapping[Any, Any]) -> LabelledColumns:
    """Return columns of any kind of values; one value stands for a column that has it in every row."""
    if any(isinstance(values, (pd.Series, Mapping)) for values in mapping.values()):
        return list_columns(_build_frame(mapping))  # Such columns have labels of rows, by which pandas matches them.
    lengths = {label: len(values) for label, values in mapping.items() if _is_list(values)}
    if len(set(lengths.values())) > 1 or (mapping and not lengths):
        examples = [f"{to_plain_name(label)} has {length:,}" for label, length in lengths.items()]
        problem = f"{list_names(examples)}" if examples else "none of them is a list"
        raise RequestError(f"a dict is a table if its values are lists of one length: {problem}")
    n_rows = next(iter(lengths.values()), 0)
    columns = [_to_column(values) if _is_list(values) else [values] * n_rows for values in mapping.values()]
    return LabelledColumns(list(mapping), columns, [])


def _build_frame(mapping: Mapping[Any, Any]) -> pd.DataFrame:
    try:
        return pd.DataFrame(dict(mapping))
    except (TypeError, ValueError) as error:
        raise RequestError(f"the dict is no table: {error}") from None


def _is_list(values: Any) -> bool:
    """Return whether something is a sequence of values, such as a list, an array or a tensor, and not one value."""
    is_sequence = pd.api.types.is_list_like(values, allow_sets=False) and hasattr(values, "__len__")
    return is_sequence and getattr(values, "ndim", 1) > 0


def _to_column(values: Any) -> pd.Series | list[Any]:
    if isinstance(values, (pd.Index, pd.api.extensions.ExtensionArray)):
        return pd.Series(values)
    return pd.Series(values) if isinstance(values, np.ndarray) and values.ndim == 1 else list(values)


def _list_row_columns(rows: Sequence[Mapping[Any, Any]]) -> LabelledColumns:
    labels = list(dict.fromkeys(label for row in rows for label in row))
    # pandas itself reads integers beside nulls as floats.
    columns = [[row.get(label) for row in rows] for label in labels]
    return LabelledColumns(labels, columns, [])


def _list_polars_columns(frame: Any) -> LabelledColumns:
    if hasattr(frame, "collect"):
        frame = frame.collect()
    columns = []
    for column in frame.get_columns():
        is_polars_only = any(name in str(column.dtype) for name in _POLARS_ONLY_TYPES)
        columns.append(column.to_list() if is_polars_only else column.to_arrow())
    return LabelledColumns(list(frame.columns), columns, [])


def _list_arrow_columns(source: Any) -> LabelledColumns:
    table = _to_arrow_table(source)
    # Under such names pandas stores an index without a name.
    numbers = [number for number, name in enumerate(table.column_names) if not name.startswith("__index_level_")]
    return LabelledColumns([table.column_names[i] for i in numbers], [table.column(i) for i in numbers], [])


def _to_arrow_table(source: Any) -> Any:
    if isinstance(source, pa.Table):
        return source
    if hasattr(source, "__arrow_c_stream__") or hasattr(source, "__arrow_c_array__"):
        return pa.table(source)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Their own libraries advise against these, and some tables have nothing else.
        for method in ("to_arrow_table", "fetch_arrow_table"):  # of DuckDB
            if hasattr(source, method):
                return getattr(source, method)()
        return pyarrow.interchange.from_dataframe(source)
