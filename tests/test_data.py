"""Data sets: splits, scaling, transfer sets, and the classes that networks are trained on."""

from __future__ import annotations

import numpy as np
import pytest

from kdtune.columns import DONE, ID, LABEL, SEEN, SEEN_CLASSES, STATUS, TEACHER
from kdtune.data.load import load_data
from kdtune.data.splits import select_classes
from kdtune.plan.network import make_data_draw
from kdtune.results.detail_tables import build_per_class
from kdtune.results.store import Store
from kdtune.table import select_networks
from kdtune.train.train_pack import train_pack

# 30 training examples of 34 classes: some class has none.
MANY_CLASSES = {
    "kind": "make_classification",
    "n_samples": 60,
    "n_features": 13,
    "n_classes": 34,
    "p_informative": 1.0,
    "test_size": 30,
}
SMALL_TRAINING = ("train.batch_size=10", "student.width=3", "distill.T=2")


@pytest.fixture
def train_sweep(plan, tmp_path):
    """Train a sweep in this process: its plan, and the rows as they come out of the store's part files."""

    def train_sweep(*overrides):
        store = Store(tmp_path, "small")
        p = plan(*overrides, *SMALL_TRAINING)
        for pack in p.packs:
            store.save_pack(pack.id, train_pack(pack, store.teachers.load_logits))
        return p, store.read_rows()

    return train_sweep


@pytest.mark.parametrize(
    "dataset", [MANY_CLASSES, {"kind": "digits"}, {"kind": "make_classification", "n_samples": 500, "n_features": 20}]
)
def test_splits_are_as_large_as_the_settings_say(spec, dataset):
    settings = spec("train.batch_size=10", dataset=dataset).cases[0].dataset
    data = load_data(make_data_draw(settings, 0, 0))
    for split, size in (("train", settings.n_train), ("val", settings.val_size), ("test", settings.test_size)):
        x, y = getattr(data, f"x_{split}"), getattr(data, f"y_{split}")
        assert x.shape == (size, settings.n_features)
        assert y.shape == (size,)
        assert x.dtype == np.float32
        assert y.dtype == np.int64
        assert set(y) <= set(range(settings.n_classes))


def test_generated_features_are_standardised_by_the_training_split(spec):
    data = load_data(make_data_draw(spec().cases[0].dataset, 0, 0))
    np.testing.assert_allclose(data.x_train.mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(data.x_train.std(axis=0), 1, atol=1e-5)


def test_the_same_draw_gives_the_same_bits_and_another_draw_does_not(spec):
    settings = spec().cases[0].dataset
    data = load_data(make_data_draw(settings, 0, 0))
    load_data.cache_clear()
    same_data = load_data(make_data_draw(settings, 0, 0))
    assert same_data is not data
    assert np.array_equal(same_data.x_train, data.x_train)
    assert not np.array_equal(load_data(make_data_draw(settings, 1, 0)).x_train, data.x_train)


def test_trained_classes_are_those_with_a_training_example(spec):
    data = load_data(make_data_draw(spec("train.batch_size=10", dataset=MANY_CLASSES).cases[0].dataset, 0, 0))
    assert data.train_classes == sorted(set(data.y_train.tolist()))
    assert len(data.train_classes) < data.n_classes
    first, second = data.train_classes[:2]
    absent = min(set(range(data.n_classes)) - set(data.train_classes))
    transfer_set = select_classes(data, [first, second, absent])
    assert transfer_set.data.train_classes == [first, second]
    assert np.array_equal(data.y_train[transfer_set.example_indices], transfer_set.data.y_train)


@pytest.mark.parametrize("transfer", ["transfer={}", "transfer={omit: [3]}"])
def test_a_class_without_a_training_example_is_not_seen(train_sweep, transfer):
    """Though it is in no transfer set's omit: the draw of the training split holds none of it."""
    p, rows = train_sweep(f"dataset={MANY_CLASSES}", transfer)
    assert rows[STATUS].to_pylist() == [DONE] * len(p.networks)
    classes = build_per_class(rows).to_pandas()
    for network in p.networks:
        trained_labels = set(load_data(network.data).y_train.tolist())
        assert len(trained_labels) < 34
        if network.model != TEACHER and network.transfer is not None:
            trained_labels -= {3}
        network_classes = classes[classes[ID] == network.id]
        assert len(network_classes) == 34
        assert set(network_classes[LABEL][network_classes[SEEN]]) == trained_labels


def test_rows_that_recorded_no_classes_saw_all(train_sweep):
    """Rows of earlier versions: of networks without a transfer set they said nothing."""
    p, rows = train_sweep("dataset.class_sep=1")
    assert rows[SEEN_CLASSES].to_pylist() == [[0, 1, 2]] * len(p.networks)
    without_classes = build_per_class(rows.drop_columns([SEEN_CLASSES]))
    assert without_classes.equals(build_per_class(rows))
    assert without_classes[SEEN].to_pylist() == [True] * (3 * len(p.networks))


def test_the_classes_are_no_column_of_the_table(train_sweep):
    p, rows = train_sweep("dataset.class_sep=1")
    assert SEEN_CLASSES in rows.column_names
    assert SEEN_CLASSES not in select_networks(rows, [network.id for network in p.networks]).column_names
