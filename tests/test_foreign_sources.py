"""Tables of any library are the same table, and what is no table is refused."""

from __future__ import annotations

import copy
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch

import kdtune
from kdtune.errors import RequestError
from kdtune.foreign.plain_tables import is_table, to_plain_table
from tests.plain_frames import arrow_column, read, values_of


class Exporter:
    """A frame of a library that has one protocol alone."""

    def __init__(self, table: Any, protocol: str) -> None:
        setattr(
            type(self), protocol, lambda self, *arguments, **options: getattr(table, protocol)(*arguments, **options)
        )


@pytest.mark.parametrize("protocol", ["__arrow_c_stream__", "__dataframe__"])
def test_a_library_that_has_one_protocol_is_read(protocol: str) -> None:
    exporter = type("Frame", (Exporter,), {})(pa.table({"x": [1, None], "y": ["a", "b"]}), protocol)
    assert is_table(exporter)
    assert values_of(exporter) == [1, None]


@pytest.mark.parametrize(
    "source",
    [
        pa.record_batch([pa.array([1, 2])], ["x"]),
        pa.table({"x": [1, 2]}).to_reader(),
        {"x": np.array([1, 2])},
        {"x": torch.tensor([1, 2])},
        {"x": range(1, 3)},
        {"x": pa.array([1, 2])},
        {"x": {"a": 1, "b": 2}},
        {"x": pd.Series([1, 2], index=["a", "b"]), "y": 5},
        {"x": [1, 2], "y": 5},
        ({"x": 1}, {"x": 2, "y": 5}),
    ],
    ids=lambda source: repr(source)[:40],
)
def test_dicts_lists_and_streams_are_tables(source: Any) -> None:
    assert is_table(source)
    frame = to_plain_table(source).frame
    assert frame["x"].tolist() == [1, 2]
    assert "y" not in frame or frame["y"].tolist()[1] == 5


@pytest.mark.parametrize(
    "source", [pd.DataFrame(), {}, [], pa.table({}), pd.DataFrame({"x": []}), arrow_column([], pa.null())]
)
def test_tables_without_rows_or_columns_pass(source: Any) -> None:
    assert len(read(source)) == 0


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (5, "not of type int"),
        (None, "not of type NoneType"),
        ([1], "not of type list"),
        (pd.DataFrame, "not of type type"),
        (pd.Series([1]), r"pandas.Series of shape \(1,\); a single column becomes a table with .to_frame\(\)"),
        (pa.array([1]), "cannot be read"),
        ({"a": [1, 2], "b": [1]}, "lists of one length: a has 2, b has 1"),
        ({"a": 1}, "none of them is a list"),
        ({"a": {1, 2}}, "none of them is a list"),
    ],
)
def test_what_is_no_table_is_refused(source: Any, message: str) -> None:
    with pytest.raises(RequestError, match=message):
        to_plain_table(source)


def test_a_path_is_no_table() -> None:
    assert not is_table("table.csv")
    assert not is_table(Path("table.csv"))


def test_a_lazy_frame_that_fails_is_refused() -> None:
    polars = pytest.importorskip("polars")
    with pytest.raises(RequestError, match="LazyFrame"):
        to_plain_table(polars.scan_csv("/nowhere/table.csv"))


def test_the_source_is_not_modified_and_its_copy_is_free() -> None:
    source = pd.DataFrame(
        {"a": [1.0, None], "b": ["1", " "], "c": pd.Categorical(["x", None]), "d": [[1], None], "e": [True, None]},
        index=[5, 5],
    )
    before = copy.deepcopy(source)
    frame = to_plain_table(source).frame
    frame.loc[0, "a"] = 7.0
    frame["b"] = 0
    pd.testing.assert_frame_equal(source, before)
    rows = [{"a": [1], "b": "1"}]
    to_plain_table(rows)
    assert rows == [{"a": [1], "b": "1"}]


RUNS = pd.DataFrame(
    [
        {"temp": T, "width": width, "lr": 0.1, "replicate": replicate, "num_error": errors}
        for width, best in ((10, 2), (40, 8))
        for T in (1, 2, 4, 8, 16)
        for replicate in range(4)
        for errors in [150 + 3 * replicate + 60 * abs(T.bit_length() - best.bit_length()) + (T * replicate) % 5]
    ]
)
SAME_RUNS = {
    "categories": lambda: RUNS.astype("category"),
    "categories of texts": lambda: RUNS.astype({"width": str, "lr": str}).astype("category"),
    "nullable": lambda: RUNS.convert_dtypes(),
    "float32": lambda: RUNS.astype("float32"),
    "decimals": lambda: RUNS.astype(str).map(Decimal),
    "texts": lambda: RUNS.astype(str),
    "index": lambda: RUNS.set_index(["width", "temp"]),
    "columns": lambda: RUNS.to_dict("list"),
    "rows": lambda: RUNS.to_dict("records"),
    "Arrow": lambda: pa.Table.from_pandas(RUNS.astype({"width": "category"})),
    "polars": lambda: pytest.importorskip("polars").from_pandas(RUNS.astype({"width": "category"})),
    "DuckDB": lambda: pytest.importorskip("duckdb").from_arrow(pa.Table.from_pandas(RUNS)),
}


@pytest.mark.parametrize("kind", SAME_RUNS)
def test_the_answer_is_the_same_for_all_types(kind: str) -> None:
    answer = kdtune.analyze(SAME_RUNS[kind]())
    pd.testing.assert_frame_equal(answer.t_opt, kdtune.analyze(RUNS).t_opt, check_dtype=False)
    assert answer.t_opt["T_opt"].tolist() == [2, 8]
