"""Teachers that users bring: outputs in files, estimators, modules that were trained elsewhere."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.model_selection import StratifiedKFold
from torch import nn

from kdtune.columns import BASELINE, STUDENT, TEACHER
from kdtune.errors import SweepFileError
from kdtune.inputs.class_orders import describe_better_order
from kdtune.plan.enumerate_networks import enumerate_networks
from kdtune.plan.network import make_pack
from kdtune.spec.load import load_spec
from kdtune.stacked.probe import measure_trained_module
from kdtune.train.sklearn_teachers import N_FOLDS
from kdtune.train.soft_outputs import take_logarithm
from kdtune.train.train_pack import train_pack
from kdtune.train.trained_network import TrainedNetwork
from tests.given_files import GIVEN, N_TEST, N_TRAIN, make_arrays, write_arrays, write_given

PROBABILITIES = {"kind": "probabilities", "outputs": {"train": "train_p.npy", "test": "test_p.npy"}}
FOREST = {
    "kind": "sklearn",
    "factory": "sklearn.ensemble:ExtraTreesClassifier",
    "args": {"n_estimators": 20},
}


def probe(shape: Any, input_shape: tuple[int, ...], n_classes: int, examples: Any) -> Any:
    weights = None if shape.weights_path is None else Path(shape.weights_path)
    return measure_trained_module(shape.load_factory(), shape.args, input_shape, n_classes, weights, examples)


def load(folder: Path, **blocks: Any) -> Any:
    return load_spec(write_given(folder, **blocks), inputs_folder=folder / "results/inputs", probe=probe)


def train_teachers(folder: Path, **blocks: Any) -> list[TrainedNetwork]:
    networks = [network for network in enumerate_networks(load(folder, **blocks)) if network.model == TEACHER]
    return [train_pack(make_pack([network]))[0] for network in networks]


def refuse(folder: Path, **blocks: Any) -> str:
    with pytest.raises(SweepFileError) as raised:
        load(folder, **blocks)
    assert not (folder / "results").exists()
    return str(raised.value)


def test_given_logits_reach_the_splits_that_their_rows_belong_to(tmp_path):
    arrays = write_arrays(tmp_path)
    first, second = train_teachers(tmp_path, replicates=2)
    for teacher in (first, second):
        np.testing.assert_array_equal(teacher.logits["test"], arrays["test_z"])
        rebuilt = np.concatenate([teacher.logits["train"], teacher.logits["val"]])
        np.testing.assert_array_equal(np.sort(rebuilt, axis=0), np.sort(arrays["train_z"], axis=0))
        errors = (arrays["test_z"].argmax(axis=1) != arrays["test_y"]).sum()
        assert teacher.row["num_error"] == errors
        assert (teacher.row["n_params"], teacher.row["teacher_seed"], teacher.row["epochs"]) == (None, None, None)
        assert teacher.weights is None
    assert not np.array_equal(first.logits["val"], second.logits["val"])  # Another cut from the training part.


def test_one_file_of_outputs_belongs_to_a_set_that_is_split_here(tmp_path):
    arrays = write_arrays(tmp_path)
    whole_set = {"x": "train_x.npy", "y": "train_y.npy"}
    (teacher,) = train_teachers(tmp_path, dataset=whole_set, teacher={"kind": "logits", "outputs": "train_z.npy"})
    logits = np.concatenate([teacher.logits[split] for split in ("train", "val", "test")])
    assert len(logits) == N_TRAIN
    np.testing.assert_array_equal(np.sort(logits, axis=0), np.sort(arrays["train_z"], axis=0))


def test_probabilities_make_the_soft_targets_of_their_logits(tmp_path):
    arrays = write_arrays(tmp_path)
    (teacher,) = train_teachers(tmp_path, teacher=PROBABILITIES)
    for T in (1.0, 4.0):
        logits = torch.softmax(torch.tensor(arrays["test_z"]) / T, dim=1)
        logarithms = torch.softmax(torch.tensor(teacher.logits["test"]) / T, dim=1)
        np.testing.assert_allclose(logarithms, logits, atol=1e-5)


@settings(deadline=None)
@given(st.lists(st.floats(0, 1), min_size=2, max_size=6), st.floats(1e-9, 0.01))
def test_the_floor_keeps_logarithms_finite_and_larger_probabilities_as_they_are(values, floor):
    logits = take_logarithm(np.array([values]), floor)
    assert np.isfinite(logits).all()
    for value, logit in zip(values, logits[0], strict=True):
        np.testing.assert_allclose(logit, np.log(max(value, floor)), rtol=1e-5)


def test_what_is_raised_to_the_floor_is_said(tmp_path):
    p = make_arrays()["train_p"]
    p = np.where(p < 0.01, 0, p)
    p /= p.sum(axis=1, keepdims=True)
    write_arrays(tmp_path, train_p=p)
    n_raised = int((p < 1e-4).sum() + (make_arrays()["test_p"] < 1e-4).sum())
    notes = load(tmp_path, teacher=PROBABILITIES).notes
    assert any(f"{n_raised} of {3 * (N_TRAIN + N_TEST):,} probabilities are below 0.0001" in note for note in notes)


def test_the_agreement_with_the_labels_is_said(tmp_path):
    arrays = write_arrays(tmp_path)
    shares = [(arrays[f"{s}_z"].argmax(axis=1) == arrays[f"{s}_y"]).mean() for s in ("train", "test")]
    notes = load(tmp_path).notes
    expected = f"agrees with {shares[0]:.1%} of the training labels and {shares[1]:.1%} of the test labels"
    assert any(expected in note for note in notes)


def test_rows_in_another_order_are_refused_unless_any_agreement_will_do(tmp_path):
    write_arrays(tmp_path, train_z=np.random.default_rng(3).permutation(make_arrays()["train_z"]))
    message = refuse(tmp_path)
    assert "are the rows in the same order?" in message
    assert load(tmp_path, teacher={**GIVEN["teacher"], "agreement": "any"}).cases


@pytest.mark.parametrize(
    ("replaced", "teacher", "message"),
    [
        ({"train_z": np.zeros((N_TRAIN - 1, 3))}, {}, "outputs.train: has 239 rows for 240 train examples"),
        ({"test_z": np.zeros((N_TEST, 4))}, {}, "outputs.test: has 4 columns, and the data have 3 classes"),
        ({"train_z": np.full((N_TRAIN, 3), np.nan)}, {}, "outputs.train: row 0 (counted from 0) holds NaN"),
        ({"train_z": make_arrays()["train_p"]}, {}, "so these are probabilities: write `kind: probabilities`"),
        ({"train_p": -make_arrays()["train_p"]}, PROBABILITIES, "holds a value below 0, so these are no probabilities"),
        ({"train_p": make_arrays()["train_p"] / 2}, PROBABILITIES, "row 0 (counted from 0) adds up to 0.5"),
        ({}, {"kind": "logits", "outputs": "train_z.npy"}, "must be a file for each part of the data: {train: z_train"),
        ({}, {**GIVEN["teacher"], "train": {"epochs": 3}}, "teacher.train: a teacher of kind logits is not trained by"),
        ({}, {**GIVEN["teacher"], "outputs": {"train": "none.npy", "test": "test_z.npy"}}, "teacher.outputs.train: "),
    ],
)  # fmt: skip
def test_outputs_that_do_not_fit_are_refused(tmp_path, replaced, teacher, message):
    write_arrays(tmp_path, **replaced)
    assert message in refuse(tmp_path, teacher=teacher or GIVEN["teacher"])


def test_outputs_of_generated_data_and_of_shifted_images_are_refused(tmp_path):
    write_arrays(tmp_path)
    generated = {"kind": "make_classification", "n_samples": 100}
    assert "those of make_classification are generated anew" in refuse(tmp_path, dataset=generated)
    np.save(tmp_path / "digits_z.npy", np.zeros((1797, 10)))
    outputs = {"kind": "logits", "outputs": "digits_z.npy", "agreement": "any"}
    for teacher in (outputs, FOREST):
        assert "leave jitter out" in refuse(tmp_path, dataset={"kind": "digits", "jitter": 1}, teacher=teacher)
    assert "shifts images" in refuse(tmp_path, dataset={**GIVEN["dataset"], "jitter": 1}, teacher={"hidden": [4]})
    assert load(tmp_path, dataset={"kind": "digits"}, teacher=outputs).cases


def test_replicates_that_redraw_nothing_are_refused(tmp_path):
    arrays = write_arrays(tmp_path)
    np.save(tmp_path / "val_x.npy", arrays["test_x"])
    np.save(tmp_path / "val_y.npy", arrays["test_y"])
    np.save(tmp_path / "val_z.npy", arrays["test_z"])
    blocks = {
        "dataset": {**GIVEN["dataset"], "val": {"x": "val_x.npy", "y": "val_y.npy"}},
        "teacher": {"kind": "logits", "outputs": {**GIVEN["teacher"]["outputs"], "val": "val_z.npy"}},
    }
    message = refuse(tmp_path, replicates={"data": 3}, **blocks)
    assert "replicates: 3 would redraw nothing but what is given" in message
    networks = list(enumerate_networks(load(tmp_path, replicates=3, **blocks)))
    assert [sum(network.model == model for network in networks) for model in (TEACHER, BASELINE, STUDENT)] == [1, 3, 6]


def test_an_unlabelled_transfer_set_has_no_baselines_and_no_hard_loss(tmp_path):
    arrays = write_arrays(tmp_path)
    np.save(tmp_path / "val_x.npy", arrays["test_x"])
    np.save(tmp_path / "val_y.npy", arrays["test_y"])
    np.save(tmp_path / "val_z.npy", arrays["test_z"])
    blocks = {
        "dataset": {
            "train": {"x": "train_x.npy"},
            "val": {"x": "val_x.npy", "y": "val_y.npy"},
            "test": {"x": "test_x.npy", "y": "test_y.npy"},
        },
        "teacher": {"kind": "logits", "outputs": {**GIVEN["teacher"]["outputs"], "val": "val_z.npy"}},
    }
    networks = list(enumerate_networks(load(tmp_path, **blocks)))
    assert {network.model for network in networks} == {TEACHER, STUDENT}
    assert "distill.hard_weight: needs labels" in refuse(tmp_path, **blocks, distill={"T": 2, "hard_weight": 0.5})
    assert "is trained on labels" in refuse(tmp_path, **{**blocks, "teacher": {"hidden": [4]}})
    without_val = {**blocks, "dataset": {k: v for k, v in blocks["dataset"].items() if k != "val"}}
    assert "val" in refuse(tmp_path, **without_val)


def test_soft_targets_of_an_estimator_are_in_sample_by_default_and_may_be_out_of_fold(tmp_path):
    write_arrays(tmp_path)
    (teacher,) = train_teachers(tmp_path, teacher={**FOREST, "soft_targets": "out_of_fold"})
    network, floor = teacher.network, teacher.network.shape.floor
    from kdtune.data.load import load_data

    data = load_data(network.data)
    seed = network.weights_seed % 2**32
    whole = ExtraTreesClassifier(20, random_state=seed).fit(data.x_train, data.y_train)
    np.testing.assert_allclose(teacher.logits["test"], take_logarithm(whole.predict_proba(data.x_test), floor))
    expected = np.zeros((len(data.y_train), 3))
    folds = StratifiedKFold(N_FOLDS, shuffle=True, random_state=seed)
    for train, held_out in folds.split(data.x_train, data.y_train):
        estimator = ExtraTreesClassifier(20, random_state=seed).fit(data.x_train[train], data.y_train[train])
        expected[held_out] = estimator.predict_proba(data.x_train[held_out])
    np.testing.assert_allclose(teacher.logits["train"], take_logarithm(expected, floor))
    (in_sample,) = train_teachers(tmp_path, teacher=FOREST)
    np.testing.assert_allclose(in_sample.logits["train"], take_logarithm(whole.predict_proba(data.x_train), floor))
    # A forest of full trees knows the rows that it was trained on nearly by heart.
    assert in_sample.logits["train"].argmax(axis=1).tolist() == data.y_train.tolist()


def test_classes_of_an_estimator_are_matched_by_label(tmp_path):
    arrays = make_arrays()
    y = arrays["train_y"].copy()
    y[y == 0] = 1  # Class 0 has no training example, so the estimator knows two classes.
    write_arrays(tmp_path, train_y=y, test_y=np.where(arrays["test_y"] == 0, 1, arrays["test_y"]))
    dataset = {**GIVEN["dataset"], "n_classes": 3}
    (teacher,) = train_teachers(tmp_path, teacher=FOREST, dataset=dataset)
    assert (teacher.logits["test"][:, 0] == np.float32(np.log(teacher.network.shape.floor))).all()
    assert teacher.row["num_error"] < N_TEST / 3


def test_estimators_that_cannot_be_teachers_are_refused(tmp_path):
    write_arrays(tmp_path)
    assert "LinearSVC, which has no predict_proba" in refuse(
        tmp_path, teacher={"kind": "sklearn", "factory": "sklearn.svm:LinearSVC"}
    )
    assert "did you mean" in refuse(tmp_path, teacher={**FOREST, "factory": "sklearn.ensemble:ExtraTreeClassifier"})
    assert "takes no argument 'n_estimator'; did you mean 'n_estimators'?" in refuse(
        tmp_path, teacher={**FOREST, "args": {"n_estimator": 3}}
    )


MODULES = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self, inputs, n_classes):
        super().__init__()
        self.linear = nn.Linear(inputs[0], n_classes)

    def forward(self, x):
        return self.linear(x)
"""


def test_a_trained_module_is_used_as_it_is(tmp_path):
    arrays = write_arrays(tmp_path)
    (tmp_path / "teacher_nets.py").write_text(MODULES)
    linear = nn.Linear(5, 3)
    with torch.no_grad():
        linear.weight.copy_(torch.eye(3, 5))
        linear.bias.zero_()
    state = {f"linear.{name}": value for name, value in linear.state_dict().items()}
    save_file(state, tmp_path / "teacher.safetensors")
    torch.save(state, tmp_path / "teacher.pt")
    expected = linear(torch.tensor(arrays["test_x"])).detach().numpy()
    ids = set()
    for weights in ("teacher.safetensors", "teacher.pt"):
        block = {"kind": "python", "factory": "teacher_nets:Net", "weights": weights, "trained": True}
        teachers = train_teachers(tmp_path, teacher=block, replicates=2)
        for teacher in teachers:
            np.testing.assert_allclose(teacher.logits["test"], expected, rtol=1e-5)
            assert (teacher.row["n_params"], teacher.row["multiply_adds"]) == (18, 15)
        ids.add(teachers[0].network.id)
    assert len(ids) == 2  # Files of weights are known by their bytes.
    other = {"linear.weight": torch.zeros(2, 5), "linear.bias": torch.zeros(2)}
    save_file(other, tmp_path / "other.safetensors")
    block = {"kind": "python", "factory": "teacher_nets:Net", "weights": "other.safetensors", "trained": True}
    assert re.search(r"given.yaml:\d+: teacher.weights: .* does not fit the module", refuse(tmp_path, teacher=block))
    torch.save({f"module.{name}": values for name, values in other.items()}, tmp_path / "parallel.pt")
    message = refuse(tmp_path, teacher={**block, "weights": "parallel.pt"})
    assert "all names in it begin with 'module.'" in message
    assert "save model.module.state_dict()" in message
    torch.save({"epoch": 3, "model": other}, tmp_path / "checkpoint.pt")
    assert "(it has epoch and model)" in refuse(tmp_path, teacher={**block, "weights": "checkpoint.pt"})
    torch.save({"model": Path("x")}, tmp_path / "pickle.pt")
    assert "holds more than weights" in refuse(tmp_path, teacher={**block, "weights": "pickle.pt"})
    message = refuse(tmp_path, teacher={**block, "inputs": {"size": 8}})
    assert "teacher.inputs: reads image files at another size, and the data are of kind arrays" in message


def test_a_trained_module_with_its_classes_in_another_order_fails_unless_any_agreement_will_do(tmp_path):
    write_arrays(tmp_path)
    (tmp_path / "teacher_nets.py").write_text(MODULES)
    # The centre of a class is the unit vector of its number, which this teacher takes for that of the next class.
    weights = {"linear.weight": torch.eye(3, 5).roll(1, 0), "linear.bias": torch.zeros(3)}
    save_file(weights, tmp_path / "rolled.safetensors")
    block = {"kind": "python", "factory": "teacher_nets:Net", "weights": "rolled.safetensors", "trained": True}
    message = r"agrees with \d+\.\d% of the labels, and with its classes in the order 2, 0 and 1 it would agree with"
    with pytest.raises(ValueError, match=message):
        train_teachers(tmp_path, teacher=block)
    (teacher,) = train_teachers(tmp_path, teacher={**block, "agreement": "any"})
    assert teacher.row["status"] == "done"


def test_given_outputs_with_two_classes_exchanged_are_refused_unless_any_agreement_will_do(tmp_path):
    arrays = make_arrays()
    write_arrays(tmp_path, **{f"{part}_z": arrays[f"{part}_z"][:, [0, 2, 1]] for part in ("train", "test")})
    assert re.search(
        "teacher.outputs.train: agrees with .* in the order 0, 2 and 1 it would agree with", refuse(tmp_path)
    )
    load(tmp_path, teacher={**GIVEN["teacher"], "agreement": "any"})


@settings(max_examples=50, deadline=None)
@given(st.integers(2, 6), st.floats(0.6, 0.99), st.integers(0, 10**6))
def test_an_honest_teacher_is_not_taken_for_one_with_its_classes_in_another_order(n_classes, accuracy, seed):
    random = np.random.default_rng(seed)
    labels = random.integers(0, n_classes, 400)
    wrong = (labels + random.integers(1, n_classes, 400)) % n_classes
    predictions = np.where(random.random(400) < accuracy, labels, wrong)
    assert describe_better_order(predictions, labels, range(n_classes)) is None
    order = np.roll(np.arange(n_classes), 1)
    assert "it would agree with" in describe_better_order(order[predictions], labels, range(n_classes))


def test_outputs_in_one_archive(tmp_path):
    arrays = write_arrays(tmp_path)
    np.savez(tmp_path / "z.npz", train=arrays["train_z"], test=arrays["test_z"])
    (teacher,) = train_teachers(tmp_path, teacher={"kind": "logits", "outputs": {"train": "z.npz", "test": "z.npz"}})
    np.testing.assert_array_equal(teacher.logits["test"], arrays["test_z"])


def test_tables_of_settings_of_several_types_hold_text(tmp_path):
    from kdtune.table import merge_tables, rows_to_arrow

    rows = [{"id": str(i), "model": "teacher", "status": "done", "depth_limit": v} for i, v in enumerate([3, "sqrt"])]
    assert rows_to_arrow(rows)["depth_limit"].to_pylist() == ["3", "sqrt"]
    merged = merge_tables([rows_to_arrow(rows[:1]), rows_to_arrow(rows[1:])])
    assert merged["depth_limit"].to_pylist() == ["3", "sqrt"]
    assert isinstance(pd.DataFrame(merged.to_pandas()), pd.DataFrame)


CHANGES_ITS_INPUTS = """
import numpy as np
from torch import nn

class Estimator:
    def fit(self, x, y):
        self.classes_ = np.unique(y)
        x *= 0
        return self
    def predict_proba(self, x):
        x *= 0
        return np.full((len(x), len(self.classes_)), 1 / len(self.classes_))

class Module(nn.Module):
    def __init__(self, inputs, n_classes):
        super().__init__()
        self.linear = nn.Linear(inputs[0], n_classes)
    def forward(self, x):
        return self.linear(x.mul_(0))
"""


@pytest.mark.parametrize(
    "teacher",
    [
        {"kind": "sklearn", "factory": "rude_teachers:Estimator"},
        {"kind": "sklearn", "factory": "rude_teachers:Estimator", "soft_targets": "out_of_fold"},
        {"kind": "python", "factory": "rude_teachers:Module", "trained": True},
    ],
)
def test_a_teacher_that_changes_its_inputs_changes_no_data(tmp_path, teacher):
    from kdtune.data.load import load_data

    arrays = write_arrays(tmp_path)
    (tmp_path / "rude_teachers.py").write_text(CHANGES_ITS_INPUTS)
    (result,) = train_teachers(tmp_path, teacher=teacher)
    data = load_data(result.network.data)
    np.testing.assert_array_equal(data.x_train, arrays["train_x"][data.rows["train"].indices])
    np.testing.assert_array_equal(data.x_test, arrays["test_x"])
