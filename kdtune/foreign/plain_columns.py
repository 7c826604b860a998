"""Convert a column of pandas, of whatever type, to a plain one: text, integers, floats, truths or nulls."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from kdtune.foreign.plain_arrays import DURATIONS, LONG_INTEGERS, PlainColumn, may_have_blanks, to_plain_array
from kdtune.foreign.plain_values import PlainValue, to_plain_text, to_plain_value

MIXED_VALUES = "values of several kinds (text, numbers, truths) are all read as text"
STRIPPED_TEXTS = "blanks around texts are left out"

_TEXT_TYPES = {"string", "large_string", "string_view"}
_PLAIN_DTYPES = (np.dtype("bool"), np.dtype("int64"), np.dtype("float64"))
# Values of these types are plain already, except that NaN and pandas' NA stand for null.
_PLAIN_TYPES = {str, int, float, bool, type(None), type(pd.NA)}
_DURATION_TYPES = (timedelta, np.timedelta64, pa.MonthDayNano)


def to_plain_column(column: Any, keeps_text: bool = False) -> PlainColumn:
    """Return a column with values of a plain type and the index 0, 1, 2, ..., and what a user must know about it.

    Text has the type that pandas gives to text (``str``, before pandas 3 ``object``), and integers beside nulls are
    ``Int64``: as in the tables of sweeps. Truths beside nulls are objects (True, False, None), as Arrow gives them to
    pandas and the tables of sweeps have them too: of pandas' ``boolean`` a comparison may be NA, which is no truth.

    Parameters
    ----------
    column : A ``pandas.Series``, an array of Arrow, chunked or not, or a list. It is not modified.
    keeps_text : Whether texts stay texts if all of them are numbers.
    """
    if isinstance(column, list):
        return _convert_objects(column, keeps_text)
    if not isinstance(column, pd.Series):
        return _convert_array(column, keeps_text)
    column = column.reset_index(drop=True)
    dtype = column.dtype
    if dtype in _PLAIN_DTYPES:
        return PlainColumn(column, [])
    if isinstance(dtype, pd.CategoricalDtype):
        return _convert_categories(column, keeps_text)
    if isinstance(dtype, pd.SparseDtype):
        return to_plain_column(pd.Series(np.asarray(column)), keeps_text)
    if isinstance(dtype, np.dtype) and dtype.kind in "iuf":
        # Arrow knows neither floats of more than 64 bits nor numbers in the other byte order.
        column = column.astype(np.float64 if dtype.itemsize > 8 else dtype.newbyteorder("="))
    if isinstance(dtype, (pd.StringDtype, pd.ArrowDtype)) or dtype.kind in "iufbmM":
        return _convert_array(pa.array(column), keeps_text)
    return _convert_objects(column.tolist(), keeps_text)


def _convert_array(array: Any, keeps_text: bool) -> PlainColumn:
    """Convert an array of Arrow; values of types that Arrow itself cannot make plain are converted one by one."""
    if not isinstance(array, pa.ChunkedArray):
        array = pa.chunked_array([array])
    if pa.types.is_dictionary(array.type):
        chunks = [chunk.dictionary_decode() for chunk in array.chunks]
        return _convert_array(pa.chunked_array(chunks, array.type.value_type), keeps_text)
    if pa.types.is_run_end_encoded(array.type):
        return _convert_array(pc.run_end_decode(array), keeps_text)
    if str(array.type) in _TEXT_TYPES:
        return _strip_texts(array, keeps_text)
    plain_column = to_plain_array(array, keeps_text)
    if plain_column is not None:
        return plain_column
    if isinstance(array.type, pa.BaseExtensionType):
        column = array.to_pandas()  # periods and intervals of pandas
        if column.dtype.kind == "O" and isinstance(column.dtype, pd.api.extensions.ExtensionDtype):
            return to_plain_column(column, keeps_text)
    return _convert_objects(array.to_pylist(), keeps_text)


def _strip_texts(texts: Any, keeps_text: bool) -> PlainColumn:
    """Convert texts without the blanks around them, as they are read from text files: " a" and "a" are one setting."""
    if str(texts.type) == "string_view":
        texts = texts.cast(pa.large_string())
    stripped = pc.utf8_trim_whitespace(texts) if may_have_blanks(texts) else texts
    plain_column = to_plain_array(stripped, keeps_text)
    assert plain_column is not None  # texts always are
    if stripped is texts:
        return plain_column
    is_changed = pc.and_(pc.not_equal(stripped, texts), pc.not_equal(stripped, ""))
    if pd.api.types.is_numeric_dtype(plain_column.values.dtype) or not pc.any(is_changed).as_py():
        return plain_column
    return PlainColumn(plain_column.values, [STRIPPED_TEXTS, *plain_column.changes])


def _convert_categories(column: pd.Series, keeps_text: bool) -> PlainColumn:
    """Convert the categories that occur, not each row."""
    categorical = column.cat.remove_unused_categories().cat
    categories, changes = to_plain_column(pd.Series(categorical.categories), keeps_text)
    codes = pa.array(categorical.codes, mask=(categorical.codes < 0).to_numpy())
    array = pa.DictionaryArray.from_arrays(codes, pa.array(categories, from_pandas=True))
    plain_column = _convert_array(array, keeps_text)
    return PlainColumn(plain_column.values, [*changes, *plain_column.changes])


def _convert_objects(values: list[Any], keeps_text: bool) -> PlainColumn:
    """Convert Python values: to the type that all of them have, or else to text."""
    kinds = set(map(type, values))
    changes = [DURATIONS] if any(issubclass(kind, _DURATION_TYPES) for kind in kinds) else []
    if not kinds <= _PLAIN_TYPES:
        values = [to_plain_value(value) for value in values]
    array = _to_typed_array(values)
    if array is not None:
        column, array_changes = _convert_array(array, keeps_text)
        return PlainColumn(column, [*changes, *array_changes])
    texts = pa.array([None if pd.isna(value) else to_plain_text(value) for value in values], pa.string())
    column, text_changes = _convert_array(texts, keeps_text)
    if not pd.api.types.is_numeric_dtype(column.dtype):
        is_long = pd.api.types.infer_dtype(values, skipna=True) == "integer"
        changes.append(LONG_INTEGERS if is_long else MIXED_VALUES)
    return PlainColumn(column, [*changes, *text_changes])


def _to_typed_array(values: list[PlainValue]) -> Any:
    """Return an array of Arrow if all values that are not null have one type that can hold them, else None."""
    kind = pd.api.types.infer_dtype(values, skipna=True)
    try:
        if kind in ("string", "boolean", "empty"):
            return pa.array(values, from_pandas=True)
        if kind == "integer":
            return pa.array(values, pa.int64(), from_pandas=True)
        if kind in ("floating", "mixed-integer-float"):
            return pa.array(values, pa.float64(), from_pandas=True)
    except UnicodeEncodeError:
        return pa.array([to_plain_value(value) for value in values])
    except (OverflowError, pa.ArrowInvalid):
        pass  # They need more than 64 bits.
    return None
