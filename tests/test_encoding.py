"""Features of tables: fitted on the training rows alone, and the same after a round trip through JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kdtune.data.encoding import FrameEncoder, encode_splits, fit_encoder, make_transformer, prepare_frame
from kdtune.data.splits import SplitRows
from kdtune.inputs.frames import FrameInput, open_frame, store_frame
from kdtune.inputs.storage import write_inputs
from kdtune.inputs.tables import read_table_data


def store(frame: pd.DataFrame, impute: str | None = None, folder: Path = Path("/nowhere")) -> FrameInput:
    texts = [name for name in frame.columns if frame[name].dtype == object]
    categories = {name: tuple(sorted(set(frame[name].dropna()))) for name in texts}
    return store_frame(frame, categories, impute, folder)


def encode_frame(x: Any, frame: pd.DataFrame, train_rows: Any, rows: Any) -> Any:
    return fit_encoder(x, frame.iloc[train_rows]).encode(frame.iloc[rows])


def make_text(*values: str | None) -> pd.Series[Any]:
    return pd.Series(values, dtype=object)


def test_known_features() -> None:
    frame = pd.DataFrame(
        {"city": make_text("Rom", "Bonn", "Rom", "Paris"), "age": [1.0, 3.0, 1.0, 5.0], "flat": [7.0, 7.0, 7.0, 9.0]}
    )
    x = encode_frame(store(frame), frame, np.arange(3), np.arange(4))
    root = np.sqrt(2)
    expected = [
        # age, flat, then Bonn, Paris, Rom: Paris is no training row's city, and flat is constant there.
        [-1 / root, 0, 0, 0, 1],
        [root, 0, 1, 0, 0],
        [-1 / root, 0, 0, 0, 1],
        [(5 - 5 / 3) / np.sqrt(8 / 9), 0, 0, 0, 0],
    ]
    assert x.dtype == np.float32
    np.testing.assert_allclose(x, expected, rtol=1e-6)


def test_missing_values_are_filled_from_training_rows() -> None:
    frame = pd.DataFrame({"age": [1.0, 2.0, 2.0, 9.0, np.nan, 100.0], "city": make_text("B", "A", "B", "A", None, "C")})
    train_rows, test_rows = np.arange(4), np.array([4])
    median = fit_encoder(store(frame, "median"), frame.iloc[train_rows])
    assert median.numbers[0].fill == 2.0
    assert median.texts[0].fill == "A"  # Of two values that are as frequent, scikit-learn takes the smaller.
    mean, scale = median.numbers[0].mean, median.numbers[0].scale
    expected = np.array([[(2.0 - mean) / scale, 1, 0, 0]], dtype=np.float32)
    np.testing.assert_array_equal(median.encode(frame.iloc[test_rows]), expected)
    frame["age"] = [1.0, 1.0, 2.0, 9.0, np.nan, 100.0]
    frequent = fit_encoder(store(frame, "most_frequent"), frame.iloc[train_rows])
    assert frequent.numbers[0].fill == 1.0
    assert fit_encoder(store(frame, "median"), frame.iloc[train_rows]).numbers[0].fill == 1.5


def test_a_column_without_a_training_value_gives_zeros() -> None:
    frame = pd.DataFrame({"age": [np.nan, np.nan, 3.0], "city": make_text(None, None, "A"), "z": [1.0, 2.0, 3.0]})
    x = encode_frame(store(frame, "median"), frame, np.arange(2), np.arange(3))
    assert x.shape == (3, 3)
    assert not x[:, [0, 2]].any()


@st.composite
def frames(draw: st.DrawFn) -> tuple[pd.DataFrame, np.ndarray, str]:
    n_rows = draw(st.integers(3, 30))
    numbers = st.floats(-1e6, 1e6, allow_subnormal=False) | st.none()
    texts = st.sampled_from(["a", "b", "ü", ""]) | st.none()
    lists = {"n1": numbers, "n2": numbers, "t1": texts, "t2": texts}
    values = {name: draw(st.lists(items, min_size=n_rows, max_size=n_rows)) for name, items in lists.items()}
    frame = pd.DataFrame(
        {
            name: np.array(column, dtype=np.float64) if name[0] == "n" else make_text(*column)
            for name, column in values.items()
        }
    )
    n_train = draw(st.integers(2, n_rows))
    return frame, np.arange(n_train), draw(st.sampled_from(["median", "most_frequent"]))


@settings(max_examples=30, deadline=None)
@given(frames())
def test_encoder_is_scikit_learns_to_the_bit(case: tuple[pd.DataFrame, np.ndarray, str]) -> None:
    frame, train_rows, impute = case
    frame_input = store(frame, impute)
    train_frame = frame.iloc[train_rows]
    encoder = fit_encoder(frame_input, train_frame)
    x = encoder.encode(frame)
    transformer = make_transformer(frame_input).fit(prepare_frame(frame_input, train_frame))
    largest = np.finfo(np.float32).max
    expected = transformer.transform(prepare_frame(frame_input, frame)).clip(-largest, largest).astype(np.float32)
    is_constant = np.array([column.scale == 0 for column in encoder.numbers])
    np.testing.assert_array_equal(x[:, :2][:, ~is_constant], expected[:, :2][:, ~is_constant])
    known = [value is not None for column in encoder.texts for value in column.categories]
    learned = transformer.get_feature_names_out()
    # Where a column has no training value, scikit-learn encodes its own fill as a category.
    is_category = [not (name.startswith("texts__") and name.endswith("_0")) for name in learned]
    np.testing.assert_array_equal(x[:, 2:][:, known], expected[:, is_category][:, 2:])
    assert not x[:, 2:][:, np.logical_not(known)].any()
    assert x.shape == (len(frame), frame_input.n_features)


@settings(max_examples=30, deadline=None)
@given(frames(), st.randoms())
def test_round_trip_and_order(case: tuple[pd.DataFrame, np.ndarray, str], random: Any) -> None:
    frame, train_rows, impute = case
    encoder = fit_encoder(store(frame, impute), frame.iloc[train_rows])
    copy = FrameEncoder.from_json(json.loads(json.dumps(encoder.to_json(), allow_nan=False)))
    assert copy == encoder
    x = encoder.encode(frame)
    np.testing.assert_array_equal(copy.encode(frame), x)
    order = random.sample(range(len(frame)), len(frame))
    np.testing.assert_array_equal(encoder.encode(frame.iloc[order]), x[order])


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(-1000, 1000), min_size=2, max_size=50), st.integers(0, 5))
def test_training_rows_have_mean_0_and_variance_1(values: list[int], n_others: int) -> None:
    frame = pd.DataFrame({"a": np.array([*values, *[10**6] * n_others], dtype=np.float64)})
    train_rows = np.arange(len(values))
    x = encode_frame(store(frame), frame, train_rows, train_rows).astype(np.float64)
    assert abs(x.mean()) < 1e-5
    assert abs(x.var() - (len(set(values)) > 1)) < 1e-5


def test_a_column_that_hardly_varies_in_training_gives_finite_features() -> None:
    frame = pd.DataFrame({"a": [0.0, 1e-45, 0.0, 1.0, -1.0]})
    x = encode_frame(store(frame), frame, np.arange(3), np.arange(5))
    assert np.isfinite(x).all()
    assert x[3, 0] > 1e38
    assert x[4, 0] < -1e38


@pytest.mark.parametrize("impute", [None, "median"])
def test_splits_from_written_files(tmp_path: Path, impute: str | None) -> None:
    n = 40
    random = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "a": random.normal(size=n),
            "c": random.choice(["x", "y"], n).astype(object),
            "y": np.tile([0, 1], n // 2),
        }
    )
    if impute:
        frame.loc[[3, 9], "a"] = np.nan
        frame.loc[4, "c"] = None
    data = read_table_data({"all": frame}, "y", impute=impute, folder=tmp_path, names={"all": "file"}, notes=[])
    rows = {
        "train": SplitRows("all", np.arange(20)),
        "val": SplitRows("all", np.arange(20, 30)),
        "test": SplitRows("all", np.arange(30, 40)[::-1]),
    }
    before = encode_splits(data.parts, rows)
    write_inputs(data.list_stored_paths())
    x = data.parts["all"].x
    assert isinstance(x, FrameInput)
    assert Path(x.path).exists()
    assert open_frame(x) is not frame
    after = encode_splits(data.parts, rows)
    for split in rows:
        np.testing.assert_array_equal(before[split], after[split])
    features = frame.drop(columns="y")
    np.testing.assert_array_equal(after["test"], encode_frame(x, features, np.arange(20), np.arange(30, 40)[::-1]))
    assert abs(after["train"][:, 0].mean()) < 1e-6
