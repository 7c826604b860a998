"""Sweeps that are written in Python, with arrays, frames, estimators, modules and factories in them."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from sklearn.datasets import load_iris
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC
from torch import nn
from torch.utils.data import TensorDataset

import kdtune
from kdtune.columns import BASELINE, STUDENT, TEACHER
from tests import user_nets
from tests.given_files import GIVEN, make_arrays, make_patients, write_arrays, write_given

FOREST = ExtraTreesClassifier(20, min_samples_leaf=2)
SMALL = {
    "student": {"depth": 1, "width": 4},
    "distill": {"T": {"grid_search": [1, 4]}},
    "train": {"epochs": 2, "batch_size": 30},
}


@pytest.fixture
def sweep(tmp_path, monkeypatch):
    """Run a sweep on the small arrays in this process, some blocks of it replaced."""
    monkeypatch.chdir(tmp_path)
    arrays = make_arrays()
    blocks = {"name": "mine", "dataset": {"x": arrays["train_x"], "y": arrays["train_y"]}, "teacher": FOREST, **SMALL}

    def run(**replaced: Any) -> pd.DataFrame:
        return kdtune.sweep({**blocks, **replaced}, workers=0, progress=False)

    return run


def test_arrays_and_an_unfitted_estimator(sweep, tmp_path):
    table = sweep()
    assert table.groupby("model").size().to_dict() == {TEACHER: 1, BASELINE: 1, STUDENT: 2}
    assert set(table["status"]) == {"done"}
    teacher = table[table["model"] == TEACHER].iloc[0]
    assert (teacher["architecture"], teacher["n_estimators"], teacher["min_samples_leaf"]) == (
        "ExtraTreesClassifier",
        20,
        2,
    )
    # The folder is as from a file: what the sweep was stands in it, and it goes on from it.
    again = kdtune.sweep(tmp_path / "results/mine/sweep.yaml", workers=0, progress=False)
    pd.testing.assert_frame_equal(again, table)
    student = table[table["model"] == STUDENT]["id"].iloc[0]
    data = kdtune.load_data("results/mine", student)
    logits = kdtune.load("results/mine", student)(torch.tensor(data.x_test))
    errors = (logits.argmax(dim=1).numpy() != data.y_test).sum()
    assert errors == table.set_index("id").loc[student, "num_error"]


@pytest.mark.parametrize(
    "dataset",
    [
        lambda a: {"x": a["train_x"], "y": a["train_y"]},
        lambda a: (a["train_x"], a["train_y"]),
        lambda a: {"x": torch.tensor(a["train_x"]), "y": torch.tensor(a["train_y"])},
        lambda a: TensorDataset(torch.tensor(a["train_x"]), torch.tensor(a["train_y"])),
        lambda a: {"X": a["train_x"], "y": a["train_y"].tolist()},
    ],
)
def test_every_form_of_the_same_data_gives_the_same_networks(sweep, dataset):
    assert sweep(dataset=dataset(make_arrays()))["id"].tolist() == sweep()["id"].tolist()


def test_frames_become_tables(sweep):
    patients = make_patients()
    features, outcome = patients.drop(columns="outcome"), patients["outcome"]
    table = sweep(dataset={"x": features, "y": outcome})
    assert (table["n_features"].iloc[0], table["n_classes"].iloc[0]) == (5, 2)  # Two numbers and three wards.
    polars_table = sweep(dataset={"x": pl.from_pandas(features), "y": pl.from_pandas(outcome)})
    assert polars_table["id"].tolist() == table["id"].tolist()
    # The sweep file that is left says the same, with its labels in text.
    again = kdtune.sweep("results/mine/sweep.yaml", workers=0, progress=False)
    assert again["id"].tolist() == table["id"].tolist()
    whole = sweep(dataset={"kind": "table", "file": patients, "target": "outcome"})
    assert whole["id"].tolist() == table["id"].tolist()


def test_a_bunch_of_scikit_learn(sweep):
    table = sweep(dataset=load_iris(), train={"epochs": 2, "batch_size": 20})
    assert (table["n_features"].iloc[0], table["n_classes"].iloc[0]) == (4, 3)


def test_a_fitted_estimator_is_run_here_and_its_probabilities_are_kept(sweep):
    a = make_arrays()
    names = np.array(["wolf", "ape", "cow"])
    forest = ExtraTreesClassifier(20, random_state=0).fit(a["train_x"], names[a["train_y"]])
    dataset = {"train": (a["train_x"], names[a["train_y"]]), "test": (a["test_x"], names[a["test_y"]])}
    table = sweep(dataset=dataset, teacher=forest)
    teacher = table[table["model"] == TEACHER].iloc[0]
    errors = (forest.predict(a["test_x"]) != names[a["test_y"]]).sum()
    assert (teacher["architecture"], teacher["num_error"]) == ("probabilities", errors)


def test_a_fitted_pipeline_on_a_frame(sweep):
    patients = make_patients()
    features = patients[["age", "dose"]]
    pipeline = make_pipeline(StandardScaler(), ExtraTreesClassifier(20, random_state=0)).fit(
        features, patients["outcome"]
    )
    table = sweep(dataset={"x": features, "y": patients["outcome"]}, teacher=pipeline)
    assert table[table["model"] == TEACHER]["num_error"].iloc[0] <= 5


def test_a_trained_module_is_run_here_and_its_logits_are_kept(sweep):
    a = make_arrays()
    module = nn.Sequential(nn.Linear(5, 3), nn.Dropout(0.5)).train()
    outputs = {s: module.eval()(torch.tensor(a[f"{s}_x"])).detach() for s in ("train", "test")}
    table = sweep(
        dataset={"train": (a["train_x"], a["train_y"]), "test": (a["test_x"], a["test_y"])},
        teacher={"kind": "logits", "outputs": outputs,
                 "agreement": "any"},
    )  # fmt: skip
    logits = module(torch.tensor(a["test_x"]))
    expected = int((logits.argmax(dim=1).numpy() != a["test_y"]).sum())
    assert table[table["model"] == TEACHER]["num_error"].iloc[0] == expected
    module.train()
    with torch.no_grad():
        module[0].weight.copy_(torch.eye(3, 5))
    table = sweep(dataset={"train": (a["train_x"], a["train_y"]), "test": (a["test_x"], a["test_y"])}, teacher=module)
    expected = int((module.eval()(torch.tensor(a["test_x"])).argmax(dim=1).numpy() != a["test_y"]).sum())
    assert table[table["model"] == TEACHER]["num_error"].iloc[0] == expected


def test_a_class_of_modules_is_a_student(sweep):
    table = sweep(student={"factory": user_nets.mlp, "args": {"width": {"grid_search": [4, 6]}}})
    students = table[table["model"] == STUDENT]
    assert set(students["status"]) == {"done"}
    assert sorted(set(students["width"])) == [4, 6]
    assert set(students["architecture"]) == {"tests.user_nets:mlp"}


def test_files_and_objects_of_equal_content_are_the_same_networks(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    a = write_arrays(tmp_path)
    from_file = kdtune.sweep(write_given(tmp_path), workers=0, progress=False)
    blocks = {
        **GIVEN,
        "dataset": {"train": (a["train_x"], a["train_y"]), "test": (a["test_x"], a["test_y"])},
        "teacher": {"kind": "logits", "outputs": {split: a[f"{split}_z"] for split in ("train", "test")}},
    }
    in_python = kdtune.sweep(blocks, workers=0, progress=False)
    assert in_python["id"].tolist() == from_file["id"].tolist()


@pytest.mark.parametrize(
    ("blocks", "message"),
    [
        ({"student": nn.Linear(5, 3)}, "student: is a module that exists already; each student is made anew"),
        ({"student": lambda inputs: None}, "student.factory: is a lambda, which workers cannot import"),
        ({"student": functools.partial(nn.Linear, 5)}, "give the function itself, and its arguments as args"),
        ({"student": {"width": object()}}, "student.width: is an object of type builtins.object, which cannot be"),
        ({"teacher": 7}, "teacher: is of type int; give an estimator"),
        ({"teacher": LinearSVC()}, "teacher: LinearSVC has no predict_proba"),
        ({"dataset": {"x": make_arrays()["train_x"], "y": [0, 1]}}, "dataset.y: has 2 labels for the 240 examples"),
        ({"dataset": {"x": object(), "y": [0, 1]}}, "dataset"),
        ({"dataset": {"x": np.array([[{}]] * 3, object), "y": [0, 1, 0]}}, "dataset"),
        ({"dataset": {"kind": "digits"}, "teacher": ExtraTreesClassifier(5).fit([[0], [1]], [0, 1])},
         "teacher: is a fitted estimator, which is run on the data here; give the data as objects"),
        ({"distill": {"T": [1, 4]}}, "distill.T: must be a number, not the list 1, 4; to try several values"),
    ],
)  # fmt: skip
def test_what_cannot_be_written_is_refused_and_nothing_is_written(sweep, tmp_path, blocks, message):
    with pytest.raises(kdtune.RequestError) as raised:
        sweep(**blocks)
    assert message in str(raised.value)
    assert not list(Path(tmp_path).iterdir())


def test_a_grid_of_data_sets(sweep):
    a = make_arrays()
    grid = [
        {"name": name, "x": scale * a["train_x"], "y": a["train_y"]} for name, scale in (("plain", 1), ("double", 2))
    ]
    table = sweep(dataset={"grid_search": grid})
    assert table.groupby("dataset").size().to_dict() == {"double": 4, "plain": 4}


def test_an_estimator_that_changes_its_inputs_leaves_those_of_the_user(sweep):
    a = make_arrays()
    x = a["train_x"].copy()
    pipeline = make_pipeline(StandardScaler(copy=False), ExtraTreesClassifier(5)).fit(x.copy(), a["train_y"])
    sweep(dataset={"x": x, "y": a["train_y"]}, teacher=pipeline)
    np.testing.assert_array_equal(x, a["train_x"])
