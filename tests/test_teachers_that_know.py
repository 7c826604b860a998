"""Teachers that know the validation examples, which make T come out too high; teachers with inputs of their own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image
from ruamel.yaml import YAML

from kdtune.cli import main
from kdtune.plan.enumerate_networks import enumerate_networks
from kdtune.spec.answer_facts import make_answer_facts
from kdtune.spec.load import load_spec
from kdtune.spec.sweep_spec import SweepSpec
from kdtune.stacked.probe import measure_trained_module

SIZES = {"train": 400, "val": 100, "test": 200}
WARNING = "tends to be too high"
DISORDER = "are all rows of its training outputs in the order"


def list_notes(spec: SweepSpec) -> list[str]:
    return [*spec.notes, *make_answer_facts(spec.cases).notes]


def save_data(n_wrong: dict[str, int]) -> None:
    """Write examples and labels of three parts, and logits that are wrong about so many examples of each."""
    random = np.random.default_rng(0)
    for part, n_examples in SIZES.items():
        y = np.arange(n_examples) % 4
        answers = y.copy()
        answers[: n_wrong[part]] = (y[: n_wrong[part]] + 1) % 4
        for name, values in (("x", random.normal(size=(n_examples, 3))), ("y", y), ("z", 3 * np.eye(4)[answers])):
            np.save(f"{part}_{name}.npy", values)


def load(tmp_path: Path, parts: tuple[str, ...], **blocks: Any) -> SweepSpec:
    sweep = {
        "name": "mine",
        "replicates": {"student": 2},
        "dataset": {part: {"x": f"{part}_x.npy", "y": f"{part}_y.npy"} for part in parts},
        "teacher": {"kind": "logits", "outputs": {part: f"{part}_z.npy" for part in parts}},
        "student": {"width": 4},
        "distill": {"T": {"grid_search": [1, 2]}},
        "train": {"epochs": 1},
        **blocks,
    }
    with (tmp_path / "mine.yaml").open("w", encoding="utf-8") as file:
        YAML(typ="safe").dump(sweep, file)
    return load_spec(tmp_path / "mine.yaml", probe=probe)


def probe(shape: Any, input_shape: tuple[int, ...], n_classes: int, examples: Any) -> Any:
    return measure_trained_module(shape.load_factory(), shape.args, input_shape, n_classes, None, examples)


@pytest.mark.parametrize(
    ("n_wrong", "parts", "is_warned"),
    [
        ({"train": 0, "val": 0, "test": 10}, ("train", "test"), True),
        ({"train": 20, "val": 0, "test": 10}, ("train", "test"), False),  # 95 % of both
        ({"train": 0, "val": 0, "test": 1}, ("train", "test"), False),  # no more than chance
        ({"train": 0, "val": 5, "test": 10}, ("train", "val", "test"), False),
        ({"train": 0, "val": 0, "test": 20}, ("train", "val", "test"), True),
    ],
)
def test_a_teacher_that_knows_the_examples_of_the_validation_split_is_said(
    n_wrong: dict[str, int], parts: tuple[str, ...], is_warned: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    save_data(n_wrong)
    assert any(WARNING in note for note in list_notes(load(tmp_path, parts))) == is_warned


@pytest.mark.parametrize(("n_wrong", "is_warned"), [(80, True), (30, False)])
def test_a_teacher_that_knows_the_training_examples_least_is_said(
    n_wrong: int, is_warned: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where a fifth of the rows are in another order, 80 of 400; 30 are few enough for chance."""
    monkeypatch.chdir(tmp_path)
    save_data({"train": n_wrong, "val": 5, "test": 10})
    assert any(DISORDER in note for note in list_notes(load(tmp_path, ("train", "val", "test")))) == is_warned


@pytest.mark.parametrize("parts", [("train", "test"), ("train", "val", "test")])
def test_a_trained_module_without_validation_examples_of_its_own_is_said(
    parts: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    save_data(dict.fromkeys(SIZES, 0))
    code = "from torch import nn\n\n\ndef teacher(inputs, n_classes):\n    return nn.Linear(inputs[0], n_classes)\n"
    Path("knownnets.py").write_text(code, encoding="utf-8")
    teacher = {"kind": "python", "factory": "knownnets:teacher", "trained": True}
    notes = list_notes(load(tmp_path, parts, teacher=teacher))
    assert any(WARNING in note for note in notes) == ("val" not in parts)


def test_inputs_of_a_teacher_enter_its_id(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    random = np.random.default_rng(0)
    for part in SIZES:
        for name in ("cat", "dog"):
            folder = Path("photos", part, name)
            folder.mkdir(parents=True)
            for number in range(3):
                Image.fromarray(random.integers(0, 256, (20, 20, 3), dtype=np.uint8)).save(folder / f"{number}.png")
    code = (
        "from torch import nn\n\n\ndef teacher(n_classes):\n"
        "    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, n_classes))\n"
    )
    Path("sizenets.py").write_text(code, encoding="utf-8")
    # Its weights are drawn anew, so that it agrees with any share of the labels.
    teacher = {"kind": "python", "factory": "sizenets:teacher", "trained": True, "agreement": "any"}
    inputs = [{"size": 8}, {"size": 16}, {"size": 8, "mean": [0.5, 0.5, 0.5], "std": [0.2, 0.2, 0.2]}]
    spec = load(
        tmp_path,
        (),
        dataset={"kind": "image_folder", **{part: f"photos/{part}" for part in SIZES}, "size": 4},
        teacher={**teacher, "inputs": {"grid_search": inputs}},
        train={"epochs": 1, "batch_size": 2},
    )
    teachers = {network.id: network for network in enumerate_networks(spec) if network.model == "teacher"}
    assert len(teachers) == len(inputs)
    columns = {network.shape.to_columns()["inputs"] for network in teachers.values()}
    assert "size 16, mean 0 0 0, std 1 1 1" in columns
    assert len(columns) == len(inputs)
    run = CliRunner().invoke(main, ["sweep", "mine.yaml", "--workers", "0"])
    assert run.exit_code == 0, run.output
