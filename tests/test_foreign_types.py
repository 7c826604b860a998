"""Columns of any type of pandas, polars and Arrow become the same plain columns."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.plain_frames import TEXT_DTYPE, arrow_column, column, map_values, polars_column, read, texts, values_of

# Each holds the same integers, from -100 to 100.
INTEGERS = {
    "Int8": lambda values: column(values, "Int8"),
    "Int64": lambda values: column(values, "Int64"),
    "float": lambda values: column(values, "float32"),
    "category": lambda values: column(values, "category"),
    "category of texts": lambda values: column(
        pd.Categorical(texts(values), [*map(str, range(-100, 101)), "other"]), None
    ),
    "objects": column,
    "numpy scalars": lambda values: column(map_values(values, np.int16)),
    "tensors": lambda values: {"x": map_values(values, torch.tensor)},
    "decimals": lambda values: column(map_values(values, Decimal)),
    "texts": lambda values: column(map_values(values, lambda value: f" {value} "), "string[python]"),
    "texts of Arrow": lambda values: column(texts(values), "string[pyarrow]"),
    "texts and numbers": lambda values: {"x": [str(v) if v and v > 0 else v for v in values]},
    "words for null": lambda values: {"x": list(map(str, values))},
    "blanks for null": lambda values: {"x": ["" if value is None else str(value) for value in values]},
    "rows": lambda values: [{"x": value} if value is not None else {} for value in values],
    "ArrowDtype": lambda values: column(values, pd.ArrowDtype(pa.int32())),
    "ArrowDtype of decimals": lambda values: column(map_values(values, Decimal), pd.ArrowDtype(pa.decimal128(38, 0))),
    "Arrow": lambda values: arrow_column(values, pa.int8()),
    "Arrow dictionary": lambda values: arrow_column(pa.array(values, pa.int64()).dictionary_encode()),
    "Arrow dictionary of texts": lambda values: arrow_column(pa.array(texts(values), pa.string()).dictionary_encode()),
    "Arrow decimal256": lambda values: arrow_column(map_values(values, Decimal), pa.decimal256(50, 0)),
    "Arrow chunks": lambda values: pa.concat_tables(
        [arrow_column(values[:1], pa.int64()), arrow_column(values[1:], pa.int64())]
    ),
    "polars Int8": lambda values: polars_column(values, "Int8"),
    "polars Int128": lambda values: polars_column(values, "Int128"),
    "polars Object": lambda values: polars_column(values, "Object"),
    "polars Categorical": lambda values: polars_column(texts(values), "Categorical"),
    "polars LazyFrame": lambda values: polars_column(values, "Int64").lazy(),
}
# Each holds the same thousandths: they have at most 6 digits, which floats of 32 bits hold.
FLOATS = {
    "float32": lambda values: column(values, "float32"),
    "Float32": lambda values: column(values, "Float32"),
    "float64": lambda values: column(values, "float64"),
    "other byte order": lambda values: column(np.array(values, ">f8").view(">f8"), None),
    "long": lambda values: column(np.array(values, np.longdouble), None),
    "sparse": lambda values: column(values, "Sparse[float64]"),
    "numpy scalars": lambda values: column(map_values(values, np.float32)),
    "tensors": lambda values: {"x": map_values(values, torch.tensor)},
    "decimals": lambda values: column(map_values(values, lambda value: Decimal(str(value)))),
    "fractions": lambda values: column(map_values(values, lambda value: Fraction(str(value)))),
    "texts": lambda values: column(texts(values)),
    "category": lambda values: column(values, "category"),
    "Arrow float": lambda values: arrow_column(values, pa.float32()),
    "Arrow decimal": lambda values: arrow_column(
        map_values(values, lambda value: Decimal(str(value))), pa.decimal128(20, 9)
    ),
    "polars Float32": lambda values: polars_column(values, "Float32"),
    "polars Decimal": lambda values: polars_column(map_values(values, lambda value: Decimal(str(value))), "Decimal"),
}
TRUTHS = {
    "boolean": lambda values: column(values, "boolean"),
    "objects": column,
    "numpy scalars": lambda values: column(map_values(values, np.bool_)),
    "category": lambda values: column(values, "category"),
    "ArrowDtype": lambda values: column(values, pd.ArrowDtype(pa.bool_())),
    "Arrow": lambda values: arrow_column(values, pa.bool_()),
    "Arrow dictionary": lambda values: arrow_column(pa.array(values, pa.bool_()).dictionary_encode()),
    "polars": lambda values: polars_column(values, "Boolean"),
}
TEXTS = {
    "objects": column,
    "bytes": lambda values: column(map_values(values, str.encode)),
    "category": lambda values: column(values, "category"),
    "string[python]": lambda values: column(values, "string[python]"),
    "string[pyarrow]": lambda values: column(values, "string[pyarrow]"),
    "Arrow large_string": lambda values: arrow_column(values, pa.large_string()),
    "Arrow string_view": lambda values: arrow_column(values, pa.string_view()),
    "Arrow binary": lambda values: arrow_column(map_values(values, str.encode), pa.binary()),
    "Arrow dictionary": lambda values: arrow_column(pa.array(values, pa.string()).dictionary_encode()),
    "Arrow run ends": lambda values: arrow_column(pa.compute.run_end_encode(pa.array(values, pa.string()))),
    "polars Categorical": lambda values: polars_column(values, "Categorical"),
    "polars Enum": lambda values: polars_column(values, "Enum"),
    "polars Binary": lambda values: polars_column(map_values(values, str.encode), "Binary"),
}
DATES = {
    "objects": column,
    "datetime64": lambda values: column(values, "datetime64[ns]"),
    "category": lambda values: column(pd.to_datetime(pd.Series(values)), "category"),
    "days": lambda values: column(values, "period[D]"),
    "ArrowDtype": lambda values: column(values, pd.ArrowDtype(pa.date32())),
    "Arrow timestamp": lambda values: arrow_column(pa.array(values, pa.date32()).cast(pa.timestamp("us"))),
    "polars Date": lambda values: polars_column(values, "Date"),
    "polars Datetime": lambda values: polars_column(values, "Datetime"),
}


def add_nulls(values: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Any]]:
    """Lists of values and nulls, with one value at least: a column of nulls has no type."""
    lists = st.lists(st.none() | values, max_size=8)
    return st.builds(
        lambda values, value, index: [*values[:index], value, *values[index:]], lists, values, st.integers(0, 8)
    )


@pytest.mark.parametrize("kind", INTEGERS)
@settings(deadline=None, max_examples=25)
@given(values=add_nulls(st.integers(-100, 100)))
def test_integers_of_any_type_come_back(kind: str, values: list[int | None]) -> None:
    source = INTEGERS[kind](values)
    assert values_of(source) == values
    if kind != "float":
        assert read(source)["x"].dtype == ("Int64" if None in values else "int64")


@pytest.mark.parametrize("kind", FLOATS)
@settings(deadline=None, max_examples=25)
@given(values=add_nulls(st.integers(-(10**6), 10**6).map(lambda number: (2 * number + 1) / 1000)))
def test_floats_of_any_type_come_back_without_digits_that_nobody_wrote(kind: str, values: list[float | None]) -> None:
    values = [None if value is None or abs(value) >= 1000 else value for value in values] + [0.1]
    assert values_of(FLOATS[kind](values)) == values


@pytest.mark.parametrize("kind", TRUTHS)
@settings(deadline=None, max_examples=25)
@given(values=add_nulls(st.booleans()))
def test_truths_of_any_type_come_back(kind: str, values: list[bool | None]) -> None:
    frame = read(TRUTHS[kind](values))
    assert frame["x"].tolist() == values
    assert frame["x"].dtype == (object if None in values else bool)


@pytest.mark.parametrize("kind", TEXTS)
@settings(deadline=None, max_examples=25)
@given(values=add_nulls(st.text(max_size=5).map(lambda text: f"t{text}t")))  # no blanks around
def test_texts_of_any_type_come_back(kind: str, values: list[str | None]) -> None:
    frame = read(TEXTS[kind](values))
    assert [None if pd.isna(value) else value for value in frame["x"]] == values
    assert frame["x"].dtype == TEXT_DTYPE


@pytest.mark.parametrize("kind", DATES)
@settings(deadline=None, max_examples=25)
@given(values=add_nulls(st.dates(dt.date(1990, 1, 1), dt.date(2100, 1, 1))))
def test_dates_of_any_type_become_iso_text(kind: str, values: list[dt.date | None]) -> None:
    assert values_of(DATES[kind](values)) == texts(values)


@settings(deadline=None, max_examples=25)
@given(values=add_nulls(st.integers(-(2**63), 2**63 - 1)), kind=st.sampled_from(["Int64", "category", "object"]))
def test_integers_keep_all_their_digits(values: list[int | None], kind: str) -> None:
    for source in (column(values, kind), {"x": values}, [{"x": value} for value in values], {"x": texts(values)}):
        assert values_of(source) == values


@pytest.mark.parametrize(
    "source",
    [
        column([2**64 - 1, 1], "uint64"),
        column([2**64 - 1, 1]),
        arrow_column([Decimal(2**64 - 1), Decimal(1)], pa.decimal128(38, 0)),
        {"x": [str(2**64 - 1), "1"]},
    ],
    ids=["uint64", "objects", "decimals", "texts"],
)
def test_longer_integers_become_text(source: Any) -> None:
    assert values_of(source) == [str(2**64 - 1), "1"]
