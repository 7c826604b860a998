"""Data that users bring as arrays: how they are split and scaled, what their ids depend on, what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file

from kdtune.data import given as given_module_data
from kdtune.data.load import load_data
from kdtune.data.mapped_examples import MappedExamples, measure_scaling
from kdtune.errors import SweepFileError
from kdtune.plan.enumerate_networks import enumerate_networks
from kdtune.plan.network import Network
from kdtune.settings import given as given_module
from kdtune.spec.load import load_spec
from tests.given_files import GIVEN, N_CLASSES, N_TEST, N_TRAIN, make_arrays, write_arrays, write_given

WHOLE_SET = {"x": "train_x.npy", "y": "train_y.npy"}


def list_networks(folder: Path, **blocks: Any) -> list[Network]:
    return list(enumerate_networks(load_spec(write_given(folder, **blocks), inputs_folder=folder / "results/inputs")))


def refuse(folder: Path, **blocks: Any) -> str:
    with pytest.raises(SweepFileError) as raised:
        list_networks(folder, **blocks)
    assert not (folder / "results").exists()
    return str(raised.value)


def test_given_splits_are_used_as_they_are_and_validation_is_cut_from_training(tmp_path):
    arrays = write_arrays(tmp_path)
    data = load_data(list_networks(tmp_path)[0].data)
    np.testing.assert_array_equal(data.x_test, arrays["test_x"])
    np.testing.assert_array_equal(data.y_test, arrays["test_y"])
    assert (len(data.x_train), len(data.x_val), len(data.x_test)) == (N_TRAIN - 24, 24, N_TEST)
    # Each split has its share of each class, and every training example is in exactly one of both.
    assert np.bincount(data.y_val).tolist() == [8, 8, 8]
    rows = np.concatenate([data.rows["train"].indices, data.rows["val"].indices])
    assert sorted(rows) == list(range(N_TRAIN))
    for split in ("train", "val"):
        np.testing.assert_array_equal(getattr(data, f"x_{split}"), arrays["train_x"][data.rows[split].indices])


def test_replicates_redraw_the_validation_split_and_keep_the_test_set(tmp_path):
    write_arrays(tmp_path)
    networks = list_networks(tmp_path, replicates=3)
    draws = {network.data.id: load_data(network.data) for network in networks}
    assert len(draws) == 3
    val_rows = {tuple(sorted(data.rows["val"].indices)) for data in draws.values()}
    assert len(val_rows) == 3
    assert len({data.x_test.tobytes() for data in draws.values()}) == 1


@pytest.mark.parametrize("teacher", [GIVEN["teacher"], {"hidden": [4]}])
def test_a_set_that_is_split_here_keeps_its_test_part_only_for_a_teacher_that_is_given(tmp_path, teacher):
    arrays = write_arrays(tmp_path)
    if "kind" in teacher:
        teacher = {"kind": "logits", "outputs": "train_z.npy"}
    networks = list_networks(tmp_path, dataset=WHOLE_SET, teacher=teacher, replicates=3)
    draws = [load_data(draw) for draw in {network.data.id: network.data for network in networks}.values()]
    n_test_sets = len({tuple(sorted(data.rows["test"].indices)) for data in draws})
    assert n_test_sets == (1 if "kind" in teacher else 3)
    assert len({tuple(sorted(data.rows["train"].indices)) for data in draws}) == 3
    for data in draws:
        assert len(data.x_test) == N_TRAIN // 5
        np.testing.assert_array_equal(data.x_train, arrays["train_x"][data.rows["train"].indices])


def test_the_ids_depend_on_the_content_alone(tmp_path):
    arrays = write_arrays(tmp_path)
    ids = [network.id for network in list_networks(tmp_path)]

    def list_ids(dataset: Any) -> list[str]:
        return [network.id for network in list_networks(tmp_path, dataset=dataset)]

    (tmp_path / "elsewhere").mkdir()
    for name in ("train_x", "train_y", "test_x", "test_y"):
        (tmp_path / "elsewhere" / f"{name}.npy").write_bytes((tmp_path / f"{name}.npy").read_bytes())
    moved = {split: {letter: f"elsewhere/{split}_{letter}.npy" for letter in "xy"} for split in ("train", "test")}
    assert list_ids(moved) == ids
    splits = {f"{letter}_{split}": arrays[f"{split}_{letter}"] for split in ("train", "test") for letter in "xy"}
    np.savez(tmp_path / "all.npz", **splits)
    assert list_ids({"kind": "arrays", "file": "all.npz"}) == ids
    save_file({name: np.ascontiguousarray(values) for name, values in splits.items()}, tmp_path / "all.safetensors")
    assert list_ids({"kind": "arrays", "file": "all.safetensors"}) == ids
    np.save(tmp_path / "train_y.npy", arrays["train_y"].astype(np.int32)[:, None])  # other bytes, the same labels
    assert list_ids(GIVEN["dataset"]) == ids
    changed = arrays["train_x"].copy()
    changed[0, 0] += 1
    np.save(tmp_path / "train_x.npy", changed)
    assert not set(list_ids(GIVEN["dataset"])) & set(ids)


def test_scales(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (N_TRAIN, 5), dtype=np.uint8)
    write_arrays(tmp_path, train_x=pixels, test_x=pixels[:N_TEST])
    for scale in (255, "standard"):
        data = load_data(list_networks(tmp_path, dataset={**GIVEN["dataset"], "scale": scale})[0].data)
        train_pixels = pixels[data.rows["train"].indices]
        if scale == 255:
            np.testing.assert_array_equal(data.x_train, train_pixels.astype(np.float32) / np.float32(255))
        else:
            np.testing.assert_allclose(data.x_train.mean(axis=0), 0, atol=1e-6)
            np.testing.assert_allclose(data.x_train.std(axis=0), 1, atol=1e-5)
            expected = (pixels[:N_TEST] - train_pixels.mean(axis=0)) / train_pixels.std(axis=0)
            np.testing.assert_allclose(data.x_test, expected, atol=1e-5)


def test_data_that_stay_in_their_file_give_the_same_rows(tmp_path, monkeypatch):
    write_arrays(tmp_path)
    (network, *_) = list_networks(tmp_path, dataset={**GIVEN["dataset"], "scale": "standard"})
    loaded = load_data.__wrapped__(network.data)
    monkeypatch.setattr(given_module, "MAX_LOADED_BYTES", 0)
    mapped = load_data.__wrapped__(network.data)
    for split in ("train", "val", "test"):
        x = getattr(mapped, f"x_{split}")
        assert isinstance(x, MappedExamples)
        assert x.shape == getattr(loaded, f"x_{split}").shape
        np.testing.assert_array_equal(x[:], getattr(loaded, f"x_{split}"))
        np.testing.assert_array_equal(x[[3, 1]], getattr(loaded, f"x_{split}")[[3, 1]])


@settings(deadline=None, max_examples=30)
@given(st.integers(2, 40), st.integers(1, 6), st.integers(0, 2**32 - 1))
def test_standard_scaling_is_that_of_the_rows_alone(n_rows, n_features, seed):
    random = np.random.default_rng(seed)
    array = random.normal(3, 10, (n_rows + 5, n_features))
    array[:, 0] = 7  # constant
    rows = random.permutation(n_rows + 5)[:n_rows]
    scaled = measure_scaling(array, np.sort(rows)).apply(array[rows])
    np.testing.assert_allclose(scaled.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(scaled[:, 1:].std(axis=0), 1, atol=1e-5)
    assert not scaled[:, 0].any()


def test_labels_may_be_text_and_any_whole_numbers(tmp_path):
    arrays = make_arrays()
    names = np.array(["wolf", "ape", "cow"])
    write_arrays(tmp_path, train_y=names[arrays["train_y"]], test_y=names[arrays["test_y"]])
    (network, *_) = list_networks(tmp_path, teacher={"hidden": [4]})
    assert network.data.settings.given.classes == ("ape", "cow", "wolf")
    data = load_data(network.data)
    assert np.bincount(data.y_test).tolist() == [N_TEST // 3] * 3
    assert (data.y_test[arrays["test_y"] == 1] == 0).all()  # "ape" comes first
    write_arrays(tmp_path, train_y=10 * arrays["train_y"] - 5, test_y=10 * arrays["test_y"] - 5)
    (network, *_) = list_networks(tmp_path, teacher={"hidden": [4]})
    assert network.data.settings.given.classes == (-5, 5, 15)


def test_numbers_as_text_are_ordered_as_text_which_is_said(tmp_path):
    arrays = make_arrays()
    for names, is_said in ((np.array(["2", "10", "1"]), True), (np.array(["1", "2", "3"]), False)):
        write_arrays(tmp_path, train_y=names[arrays["train_y"]], test_y=names[arrays["test_y"]])
        notes = load_spec(write_given(tmp_path, teacher={"hidden": [4]}), inputs_folder=tmp_path / "inputs").notes
        assert ("The labels are numbers written as text, so their order is 1, 10 and 2." in notes) == is_said


def test_images_are_seen_as_images(tmp_path):
    write_arrays(tmp_path, train_x=np.zeros((N_TRAIN, 2, 4, 3), np.float32), test_x=np.zeros((N_TEST, 2, 4, 3)))
    (network, *_) = list_networks(tmp_path, student={"kind": "cnn", "channels": [2], "pool": 1})
    assert network.input_shape == (2, 4, 3)
    assert load_data(network.data).x_train.shape[1] == 24


def nan(values: Any, row: int) -> Any:
    values = values.copy()
    values[row, 1] = np.nan
    return values


@pytest.mark.parametrize(
    ("replaced", "message"),
    [
        ({"test_x": np.zeros((N_TEST, 4))}, "test.x: has examples of shape 4, and train.x of 5"),
        ({"train_x": nan(make_arrays()["train_x"], 17)}, "train.x: row 17 (counted from 0) holds NaN"),
        ({"train_y": np.zeros(N_TRAIN, int)}, "train.y: has one class only (0)"),
        ({"train_y": np.arange(N_TRAIN - 1) % 3}, "train.y: has 239 labels for the 240 examples of train.x"),
        ({"test_y": np.full(N_TEST, 3)}, "test.y: row 0 (counted from 0) has the label 3, which no example of train.y"),
        ({"train_y": np.full(N_TRAIN, 0.5)}, "train.y: row 0 (counted from 0) has the label 0.5; classes are whole"),
        ({"train_y": np.eye(3)[np.arange(N_TRAIN) % 3]}, "of one-hot labels, give y.argmax(axis=1)"),
        ({"train_x": np.zeros(N_TRAIN)}, "train.x: has shape (240,); examples have features"),
        ({"train_x": np.zeros((0, 5))}, "so it is empty"),
        ({"train_x": np.full((N_TRAIN, 5), 1e300)}, "row 0 (counted from 0) holds NaN, or a number"),
        ({"train_x": np.zeros((N_TRAIN, 5), [("a", "f4")])}, "train_x.npy holds values of type [('a', '<f4')]"),
        ({"train_x": np.full((N_TRAIN, 5), "a")}, "train.x: holds values of type <U1; examples must be numbers"),
    ],
)  # fmt: skip
def test_arrays_that_do_not_fit_are_refused(tmp_path, replaced, message):
    write_arrays(tmp_path, **replaced)
    assert message in refuse(tmp_path)


def test_labels_outside_n_classes_are_refused(tmp_path):
    write_arrays(tmp_path)
    assert "has the label 2; with n_classes 2 labels are 0 to 1" in refuse(
        tmp_path, dataset={**GIVEN["dataset"], "n_classes": 2}, teacher={"hidden": [4]}
    )
    (network, *_) = list_networks(tmp_path, dataset={**GIVEN["dataset"], "n_classes": 7}, teacher={"hidden": [4]})
    assert network.data.settings.n_classes == 7


def test_files_that_cannot_be_read_are_refused(tmp_path):
    write_arrays(tmp_path)
    path = tmp_path / "train_x.npy"
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    assert "train.x: " in (message := refuse(tmp_path))
    assert "the file is torn" in message
    np.save(path, np.array([{"a": 1}] * N_TRAIN, object), allow_pickle=True)
    assert "holds Python objects (an object array), which are never read" in refuse(tmp_path)
    path.unlink()
    assert "train.x: " in (message := refuse(tmp_path))
    assert "does not exist" in message or "neither" in message


@pytest.mark.parametrize(
    ("dataset", "message"),
    [
        ({"kind": "arrays"}, "dataset: names no data; give either x and y"),
        ({"x": "x" * 300, "y": "train_y.npy"}, "cannot be looked for: File name too long"),
        ({"x": "train_x.npy"}, "dataset.y: is missing: the label of each example"),
        ({"train": {"x": "train_x.npy", "y": "train_y.npy"}}, "dataset.test: is missing"),
        ({**WHOLE_SET, "test_size": 236}, "each part needs at least one of every class"),
        ({**GIVEN["dataset"], "test_size": 0.2}, "dataset.test_size: goes with data that are split here"),
        ({**GIVEN["dataset"], "x": "train_x.npy"}, "has x and train and test"),
    ],
)
def test_blocks_that_name_no_whole_data_set_are_refused(tmp_path, dataset, message):
    write_arrays(tmp_path)
    assert message in refuse(tmp_path, dataset=dataset, teacher={"hidden": [4]})


def test_a_class_of_one_example_stays_in_training(tmp_path):
    y = np.arange(N_TRAIN) % 2
    y[100] = 2
    write_arrays(tmp_path, train_y=y, test_y=np.arange(N_TEST) % 2)
    (network, *_) = list_networks(tmp_path, teacher={"hidden": [4]}, replicates=2)
    data = load_data(network.data)
    assert 100 in data.rows["train"].indices
    assert network.data.settings.n_classes == N_CLASSES


@settings(deadline=None, max_examples=60)
@given(st.lists(st.integers(1, 30), min_size=2, max_size=6), st.floats(0.05, 0.6), st.integers(0, 99))
def test_a_split_gives_each_class_its_share(counts, share, seed):
    y = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(counts)), counts))
    rows = 3 * np.arange(len(y))
    labels = np.zeros(3 * len(y), int)
    labels[rows] = y
    size = min(max(1, int(share * len(y))), len(y) - len(counts))
    if size < 1:
        return
    rest, drawn = given_module_data._split(rows, labels, size, seed)
    assert len(drawn) == size
    assert sorted([*rest, *drawn]) == rows.tolist()
    assert set(labels[rest]) == set(range(len(counts)))  # Each class keeps an example to train on.
    if min(counts) > 1:
        expected = size * np.array(counts) / len(y)
        limits = np.array(counts) - 1
        drawn_counts = np.bincount(labels[drawn], minlength=len(counts))
        assert (np.abs(drawn_counts - np.minimum(expected, limits)) < 2).all() or (drawn_counts == limits).any()
    again = given_module_data._split(rows, labels, size, seed)
    assert again[1].tolist() == drawn.tolist()
