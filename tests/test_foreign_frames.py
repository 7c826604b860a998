"""Tables of any library, with columns of any type and names of any kind, become the same plain table."""

from __future__ import annotations

import copy
import datetime as dt
import enum
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import kdtune
from kdtune.columns import COLUMN_TYPES
from kdtune.errors import RequestError
from kdtune.foreign.plain_tables import is_table, to_plain_table
from kdtune.table import rows_to_arrow, to_frame

TEXT_DTYPE = pd.Series(["a"]).dtype
PLAIN_DTYPES = {"bool", "int64", "Int64", "float64", "object", str(TEXT_DTYPE)}


class Color(enum.Enum):
    RED = 1


class Optimizer(enum.StrEnum):
    ADAM = "adam"


class Schedule(str, enum.Enum):  # noqa: UP042 - as in code for Python before 3.11
    COSINE = "cosine"


class Width(enum.IntEnum):
    WIDE = 40


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


def convert(values: list[Any], function: Any) -> list[Any]:
    return [None if value is None else function(value) for value in values]


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
    "numpy scalars": lambda values: column(convert(values, np.int16)),
    "tensors": lambda values: {"x": convert(values, torch.tensor)},
    "decimals": lambda values: column(convert(values, Decimal)),
    "texts": lambda values: column(convert(values, lambda value: f" {value} "), "string[python]"),
    "texts of Arrow": lambda values: column(texts(values), "string[pyarrow]"),
    "texts and numbers": lambda values: {"x": [str(v) if v and v > 0 else v for v in values]},
    "words for null": lambda values: {"x": list(map(str, values))},
    "blanks for null": lambda values: {"x": ["" if value is None else str(value) for value in values]},
    "rows": lambda values: [{"x": value} if value is not None else {} for value in values],
    "ArrowDtype": lambda values: column(values, pd.ArrowDtype(pa.int32())),
    "ArrowDtype of decimals": lambda values: column(convert(values, Decimal), pd.ArrowDtype(pa.decimal128(38, 0))),
    "Arrow": lambda values: arrow_column(values, pa.int8()),
    "Arrow dictionary": lambda values: arrow_column(pa.array(values, pa.int64()).dictionary_encode()),
    "Arrow dictionary of texts": lambda values: arrow_column(pa.array(texts(values), pa.string()).dictionary_encode()),
    "Arrow decimal256": lambda values: arrow_column(convert(values, Decimal), pa.decimal256(50, 0)),
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
    "numpy scalars": lambda values: column(convert(values, np.float32)),
    "tensors": lambda values: {"x": convert(values, torch.tensor)},
    "decimals": lambda values: column(convert(values, lambda value: Decimal(str(value)))),
    "fractions": lambda values: column(convert(values, lambda value: Fraction(str(value)))),
    "texts": lambda values: column(texts(values)),
    "category": lambda values: column(values, "category"),
    "Arrow float": lambda values: arrow_column(values, pa.float32()),
    "Arrow decimal": lambda values: arrow_column(
        convert(values, lambda value: Decimal(str(value))), pa.decimal128(20, 9)
    ),
    "polars Float32": lambda values: polars_column(values, "Float32"),
    "polars Decimal": lambda values: polars_column(convert(values, lambda value: Decimal(str(value))), "Decimal"),
}
TRUTHS = {
    "boolean": lambda values: column(values, "boolean"),
    "objects": column,
    "numpy scalars": lambda values: column(convert(values, np.bool_)),
    "category": lambda values: column(values, "category"),
    "ArrowDtype": lambda values: column(values, pd.ArrowDtype(pa.bool_())),
    "Arrow": lambda values: arrow_column(values, pa.bool_()),
    "Arrow dictionary": lambda values: arrow_column(pa.array(values, pa.bool_()).dictionary_encode()),
    "polars": lambda values: polars_column(values, "Boolean"),
}
TEXTS = {
    "objects": column,
    "bytes": lambda values: column(convert(values, str.encode)),
    "category": lambda values: column(values, "category"),
    "string[python]": lambda values: column(values, "string[python]"),
    "string[pyarrow]": lambda values: column(values, "string[pyarrow]"),
    "Arrow large_string": lambda values: arrow_column(values, pa.large_string()),
    "Arrow string_view": lambda values: arrow_column(values, pa.string_view()),
    "Arrow binary": lambda values: arrow_column(convert(values, str.encode), pa.binary()),
    "Arrow dictionary": lambda values: arrow_column(pa.array(values, pa.string()).dictionary_encode()),
    "Arrow run ends": lambda values: arrow_column(pa.compute.run_end_encode(pa.array(values, pa.string()))),
    "polars Categorical": lambda values: polars_column(values, "Categorical"),
    "polars Enum": lambda values: polars_column(values, "Enum"),
    "polars Binary": lambda values: polars_column(convert(values, str.encode), "Binary"),
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


def nullable(values: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Any]]:
    """Lists of values and nulls, with one value at least: a column of nulls has no type."""
    lists = st.lists(st.none() | values, max_size=8)
    return st.builds(
        lambda values, value, index: [*values[:index], value, *values[index:]], lists, values, st.integers(0, 8)
    )


@pytest.mark.parametrize("kind", INTEGERS)
@settings(deadline=None, max_examples=25)
@given(values=nullable(st.integers(-100, 100)))
def test_integers_of_any_type_come_back(kind: str, values: list[int | None]) -> None:
    source = INTEGERS[kind](values)
    assert values_of(source) == values
    if kind != "float":
        assert read(source)["x"].dtype == ("Int64" if None in values else "int64")


@pytest.mark.parametrize("kind", FLOATS)
@settings(deadline=None, max_examples=25)
@given(values=nullable(st.integers(-(10**6), 10**6).map(lambda number: (2 * number + 1) / 1000)))
def test_floats_of_any_type_come_back_without_digits_that_nobody_wrote(kind: str, values: list[float | None]) -> None:
    values = [None if value is None or abs(value) >= 1000 else value for value in values] + [0.1]
    assert values_of(FLOATS[kind](values)) == values


@pytest.mark.parametrize("kind", TRUTHS)
@settings(deadline=None, max_examples=25)
@given(values=nullable(st.booleans()))
def test_truths_of_any_type_come_back(kind: str, values: list[bool | None]) -> None:
    frame = read(TRUTHS[kind](values))
    assert frame["x"].tolist() == values
    assert frame["x"].dtype == (object if None in values else bool)


@pytest.mark.parametrize("kind", TEXTS)
@settings(deadline=None, max_examples=25)
@given(values=nullable(st.text(max_size=5).map(lambda text: f"t{text}")))
def test_texts_of_any_type_come_back(kind: str, values: list[str | None]) -> None:
    frame = read(TEXTS[kind](values))
    assert [None if pd.isna(value) else value for value in frame["x"]] == values
    assert frame["x"].dtype == TEXT_DTYPE


@pytest.mark.parametrize("kind", DATES)
@settings(deadline=None, max_examples=25)
@given(values=nullable(st.dates(dt.date(1990, 1, 1), dt.date(2100, 1, 1))))
def test_dates_of_any_type_become_iso_text(kind: str, values: list[dt.date | None]) -> None:
    assert values_of(DATES[kind](values)) == texts(values)


@settings(deadline=None, max_examples=25)
@given(values=nullable(st.integers(-(2**63), 2**63 - 1)), kind=st.sampled_from(["Int64", "category", "object"]))
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


OTHER_VALUES = [
    (Path("runs/a"), "runs/a"),
    (UUID(int=7), "00000000-0000-0000-0000-000000000007"),
    (Color.RED, "RED"),
    (Optimizer.ADAM, "adam"),
    (Schedule.COSINE, "cosine"),
    (Width.WIDE, 40),
    (b"\xff\x00", "ff00"),
    (bytearray(b"abc"), "abc"),
    (1 + 2j, "(1+2j)"),
    (np.complex64(1 + 2j), "(1+2j)"),
    (dt.time(12, 30), "12:30:00"),
    (dt.datetime(2026, 1, 2, 3, 4, 5), "2026-01-02 03:04:05"),
    (np.datetime64("2026-01-02T03:04:05"), "2026-01-02 03:04:05"),
    (dt.timedelta(seconds=90), 90.0),
    (np.timedelta64(90, "s"), 90.0),
    (pd.Period("2026-01", "M"), "2026-01"),
    (pd.Interval(0, 1), "(0, 1]"),
    ([64, 32], "[64, 32]"),
    ((64, 32), "[64, 32]"),
    (np.array([64, 32]), "[64, 32]"),
    (torch.tensor([64, 32]), "[64, 32]"),
    (torch.Size([64, 32]), "[64, 32]"),
    ({2, 1}, "[1, 2]"),
    ({"b": [None, "ä"], "a": Decimal("0.5")}, '{"a": 0.5, "b": [null, "ä"]}'),
    (torch.tensor(0.1, requires_grad=True), 0.1),
    (np.array(3), 3),
    (np.str_("a"), "a"),
    (Decimal("Infinity"), float("inf")),
    (Decimal("sNaN"), None),
    (np.float64("nan"), None),
    (pd.NaT, None),
]


@pytest.mark.parametrize(("value", "plain_value"), OTHER_VALUES, ids=lambda value: repr(value)[:30])
def test_objects_of_any_class(value: Any, plain_value: Any) -> None:
    for source in ({"x": [value, None]}, [{"x": value}, {"y": 1}]):
        assert values_of(source) == [plain_value, None]


def test_arrow_and_duckdb_types_that_pandas_does_not_have() -> None:
    struct = pa.array([{"a": 1, "b": [0.5]}, None])
    table = pa.table(
        {
            "struct": struct,
            "map": pa.array([[("a", 1)], None], pa.map_(pa.string(), pa.int64())),
            "duration": pa.array([1500, None], pa.duration("ms")),
            "interval": pa.array([pa.MonthDayNano([0, 1, 10**9]), None]),
            "half": pa.array([np.float16(0.1), None], pa.float16()),
            "null": pa.nulls(2),
            "time": pa.array([dt.time(1, 2, 3, 500_000), None]),
            "zone": pa.array([dt.datetime(2026, 1, 1, tzinfo=dt.UTC), None]),
            "nanoseconds": pa.array([1, None], pa.timestamp("ns")),
            "dictionary of lists": pa.DictionaryArray.from_arrays(pa.array([0, None]), pa.array([[1], [2]])),
            "period": pa.array(pd.Series(pd.PeriodIndex(["2026-01", None], freq="M"))),
        }
    )
    assert {name: values_of(table, name) for name in table.column_names} == {
        "struct": ['{"a": 1, "b": [0.5]}', None],
        "map": ['[["a", 1]]', None],
        "duration": [1.5, None],
        "interval": [86_401.0, None],
        "half": [0.1, None],
        "null": [None, None],
        "time": ["01:02:03.500", None],
        "zone": ["2026-01-01 00:00:00Z", None],
        "nanoseconds": ["1970-01-01 00:00:00.000000001", None],
        "dictionary of lists": ["[1]", None],
        "period": ["2026-01", None],
    }


def test_duckdb_relations() -> None:
    duckdb = pytest.importorskip("duckdb")
    query = """
        select * from values
        (5::hugeint, 0.5::decimal(18, 3), 'a'::enum('a', 'b'), timestamp '2026-01-02 03:04:05', [1, 2], {'k': 1},
         interval 90 second, uuid '00000000-0000-0000-0000-000000000007', true),
        (null, null, null, null, null, null, null, null, null)
        as t(huge, dec, enum, time, list, struct, duration, uuid, truth)
    """
    frame = read(duckdb.sql(query))
    pd.testing.assert_frame_equal(read(duckdb.connect().execute(query)), frame)
    assert [None if pd.isna(value) else value for value in frame.iloc[1]] == [None] * 9
    assert frame.iloc[0].tolist() == [
        5, 0.5, "a", "2026-01-02 03:04:05", "[1, 2]", '{"k": 1}', 90.0, str(UUID(int=7)), True
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("values", "plain_values"),
    [
        (["0.5", "10", " 3 "], [0.5, 10.0, 3.0]),
        (["+5", "-0", "12"], [5, 0, 12]),
        (["1e-3", "5.", ".5"], [0.001, 5.0, 0.5]),
        (["inf", "-Infinity", "1"], [float("inf"), float("-inf"), 1.0]),
        (["nan", "2.0", "None"], [None, 2.0, None]),
        (["007", "10"], ["007", "10"]),
        (["00.5"], ["00.5"]),
        (["1_000"], ["1_000"]),
        (["0x10"], ["0x10"]),
        (["1e999", "1"], ["1e999", "1"]),
        (["12e4567"], ["12e4567"]),  # the beginning of a hash
        (["1", "2", "a"], ["1", "2", "a"]),
        (["1"] * 50 + ["a"], ["1"] * 50 + ["a"]),
        (["nan", "None"], ["nan", "None"]),
        (["a", " ", ""], ["a", None, None]),
        (["", " "], [None, None]),
        (["٣"], ["٣"]),
        ([True, 1, "a"], ["True", "1", "a"]),
        ([7, 7.0, "b"], ["7", "7", "b"]),
        ([1, 2.5, None], [1.0, 2.5, None]),
    ],
)
def test_texts_become_numbers_only_if_all_are_numbers(values: list[Any], plain_values: list[Any]) -> None:
    assert values_of({"x": values}) == plain_values
    assert values_of(column(values)) == plain_values


def test_ids_stay_text_and_so_does_every_text_of_a_sweep() -> None:
    frame = read({"id": ["1", "2"], "teacher_id": ["7", "7"], "width": ["1", "2"]})
    assert frame.iloc[0].tolist() == ["1", "7", 1]
    sweep = to_frame(rows_to_arrow([{"id": "1", "width": 3, "bias_shift": "3", "scale_T2": None}, {"scale_T2": True}]))
    pd.testing.assert_frame_equal(to_plain_table(sweep).frame, sweep)
    assert set(COLUMN_TYPES) < set(sweep)


def test_a_column_of_one_category_in_parquet(tmp_path: Path) -> None:
    frame = pd.DataFrame({"temp": [1, 2], "width": ["10", "10"], "dataset": ["cifar", "cifar"]})
    frame = frame.astype({"width": "category", "dataset": "category"})
    frame.to_parquet(tmp_path / "table.parquet")
    plain_table = to_plain_table(pq.read_table(tmp_path / "table.parquet"))
    pd.testing.assert_frame_equal(
        plain_table.frame, pd.DataFrame({"temp": [1, 2], "width": [10, 10], "dataset": ["cifar", "cifar"]})
    )
    assert plain_table.notes == ["width: all texts are numbers, and are read as numbers."]


def test_categories_that_do_not_occur_change_nothing() -> None:
    plain_table = to_plain_table(column(pd.Categorical([10, 40, None], categories=[10, 40, "other"]), None))
    assert plain_table.frame["x"].dtype == "Int64"
    assert plain_table.notes == []


LABELS = st.one_of(
    st.text(max_size=3),
    st.sampled_from(["acc", " acc", "acc (2)", "column 1", "0"]),
    st.integers(-1, 1),
    st.sampled_from([None, float("nan"), pd.NaT, b"acc", Color.RED, 0.5, dt.date(2026, 1, 1)]),
    st.tuples(st.sampled_from(["acc", "", 1]), st.sampled_from(["mean", "", None])),
)


@settings(deadline=None, max_examples=25)
@given(labels=st.lists(LABELS, max_size=8))
def test_names_are_unique_text_whatever_they_were(labels: list[Any]) -> None:
    index = pd.Index(labels, dtype=object, tupleize_cols=False)
    source = pd.DataFrame(np.arange(2 * len(labels)).reshape(2, len(labels)), columns=index)
    frame = read(source)
    assert frame.to_numpy().T.tolist() == source.to_numpy().T.tolist()
    assert all(name == name.strip() for name in frame)
    assert source.columns.equals(index)


def test_what_was_done_to_names_is_said() -> None:
    source = pd.DataFrame([[1, 2, 1, 4, 5, 6]], columns=["acc", "acc", "acc", " temp", None, ("loss", "mean")])
    plain_table = to_plain_table(source)
    assert list(plain_table.frame) == ["acc", "acc (2)", "temp", "column 5", "loss/mean"]
    assert plain_table.notes == [
        'Column 5 has no name: it is read as "column 5".',
        'Blanks around names of columns are left out: "temp".',
        'Names of several levels are joined by a slash: "loss/mean".',
        'Several columns are called "acc" and differ: one of them is read as "acc (2)".',
        '"acc" stands in the table twice with the same values: it is read once.',
    ]


def test_columns_of_a_pivot_and_of_an_aggregation() -> None:
    runs = pd.DataFrame({"T": [1, 1, 2, 2], "seed": [0, 1, 0, 1], "acc": [0.5, 0.6, 0.7, 0.8]})
    assert list(read(runs.pivot_table(index="T", columns="seed", values="acc"))) == ["T", "0", "1"]
    assert list(read(runs.groupby(["T", "seed"]).agg({"acc": ["mean", "max"]}))) == ["T", "seed", "acc/mean", "acc/max"]


@pytest.mark.parametrize(
    ("source", "names", "n_notes"),
    [
        (column([1, 2]).set_index(pd.Index([7, 7])), ["x"], 0),
        (column([1, 2]).set_index(pd.Index([7, 7], name="seed")), ["seed", "x"], 0),
        (column([1, 2]).set_index(pd.RangeIndex(2, name="seed")), ["seed", "x"], 0),
        (column([1, 2]).set_index(pd.Index([7, 7], name="x")), ["x"], 1),
        (column([1, 2]).set_index(pd.Index(["a", "b"])), ["x"], 1),
        (column([1, 2]).set_index(pd.Index(pd.Categorical(["a", "b"]), name="c")), ["c", "x"], 0),
        (pd.concat({10: column([1]), 40: column([2])}), ["index level 1", "x"], 1),
        (pd.concat({10: column([1]), 40: column([2])}, names=["width"]), ["width", "x"], 0),
    ],
)
def test_levels_of_the_index(source: pd.DataFrame, names: list[str], n_notes: int) -> None:
    plain_table = to_plain_table(source)
    assert list(read(source)) == names
    assert plain_table.frame["x"].tolist() == [1, 2]
    assert len(plain_table.notes) == n_notes


def test_an_index_without_a_name_in_an_arrow_table_is_no_column() -> None:
    table = pa.Table.from_pandas(column([1, 2]).set_index(pd.Index(["a", "b"])))
    assert list(read(table)) == ["x"]


class Exporter:
    """A frame of a library that has one protocol alone."""

    def __init__(self, table: Any, protocol: str) -> None:
        setattr(
            type(self), protocol, lambda self, *arguments, **options: getattr(table, protocol)(*arguments, **options)
        )


@pytest.mark.parametrize("protocol", ["__arrow_c_stream__", "__dataframe__"])
def test_any_library_with_a_protocol(protocol: str) -> None:
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
def test_other_kinds_of_tables(source: Any) -> None:
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
        (pd.Series([1]), r"pandas.Series; a single column becomes a table with .to_frame\(\)"),
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


def test_every_change_of_values_is_said_once_with_all_columns() -> None:
    names = [f"c{number}" for number in range(15)]
    plain_table = to_plain_table({name: ["1", ""] for name in names} | {"d": [dt.timedelta(1), None], "m": [1, "a"]})
    assert plain_table.notes == [
        "c0, c1, c2, c3, c4, c5, c6, c7, c8, c9, c10, c11 and 3 more: all texts are numbers, and are read as numbers.",
        "c0, c1, c2, c3, c4, c5, c6, c7, c8, c9, c10, c11 and 3 more: blank texts are read as missing values.",
        "d: durations are read as seconds.",
        "m: values of several kinds (text, numbers, truths) are all read as text.",
    ]


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
