"""Values of any class become plain ones, and what is changed is said."""

from __future__ import annotations

import datetime as dt
import enum
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from kdtune.columns import COLUMN_TYPES
from kdtune.foreign.plain_tables import to_plain_table
from kdtune.table import rows_to_arrow, to_frame
from tests.plain_frames import column, read, values_of


class Color(enum.Enum):
    RED = 1


class Optimizer(enum.StrEnum):
    ADAM = "adam"


class Schedule(str, enum.Enum):  # noqa: UP042 - as in code for Python before 3.11
    COSINE = "cosine"


class Width(enum.IntEnum):
    WIDE = 40


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
    ([{"b": [None, "ä"], "a": Decimal("0.5")}], '[{"a": 0.5, "b": [null, "ä"]}]'),
    (torch.tensor(0.1, requires_grad=True), 0.1),
    (np.array(3), 3),
    (np.str_("a"), "a"),
    (Decimal("Infinity"), float("inf")),
    (Decimal("sNaN"), None),
    (np.float64("nan"), None),
    (pd.NaT, None),
]


@pytest.mark.parametrize(("value", "plain_value"), OTHER_VALUES, ids=lambda value: repr(value)[:30])
def test_objects_of_any_class_become_plain_values(value: Any, plain_value: Any) -> None:
    for source in ({"x": [value, None]}, [{"x": value}, {"y": 1}]):
        assert values_of(source) == [plain_value, None]


def test_types_of_arrow_that_pandas_does_not_have_become_plain() -> None:
    table = pa.table(
        {
            "structs": pa.array([[{"a": 1, "b": [0.5]}], None]),
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
        "structs": ['[{"a": 1, "b": [0.5]}]', None],
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


def test_types_of_duckdb_become_plain() -> None:
    duckdb = pytest.importorskip("duckdb")
    query = """
        select * from values
        (5::hugeint, 0.5::decimal(18, 3), 'a'::enum('a', 'b'), timestamp '2026-01-02 03:04:05', [1, 2], {'k': 1},
         interval 90 second, uuid '00000000-0000-0000-0000-000000000007', true),
        (null, null, null, null, null, null, null, null, null)
        as t(huge, dec, enum, time, list, struct, duration, uuid, truth)
    """
    frame = read(duckdb.sql(query))
    assert "struct.k" in frame.columns
    pd.testing.assert_frame_equal(read(duckdb.connect().execute(query)), frame)
    assert [None if pd.isna(value) else value for value in frame.iloc[1]] == [None] * 9
    assert frame.iloc[0].tolist() == [
        5, 0.5, "a", "2026-01-02 03:04:05", "[1, 2]", 1, 90.0, str(UUID(int=7)), True
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


def test_columns_of_one_category_in_a_parquet_file_are_read(tmp_path: Path) -> None:
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


def test_every_change_of_values_is_said_once_with_all_columns() -> None:
    names = [f"c{number}" for number in range(15)]
    plain_table = to_plain_table({name: ["1", ""] for name in names} | {"d": [dt.timedelta(1), None], "m": [1, "a"]})
    assert plain_table.notes == [
        "c0, c1, c2, c3, c4, c5, c6, c7, c8, c9, c10, c11 and 3 more: all texts are numbers, and are read as numbers.",
        "c0, c1, c2, c3, c4, c5, c6, c7, c8, c9, c10, c11 and 3 more: blank texts are read as missing values.",
        "d: durations are read as seconds.",
        "m: values of several kinds (text, numbers, truths) are all read as text.",
    ]
