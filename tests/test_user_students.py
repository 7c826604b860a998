"""Students and teachers that are modules of the user's, in whole sweeps."""

from __future__ import annotations

import os
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

import kdtune
from kdtune.columns import BASELINE, STUDENT, TEACHER
from kdtune.data.load import load_data
from tests.given_files import write_arrays, write_given

NETS = """
import torch
from torch import nn
import deeper_nets

def plain(inputs, n_classes, width=4):
    return deeper_nets.make(inputs, n_classes, width)

def with_batch_norm(inputs, n_classes):
    return nn.Sequential(nn.Linear(inputs[0], 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Linear(4, n_classes))

class Breaks(nn.Module):
    def __init__(self, inputs, n_classes, after):
        super().__init__()
        self.linear = nn.Linear(inputs[0], n_classes)
        self.calls, self.after = 0, after
    def forward(self, x):
        self.calls += self.training
        if self.calls > self.after:
            raise RuntimeError("no more batches for me")
        return self.linear(x)

def raises(inputs, n_classes):
    raise ValueError("not today")

def no_module(inputs, n_classes):
    return 3

SHARED = {}

def shared(inputs, n_classes):
    return SHARED.setdefault("module", nn.Linear(inputs[0], n_classes))

class Exits(nn.Linear):
    def __init__(self, inputs, n_classes):
        super().__init__(inputs[0], n_classes)
        self.calls = 0
    def forward(self, x):
        self.calls += self.training
        if self.calls > 5:
            raise SystemExit(3)
        return super().forward(x)

def wrong_shape(inputs, n_classes):
    return nn.Linear(inputs[0], n_classes + 1)
"""
DEEPER = """
from torch import nn

def make(inputs, n_classes, width):
    return nn.Sequential(nn.Linear(inputs[0], width), nn.GELU(), nn.Dropout(0.2), nn.Linear(width, n_classes))
"""


@pytest.fixture
def sweep(call, tmp_path, monkeypatch):
    """Run or plan a sweep with modules in files beside it, some blocks replaced; the folder is the working one."""
    monkeypatch.chdir(tmp_path)
    write_arrays(tmp_path)
    (tmp_path / "sweep_nets.py").write_text(NETS)
    (tmp_path / "deeper_nets.py").write_text(DEEPER)

    def run(student, command="sweep", options=("--workers", "0"), **blocks):
        path = write_given(tmp_path, student={"kind": "python", **student}, **blocks)
        return call(command, path, *options)

    return run


def read_table():
    return pd.read_parquet("results/given/table.parquet")


def test_students_and_a_teacher_of_the_users_own(sweep):
    block = {"factory": "sweep_nets:plain", "args": {"width": {"grid_search": [3, 4]}}}
    teacher = {
        "kind": "python",
        "factory": "sweep_nets:plain",
        "args": {"width": 8},
        "trained": False,
        "train": {"epochs": 3},
    }
    outcome = sweep(block, teacher=teacher)
    assert outcome.exit_code == 0, outcome.output
    table = read_table()
    assert table["model"].value_counts().to_dict() == {TEACHER: 1, BASELINE: 2, STUDENT: 4}
    students = table[table["model"] == STUDENT]
    assert set(students["width"]) == {3, 4}
    assert students["n_params"].tolist() == [5 * w + w + 3 * w + 3 for w in students["width"]]
    for row in table.itertuples():
        net = kdtune.load("results/given", row.id)
        data = kdtune.load_data("results/given", row.id)
        with torch.no_grad():
            logits = net(torch.tensor(data.x_test)).numpy()
        assert (logits.argmax(axis=1) != data.y_test).sum() == row.num_error


def test_batch_norm_trains_alone_and_its_statistics_are_saved(sweep):
    outcome = sweep({"factory": "sweep_nets:with_batch_norm"}, command="plan", options=())
    assert "train one at a time: BatchNorm1d keeps running statistics" in outcome.output
    assert sweep({"factory": "sweep_nets:with_batch_norm"}).exit_code == 0
    row = next(read_table().query("model == 'distilled_student'").itertuples())
    net = kdtune.load("results/given", row.id)
    assert not torch.equal(net[1].running_mean, torch.zeros(4))
    data = kdtune.load_data("results/given", row.id)
    with torch.no_grad():
        errors = (net(torch.tensor(data.x_test)).argmax(dim=1).numpy() != data.y_test).sum()
    assert errors == row.num_error


def test_code_that_fails_in_training_fails_its_own_networks(sweep):
    outcome = sweep({"factory": "sweep_nets:Breaks", "args": {"after": {"grid_search": [10, 10**6]}}})
    assert outcome.exit_code == 1
    table = read_table()
    by_status = table[table["model"] != TEACHER].groupby("after")["status"].unique()
    assert by_status.loc[10].tolist() == ["failed"]
    assert by_status.loc[10**6].tolist() == ["done"]
    error = table[table["status"] == "failed"]["error"].iloc[0]
    assert re.search(r"sweep_nets\.py:\d+: RuntimeError: no more batches for me", error)


@pytest.mark.parametrize(
    ("factory", "message"),
    [
        ("sweep_nets:raises", "ValueError: not today"),
        ("sweep_nets:no_module", "returns an int; a PyTorch module (torch.nn.Module) is right"),
        ("sweep_nets:wrong_shape", "returns logits of shape (2, 4); with 3 classes (2, 3) is right"),
        ("sweep_nets:plan", "did you mean 'plain'?"),
        ("swep_nets:plain", "did you mean 'sweep_nets'?"),
        ("sweep_nets.py", "student.factory"),
    ],
)
def test_factories_that_give_no_student_are_refused(sweep, tmp_path, factory, message):
    outcome = sweep({"factory": factory})
    assert outcome.exit_code == 2
    assert message in outcome.output
    assert "given.yaml:" in outcome.output
    assert not (tmp_path / "results").exists()


def test_ids_of_words_are_planned_and_trained(sweep, tmp_path):
    random = np.random.default_rng(0)
    for part, n_rows in (("train", 240), ("test", 90)):
        np.save(tmp_path / f"{part}_x.npy", random.integers(0, 30, (n_rows, 5)))
    np.save(tmp_path / "test_x.npy", np.full((90, 5), 29))
    block = {"factory": "tests.user_nets:Words"}
    outcome = sweep(block, command="plan", options=())
    assert outcome.exit_code == 0, outcome.output
    assert "whole numbers up to 29" in outcome.output
    assert sweep(block).exit_code == 0
    small = sweep({**block, "args": {"vocabulary": 29}}, command="plan", options=())
    assert small.exit_code == 2
    assert "IndexError: index out of range" in small.output


def test_a_grid_without_a_list_is_one_mistake(sweep):
    outcome = sweep({"factory": "sweep_nets:plain", "args": {"width": {"grid_search": 8}}})
    assert outcome.exit_code == 2
    assert "Traceback" not in outcome.output
    assert outcome.output.count("given.yaml:") == 1


def test_settings_that_modules_do_not_have_are_refused(sweep):
    outcome = sweep({"factory": "sweep_nets:plain"}, distill={"T": 2, "bias_shift": [1]})
    assert outcome.exit_code == 2
    assert "changes the biases of the output layer, which kdtune does not know in sweep_nets:plain" in outcome.output


def test_changed_code_makes_other_networks_and_says_how_to_keep_the_old(sweep, tmp_path):
    block = {"factory": "sweep_nets:plain"}
    assert sweep(block).exit_code == 0
    before = read_table()
    assert "nothing to train" in sweep(block).output
    (tmp_path / "deeper_nets.py").write_text(DEEPER + "# A remark in the module beside it.\n")
    outcome = sweep(block, command="plan", options=())
    assert "deeper_nets.py has changed since 3 networks were trained; they are trained again" in outcome.output
    version = re.search(r"`version: (\w{8})` in the student block", outcome.output)[1]
    outcome = sweep({**block, "version": version})
    assert "nothing to train" in outcome.output
    assert f"deeper_nets.py has changed, and `version: {version}` in the student block keeps what" in outcome.output
    assert read_table()["id"].tolist() == before["id"].tolist()
    assert sweep(block).exit_code == 0
    students = read_table().query("model != 'teacher'")
    assert not set(students["id"]) & set(before["id"])


def test_a_sweep_that_grows_by_temperatures_keeps_what_is_trained(sweep):
    block = {"factory": "sweep_nets:plain"}
    assert sweep(block, distill={"T": {"grid_search": [2, 4]}}).exit_code == 0
    before = read_table().set_index("id")
    outcome = sweep(block, distill={"T": {"grid_search": [1, 2, 4, 8]}})
    assert "2 to train" in outcome.output
    after = read_table().set_index("id")
    assert len(after) == len(before) + 2
    pd.testing.assert_series_equal(after["nll"].loc[before.index], before["nll"])


def test_one_note_keeps_teacher_and_students_of_one_package(sweep, tmp_path):
    block = {"factory": "sweep_nets:plain"}
    teacher = {"kind": "python", "factory": "sweep_nets:plain", "trained": False}
    assert sweep(block, teacher=teacher).exit_code == 0
    (tmp_path / "deeper_nets.py").write_text(DEEPER + "# A remark.\n")
    outcome = sweep(block, teacher=teacher, command="plan", options=())
    assert "deeper_nets.py has changed since 4 networks were trained" in outcome.output
    found = re.search(
        r"keep them: `version: (\w{8})` in the teacher block and `version: (\w{8})` in the", outcome.output
    )
    teacher, block = {**teacher, "version": found[1]}, {**block, "version": found[2]}
    assert "nothing to train" in sweep(block, teacher=teacher).output


def test_changed_data_are_said(sweep, tmp_path):
    assert sweep({"factory": "sweep_nets:plain"}).exit_code == 0
    x = np.load(tmp_path / "train_x.npy")
    x[0, 0] += 1
    np.save(tmp_path / "train_x.npy", x)
    load_data.cache_clear()
    assert (
        "have changed since the last time" in sweep({"factory": "sweep_nets:plain"}, command="plan", options=()).output
    )


@pytest.mark.xdist_group("ray")
def test_workers_of_ray_train_to_the_same_bits(sweep, ray_address, tmp_path):
    block = {"factory": "sweep_nets:plain", "args": {"width": {"grid_search": [3, 4]}}}
    assert sweep(block).exit_code == 0
    here = read_table()
    (tmp_path / "results").rename(tmp_path / "results here")
    outcome = sweep(block, options=("--address", ray_address, "--workers", "2"))
    assert outcome.exit_code == 0, outcome.output
    pd.testing.assert_series_equal(read_table()["val_nll"], here["val_nll"])
    pd.testing.assert_series_equal(read_table()["nll"], here["nll"])


def test_a_factory_that_returns_one_module_again_and_again_gives_untrained_ones(sweep):
    assert sweep({"factory": "sweep_nets:shared"}, replicates={"student": 3}).exit_code == 0
    together = read_table()
    Path("results").rename("results together")
    assert sweep({"factory": "sweep_nets:shared"}, replicates={"student": 1}).exit_code == 0
    alone = read_table().query("model != 'teacher'").set_index("id")["nll"]
    pd.testing.assert_series_equal(together.set_index("id")["nll"].loc[alone.index], alone, rtol=1e-4)


def test_a_module_that_exits_fails_its_own_networks(sweep):
    outcome = sweep({"factory": "sweep_nets:Exits"})
    assert outcome.exit_code == 1
    assert "SystemExit: 3" in outcome.output


def test_loading_a_network_whose_code_has_changed_warns(sweep, tmp_path):
    assert sweep({"factory": "sweep_nets:plain"}).exit_code == 0
    id = read_table().query("model == 'student'")["id"].iloc[0]
    (tmp_path / "deeper_nets.py").write_text(DEEPER.replace("GELU", "ReLU"))
    with pytest.warns(UserWarning, match="sweep_nets:plain has changed since"):
        kdtune.load("results/given", id)


def test_a_file_that_was_touched_is_the_same_data(sweep, tmp_path):
    assert sweep({"factory": "sweep_nets:plain"}).exit_code == 0
    id = read_table().query("model == 'student'")["id"].iloc[0]
    os.utime(tmp_path / "train_x.npy")
    load_data.cache_clear()
    assert len(kdtune.load_data("results/given", id).x_train) == 216
    np.save(tmp_path / "train_x.npy", np.load(tmp_path / "train_x.npy") + 1)
    load_data.cache_clear()
    with pytest.raises(ValueError, match="has changed since the sweep was checked"):
        kdtune.load_data("results/given", id)
