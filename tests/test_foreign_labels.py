"""Columns and levels of the index get unique names of text, whatever their labels are."""

from __future__ import annotations

import datetime as dt
import enum
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kdtune.foreign.plain_tables import to_plain_table
from tests.plain_frames import column, read


class Color(enum.Enum):
    RED = 1


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


def test_columns_of_a_pivot_and_of_an_aggregation_get_plain_names() -> None:
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
def test_levels_of_the_index_are_columns_if_they_have_names(
    source: pd.DataFrame, names: list[str], n_notes: int
) -> None:
    plain_table = to_plain_table(source)
    assert list(read(source)) == names
    assert plain_table.frame["x"].tolist() == [1, 2]
    assert len(plain_table.notes) == n_notes


def test_an_index_without_a_name_in_an_arrow_table_is_no_column() -> None:
    table = pa.Table.from_pandas(column([1, 2]).set_index(pd.Index(["a", "b"])))
    assert list(read(table)) == ["x"]
