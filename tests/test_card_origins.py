"""What the model card says of data, replicates and teachers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import kdtune
from kdtune.columns import MODEL, NUM_ERROR, STUDENT, TEACHER, TEMP
from kdtune.take_home import onnx_files
from tests.given_files import make_arrays

NETS = """
from torch import nn

class Teacher(nn.Module):
    def __init__(self, inputs, n_classes, channels=3):
        super().__init__()
        self.layer = nn.Linear(inputs[0], n_classes)

    def forward(self, x):
        return self.layer(x)
"""

Export = Callable[..., tuple[str, Any]]


@pytest.fixture
def export(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Export:
    """Run a sweep with some blocks replaced, export its student, and return the card and the table."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(onnx_files, "list_missing_packages", lambda: ["onnx"])  # It takes less time without.
    (tmp_path / "card_nets.py").write_text(NETS, encoding="utf-8")

    def run(**replaced: Any) -> tuple[str, Any]:
        arrays = make_arrays()
        blocks = {
            "name": "mine",
            "replicates": 3,
            "dataset": {"x": arrays["train_x"], "y": arrays["train_y"]},
            "teacher": {"kind": "mlp", "hidden": [8, 4]},
            "student": {"depth": 1, "width": 4},
            "distill": {"T": {"grid_search": [1, 4]}},
            "train": {"epochs": 2, "batch_size": 30},
        }
        table = kdtune.sweep({**blocks, **replaced}, workers=0, progress=False)
        kdtune.export("results/mine", tmp_path / "out")
        return (tmp_path / "out/model_card.md").read_text(encoding="utf-8"), table

    return run


def test_one_set_that_each_replicate_cuts_anew(export: Export) -> None:
    card, table = export()
    assert "which nothing was trained or chosen on" not in card
    assert "each of the 3 replicates cuts the same examples anew" in card
    answer = kdtune.analyze(table)
    students = table[(table[MODEL] == STUDENT) & (table[TEMP] == answer.t_opt["T_opt"].iloc[0])]
    mean = students[NUM_ERROR].mean()
    summary = card.split("## How to use it")[0]
    share = mean / table["n_test"].iloc[0]
    assert (
        f"Over the 3 replicates, each with a test split of its own, students at this T are wrong on {mean:.1f}"
        in summary
    )
    assert f"in the mean ({share:.2%})" in summary


def test_a_test_split_that_all_replicates_share(export: Export) -> None:
    arrays = make_arrays()
    parts = {part: (arrays[f"{part}_x"], arrays[f"{part}_y"]) for part in ("train", "test")}
    card, _ = export(dataset=parts)
    assert "which nothing was trained or chosen on" in card
    assert "anew" not in card
    assert "with a test split of its own" not in card


def test_a_test_split_that_is_kept_for_a_given_teacher(export: Export) -> None:
    labels = make_arrays()["train_y"]
    logits = 3.0 * np.eye(labels.max() + 1, dtype=np.float32)[labels]
    card, _ = export(teacher={"kind": "logits", "outputs": logits})
    assert "which nothing was trained or chosen on" in card


def test_one_replicate_has_one_cut(export: Export) -> None:
    card, _ = export(replicates=1)
    assert "which nothing was trained or chosen on" in card


def test_arguments_of_a_module_are_no_sizes_of_layers(export: Export) -> None:
    teacher = {"kind": "python", "factory": "card_nets:Teacher", "args": {"channels": 3}, "trained": False}
    card, _ = export(teacher=teacher)
    section = card.split("## Teacher")[1].split("##")[0]
    assert "`Teacher`; its id" in section


def test_sizes_of_layers_are_named(export: Export) -> None:
    assert "`mlp` (8-4); its id" in export()[0]


@pytest.mark.parametrize("is_weak", [True, False])
def test_a_teacher_that_is_worse_than_labels_alone(export: Export, is_weak: bool) -> None:
    labels = make_arrays()["train_y"]
    told = (labels + 1) % 3 if is_weak else labels
    logits = 3.0 * np.eye(3, dtype=np.float32)[np.where(np.arange(len(labels)) % 5 < 2, told, labels)]
    card, table = export(teacher={"kind": "logits", "outputs": logits}, train={"epochs": 40, "batch_size": 30})
    means = table.groupby(MODEL)[NUM_ERROR].mean()
    assert (means[TEACHER] > means["student"]) == is_weak
    sentence = (
        f"The teacher makes more errors on the test split than students that were trained on labels alone "
        f"({means[TEACHER]:.1f} and {means['student']:.1f} in the mean)"
    )
    assert (sentence in card) == is_weak
