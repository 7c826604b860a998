"""Frames of one column, and what is read of them."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

from kdtune.foreign.plain_tables import to_plain_table

TEXT_DTYPE = pd.Series(["a"]).dtype
PLAIN_DTYPES = {"bool", "int64", "Int64", "float64", "object", str(TEXT_DTYPE)}


def read(source: Any) -> pd.DataFrame:
    """The plain frame, after a check that its columns are plain and its names are unique text."""
    frame = to_plain_table(source).frame
    assert set(map(str, frame.dtypes)) <= PLAIN_DTYPES
    for name in frame:
        assert isinstance(name, str)
        assert name
        if str(frame[name].dtype) == "object" and str(TEXT_DTYPE) == "str":  # before pandas 3 text is object
            assert set(map(type, frame[name])) <= {bool, type(None)}
    assert frame.columns.is_unique
    assert frame.index.equals(pd.RangeIndex(len(frame)))
    return frame


def values_of(source: Any, name: str = "x") -> list[Any]:
    """The values of a column, null as None."""
    return [None if pd.isna(value) else value for value in read(source)[name].tolist()]


def column(values: Any, dtype: Any = object) -> pd.DataFrame:
    return pd.DataFrame({"x": pd.Series(values, dtype=dtype)})


def arrow_column(values: Any, kind: Any = None) -> pa.Table:
    return pa.table({"x": pa.array(values, kind)})


def polars_column(values: Any, kind: str) -> Any:
    polars = pytest.importorskip("polars")
    if not hasattr(polars, kind):
        pytest.skip(f"polars {polars.__version__} has no {kind}")
    dtype = polars.Enum(sorted(set(values) - {None})) if kind == "Enum" else getattr(polars, kind)
    return polars.DataFrame({"x": polars.Series(values, dtype=dtype)})


def texts(values: list[Any]) -> list[str | None]:
    return [None if value is None else str(value) for value in values]


def map_values(values: list[Any], function: Any) -> list[Any]:
    return [None if value is None else function(value) for value in values]
