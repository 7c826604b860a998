"""The measures of every network, and what T acts on: their values, and tables with and without them."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

import kdtune as package
from kdtune.analysis.cells import find_cell_columns
from kdtune.columns import (
    BALANCED_ERROR,
    COLUMN_TYPES,
    DESCRIPTIVE_COLUMNS,
    ID,
    LATER_COLUMNS,
    LOGIT_STD,
    MODEL,
    MULTIPLY_ADDS,
    N_PARAMS,
    NUM_ERROR,
    SOFTMAX_ENTROPY,
    STUDENT,
    TEACHER,
    TEMP,
    VAL_BALANCED_ERROR,
    VAL_NLL,
)
from kdtune.foreign.plain_tables import to_plain_table
from kdtune.plan.enumerate_networks import enumerate_networks
from kdtune.plan.network import Network
from kdtune.train import metrics
from tests.planted_measures import BEST_BY, plant, sweep_three


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return sweep_three(tmp_path_factory.mktemp("measures"))


def test_balanced_error_is_the_mean_of_the_classes_shares():
    logits = np.eye(3)[[0, 0, 0, 1, 1, 0]]
    labels = np.array([0, 0, 0, 0, 1, 1])  # one of four wrong, one of two wrong, no example of class 2
    assert metrics.balanced_error(logits, labels) == (1 / 4 + 1 / 2) / 2
    assert metrics.count_errors(logits, labels) == 2


def test_logit_std_and_entropy_of_known_logits():
    # Centred, the first example is -1, 1 and the second 0, 0: the mean square is a half.
    assert metrics.logit_std(np.array([[4.0, 6.0], [9.0, 9.0]])) == math.sqrt(0.5)
    certain, equal = np.array([[0.0, 1000.0]]), np.array([[3.0, 3.0]])
    assert metrics.softmax_entropy(certain) == 0
    assert metrics.softmax_entropy(equal) == pytest.approx(math.log(2), rel=1e-15)
    assert metrics.softmax_entropy(np.concatenate([certain, equal])) == pytest.approx(math.log(2) / 2, rel=1e-15)


@given(
    n_examples=st.integers(1, 40), n_classes=st.integers(2, 6), seed=st.integers(0, 2**32 - 1), shift=st.floats(-99, 99)
)
def test_the_measures_have_their_bounds_and_invariances(n_examples, n_classes, seed, shift):
    random = np.random.default_rng(seed)
    logits, labels = random.normal(0, 3, (n_examples, n_classes)), random.integers(0, n_classes, n_examples)
    error = metrics.balanced_error(logits, labels)
    assert 0 <= error <= 1
    assert metrics.balanced_error(np.repeat(logits, 2, axis=0), np.repeat(labels, 2)) == pytest.approx(error)
    every_class_once = np.arange(n_classes)
    assert metrics.balanced_error(logits[[0] * n_classes], every_class_once) == pytest.approx(1 - 1 / n_classes)
    # A softmax does not see a shift of all logits; twice the logits are twice as far apart, and no softer.
    assert metrics.logit_std(logits + shift) == pytest.approx(metrics.logit_std(logits), abs=1e-9)
    assert metrics.logit_std(2 * logits) == pytest.approx(2 * metrics.logit_std(logits))
    entropy = metrics.softmax_entropy(logits)
    assert metrics.softmax_entropy(logits + shift) == pytest.approx(entropy, abs=1e-9)
    assert 0 <= metrics.softmax_entropy(2 * logits) <= entropy <= math.log(n_classes) + 1e-12


def test_a_large_training_set_is_measured_in_parts(monkeypatch):
    logits = np.random.default_rng(0).normal(0, 3, (101, 4)).astype(np.float32)
    whole = metrics.logit_std(logits), metrics.softmax_entropy(logits)
    monkeypatch.setattr(metrics, "_BLOCK", 40)
    assert (metrics.logit_std(logits), metrics.softmax_entropy(logits)) == pytest.approx(whole, rel=1e-12)


@pytest.mark.parametrize(("teacher", "expected"), [
    ({"kind": "mlp", "hidden": [200, 200]}, 64 * 200 + 200 * 200 + 200 * 10),
    ({"kind": "mlp", "hidden": [5]}, 64 * 5 + 5 * 10),
    # Kernels of 3 x 3 at 8 x 8 places; 2 x 2 pools leave 4 x 4 places of 4 channels.
    ({"kind": "cnn", "channels": [4], "kernel": 3, "pool": 2, "hidden": [7]},
     9 * 4 * 64 + 4 * 16 * 7 + 7 * 10),
])  # fmt: skip
def test_multiply_adds_are_those_of_one_example(spec, teacher, expected):
    networks = list(enumerate_networks(spec(dataset={"kind": "digits"}, teacher=teacher)))
    assert {network.multiply_adds for network in networks if network.model == TEACHER} == {expected}


def test_a_network_without_layers_has_no_multiply_adds(spec, monkeypatch):
    network = next(iter(enumerate_networks(spec())))
    monkeypatch.setattr(Network, "layers", [])
    assert network.multiply_adds is None


# The table of a sweep.


def test_every_network_has_the_measures_and_teachers_what_temperature_acts_on(folder):
    table = package.read_table(folder)
    assert table[[BALANCED_ERROR, VAL_BALANCED_ERROR]].stack().between(0, 1).all()
    assert len(table[[BALANCED_ERROR, VAL_BALANCED_ERROR]].stack()) == 2 * len(table)
    is_teacher = table[MODEL] == TEACHER
    assert table.loc[is_teacher, MULTIPLY_ADDS].tolist() == [64 * 40 + 40 * 10]
    assert set(table.loc[~is_teacher, MULTIPLY_ADDS]) == {64 * 5 + 5 * 10}
    assert (table[N_PARAMS] > table[MULTIPLY_ADDS]).all()  # biases
    assert (table.loc[is_teacher, [LOGIT_STD, SOFTMAX_ENTROPY]] > 0).all(axis=None)
    assert (table[LOGIT_STD] > 0).all()
    assert table.loc[~is_teacher, SOFTMAX_ENTROPY].isna().all()


def test_the_test_balanced_error_is_that_of_the_recorded_classes(folder):
    classes = package.read_table(folder, per_class=True)
    shares = classes[NUM_ERROR] / classes["n"].where(classes["n"] > 0)
    expected = shares.groupby(classes[ID]).mean()
    table = package.read_table(folder).set_index(ID)
    np.testing.assert_allclose(table[BALANCED_ERROR], expected[table.index], rtol=1e-12)


def test_the_teachers_figures_are_those_of_its_logits(folder):
    table = package.read_table(folder)
    teacher = table[table[MODEL] == TEACHER].iloc[0]
    data, network = package.load_data(folder, teacher[ID]), package.load(folder, teacher[ID])
    import torch

    with torch.no_grad():
        wrong = network(torch.as_tensor(data.x_val)).numpy().argmax(axis=1) != data.y_val
        logits = network(torch.as_tensor(data.x_train)).numpy().astype(np.float64)
    assert 0 < wrong.sum() == teacher["val_num_error"]
    shares = [wrong[data.y_val == label].mean() for label in np.unique(data.y_val)]
    assert teacher[VAL_BALANCED_ERROR] == pytest.approx(np.mean(shares), rel=1e-12)
    centred = logits - logits.mean(axis=1, keepdims=True)
    assert teacher[LOGIT_STD] == pytest.approx(np.sqrt((centred**2).mean()), rel=1e-4)
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    assert teacher[SOFTMAX_ENTROPY] == pytest.approx(-(p * np.log(p)).sum(axis=1).mean(), rel=1e-4)


def test_a_table_without_the_columns_is_read_as_before(folder, tmp_path):
    new = pq.read_table(folder / "table.parquet")
    pq.write_table(new.drop_columns(list(LATER_COLUMNS)), tmp_path / "old.parquet")
    pq.write_table(new, tmp_path / "new.parquet")
    old, new = (package.analyze(tmp_path / f"{name}.parquet", select=NUM_ERROR) for name in ("old", "new"))
    for frame in ("t_opt", "test", "curves", "fixed"):
        pd.testing.assert_frame_equal(getattr(old, frame), getattr(new, frame), check_exact=True)
    old_table = package.read_table(tmp_path / "old.parquet")
    assert set(COLUMN_TYPES) - set(old_table) == set(LATER_COLUMNS)
    old_table.to_csv(tmp_path / "old.csv", index=False)  # In a sweep's table types are what they are, old ones too.
    assert package.analyze(tmp_path / "old.csv").t_opt["T_opt"].tolist() == old.t_opt["T_opt"].tolist()
    texts = to_plain_table(old_table.assign(bias_shift="3")).frame["bias_shift"]
    assert texts.tolist() == ["3"] * len(texts)
    package.report(tmp_path / "old.parquet")
    assert VAL_NLL in package.show(tmp_path / "old.parquet")


@pytest.mark.parametrize("name", [BALANCED_ERROR, VAL_BALANCED_ERROR, *DESCRIPTIVE_COLUMNS])
def test_the_columns_never_name_a_setting(name):
    runs = plant()[[TEMP, "replicate", NUM_ERROR]]
    runs[name] = np.arange(len(runs)) % 3 / 10  # another value in each row of a cell
    answer = package.analyze(runs)
    assert answer.cell_columns == []
    assert answer.t_opt["T_opt"].tolist() == [BEST_BY[NUM_ERROR]]
    assert find_cell_columns(runs.assign(**{MODEL: STUDENT})) == []


def test_balanced_errors_are_the_errors_of_a_table_that_has_no_others():
    answer = package.analyze(plant()[[TEMP, "replicate", BALANCED_ERROR]])
    assert answer.t_opt["T_opt"].tolist() == [BEST_BY[BALANCED_ERROR]]
    assert f"{BALANCED_ERROR} is taken for the errors on the test split." in answer.reading_notes
