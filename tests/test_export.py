"""Export: the chosen student's files, checked against the sweep's own network, PyTorch, and a Python without kdtune."""

from __future__ import annotations

import io
import json
import math
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pandas as pd
import pytest
import torch
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from ruamel.yaml import YAML
from safetensors import safe_open
from safetensors.torch import load_file
from scipy.special import softmax
from sklearn.datasets import load_digits

import kdtune
from kdtune.cli import main
from kdtune.errors import RequestError, StorageError
from kdtune.settings import CNN, MLP
from kdtune.stacked.build_network import build_network
from kdtune.take_home import export as export_module
from kdtune.take_home import onnx_files, speed, writing
from kdtune.take_home.calibration import fit_temperature
from kdtune.take_home.choice import choose_by_cell, choose_by_id
from kdtune.take_home.distillation_doubt import describe_doubt
from kdtune.take_home.network_code import to_torch_layers, write_layers
from kdtune.take_home.networks import SweepFolder
from kdtune.train import metrics

TRAIN = {"epochs": 2, "batch_size": 50}

# Runs a script as a Python would that has no kdtune, nor what only kdtune needs.
WITHOUT_KDTUNE = """
import runpy, sys

class Refusal:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("kdtune", "ray", "sklearn", "pydantic"):
            raise ImportError(name)

sys.meta_path.insert(0, Refusal())
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""

MODULES = """
from torch import nn

def Student(inputs, n_classes, width=4):
    c, h, w = inputs
    return nn.Sequential(nn.Conv2d(c, width, 3), nn.BatchNorm2d(width), nn.ReLU(), Flat(), nn.LazyLinear(n_classes))

class Flat(nn.Module):
    def forward(self, x):
        return x.reshape(len(x), -1)
"""


BRANCHING = """
from torch import nn

class Branching(nn.Module):
    def __init__(self, inputs, n_classes):
        super().__init__()
        self.layer = nn.Linear(inputs[0], n_classes)

    def forward(self, x):
        logits = self.layer(x)
        return logits if float(logits.detach().sum()) < 1e9 else -logits
"""


def write_yaml(path: Path, sweep: dict[str, Any]) -> Path:
    with path.open("w", encoding="utf-8") as file:
        YAML(typ="safe", pure=True).dump(sweep, file)
    return path


def run_sweep(folder: Path, sweep: dict[str, Any]) -> Path:
    """Run a sweep in this process, and return its folder."""
    file = write_yaml(folder / f"{sweep['name']}.yaml", sweep)
    kdtune.sweep(file, results=folder / "results", workers=0, keep_students="all", progress=False)
    return folder / "results" / str(sweep["name"])


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sweep of two settings, a perceptron and a convolutional network, on the digits."""
    students = [{"kind": "mlp", "hidden": [8, 6], "dropout": 0.1}, {"kind": "cnn", "channels": [3, 4], "hidden": [7]}]
    return run_sweep(
        tmp_path_factory.mktemp("digits"),
        {
            "name": "digits",
            "replicates": 2,
            "dataset": {"kind": "digits"},
            "teacher": {"hidden": [16]},
            "student": {"grid_search": students},
            "distill": {"T": {"grid_search": [1, 4]}},
            "train": TRAIN,
        },
    )


def make_table(rows: int = 240) -> pd.DataFrame:
    """A table with numbers and texts, some of each missing, and labels that are text."""
    random = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "year": 2000.0 + random.integers(0, 20, rows),
            "city": random.choice(["Ulm", "Rome", "Ōsaka"], rows),
            "ignored": [f"id {i}" for i in range(rows)],
            "weight": random.normal(70, 10, rows),
            "constant": 3.0,
        }
    )
    frame["sort"] = np.where(frame["weight"] + 10 * (frame["city"] == "Rome") > 72, "zebra", "ant")
    frame.loc[::7, "weight"] = np.nan
    frame.loc[::11, "city"] = None
    return frame


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("table")
    make_table().to_csv(folder / "animals.csv", index=False)
    dataset = {
        "kind": "table", "file": str(folder / "animals.csv"), "target": "sort", "drop": ["ignored"], "impute": "median"
    }  # fmt: skip
    return run_sweep(
        folder,
        {
            "name": "animals",
            "dataset": dataset,
            "teacher": {"kind": "sklearn", "factory": "sklearn.tree:DecisionTreeClassifier", "args": {"max_depth": 3}},
            "student": {"hidden": [5]},
            "distill": {"T": {"grid_search": [1, 4]}},
            "train": TRAIN,
        },
    )


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folders of images of two shapes, students and teachers that are modules of the user's."""
    folder = tmp_path_factory.mktemp("photos")
    pixels, labels = load_digits(return_X_y=True)
    for part, rows in (("train", range(150)), ("test", range(150, 210))):
        for row in rows:
            if labels[row] > 2:
                continue
            path = folder / part / f"digit {labels[row]}" / f"{row}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            image = Image.fromarray((pixels[row].reshape(8, 8) * 15.9).astype(np.uint8))
            image.resize((24, 30) if row % 2 else (27, 21)).save(path)
    (folder / "exported_nets.py").write_text(MODULES)
    module = {"kind": "python", "factory": "exported_nets:Student"}
    return run_sweep(
        folder,
        {
            "name": "photos",
            "dataset": {
                "kind": "image_folder",
                "train": str(folder / "train"),
                "test": str(folder / "test"),
                "size": 9,
            },
            "teacher": {**module, "args": {"width": 6}, "trained": False},
            "student": {**module, "args": {"width": 3}},
            "distill": {"T": {"grid_search": [1, 4]}},
            "train": {"epochs": 1, "batch_size": 20},
        },
    )


def make_command(folder: Path, *arguments: Path | str) -> list[str]:
    """Return the command that runs the exported script without kdtune."""
    command = [sys.executable, "-I", "-W", "error", "-c", WITHOUT_KDTUNE, str(folder / "predict.py")]
    return [*command, *map(str, arguments)]


def run_script(folder: Path, *arguments: Path | str) -> subprocess.CompletedProcess[str]:
    """Run the exported script without kdtune, from another folder."""
    return subprocess.run(
        make_command(folder, *arguments), cwd="/", capture_output=True, text=True, check=False, encoding="utf-8"
    )


def predict(folder: Path, *inputs: Path) -> pd.DataFrame:
    """Return what the exported script prints of files that it can read."""
    result = run_script(folder, *inputs)
    assert result.returncode == 0, result.stderr
    printed = pd.read_csv(io.StringIO(result.stdout))
    if len(inputs) > 1:
        assert list(dict.fromkeys(printed.pop("file"))) == list(dict.fromkeys(map(str, inputs)))
    return printed


def compute_probabilities(results: Path, network_id: str, x: Any, temperature: float = 1.0) -> Any:
    """What the sweep's own network says of features."""
    with torch.no_grad():
        logits = kdtune.load(results, network_id)(torch.from_numpy(np.ascontiguousarray(x)))
    return logits.numpy(), softmax(logits.numpy() / temperature, axis=1)


def run_onnx(folder: Path, **feed: Any) -> list[Any]:
    session = onnxruntime.InferenceSession(str(folder / "student.onnx"), providers=["CPUExecutionProvider"])
    return session.run(["logits", "probabilities"], feed)


def test_perceptron_takes_raw_values_everywhere(digits: Path, tmp_path: Path) -> None:
    exported = kdtune.export(digits, tmp_path / "out", cell={"architecture": "mlp"}, temperature_scaled=True)
    folder, data = exported.folder, kdtune.load_data(digits, exported.id)
    raw = (data.x_test * 16).astype(np.float32)
    calibration = exported.calibration
    assert calibration is not None
    logits, probabilities = compute_probabilities(digits, exported.id, data.x_test, calibration.temperature)
    for x in (raw, raw[:1]):  # The number of examples is free.
        onnx_logits, onnx_probabilities = run_onnx(folder, x=x.reshape(-1, 1, 8, 8))
        np.testing.assert_allclose(onnx_logits, logits[: len(x)], atol=1e-5)
        np.testing.assert_allclose(onnx_probabilities, probabilities[: len(x)], atol=1e-5)
    np.save(tmp_path / "x.npy", raw)
    pd.DataFrame(raw).to_csv(tmp_path / "x.csv", index=False)  # with a line that numbers the columns
    printed = predict(folder, tmp_path / "x.npy", tmp_path / "x.csv")
    np.testing.assert_allclose(printed.iloc[:, 1:], np.concatenate([probabilities] * 2), atol=1e-5)
    assert (printed["label"] == np.tile(probabilities.argmax(axis=1), 2)).all()
    assert list(printed.columns) == ["label", *(f"p({label})" for label in range(10))]
    assert exported.figures.ece == pytest.approx(metrics.ece(logits / calibration.temperature, data.y_test), abs=1e-6)
    assert calibration.ece_before == pytest.approx(metrics.ece(logits, data.y_test), abs=1e-6)
    card = (folder / "model_card.md").read_text()
    front_matter = YAML(typ="safe", pure=True).load(card.split("---\n")[1])
    figures = front_matter["model-index"][0]["results"][0]["metrics"]
    assert figures[0] == {"type": "accuracy", "value": pytest.approx(1 - exported.figures.error, abs=1e-6)}
    assert figures[1]["value"] == pytest.approx(exported.figures.balanced_error, abs=1e-6)
    assert front_matter["pipeline_tag"] == "image-classification"
    assert card.endswith(".\n")
    for text in (f"{calibration.ece_before:.4f} without it and {calibration.ece_after:.4f} with it", exported.id,
                 "Of the 2 replicates at that T this one is the best by errors on the validation split",
                 "The sweep's recommendation: ",
                 "95 % interval", "multiply-adds for one example", f"{exported.figures.nll:.4f}"):  # fmt: skip
        assert text in card


@pytest.mark.parametrize(
    ("difference", "low", "high", "sentence"),
    [
        (-3.0, -5.0, -1.0, ""),
        (-3.0, -6.5, 0.5, "Whether distillation helps is not shown: on the test split, errors of students at T = {T} "
         "minus errors of students that were trained on labels alone: -3.0 in the mean (95 % interval -6.5 to +0.5, "),
        (3.0, 1.0, 5.0, "Distillation does not help here: on the test split, errors of students at T = {T} minus "),
        (-3.0, math.nan, math.nan, "Whether distillation helps is not shown: on the test split, "),
        (math.nan, math.nan, math.nan, "Whether distillation helps is not shown: no students were trained on labels"),
    ],
)  # fmt: skip
def test_doubt_whether_distillation_helps(
    digits: Path, difference: float, low: float, high: float, sentence: str
) -> None:
    table, answer = kdtune.read_table(digits), kdtune.analyze(digits)
    figures = {"minus_baseline": difference, "minus_baseline_low": low, "minus_baseline_high": high}
    answer = replace(answer, test=answer.test.assign(**figures))
    choice = choose_by_cell(table, answer, {"architecture": "mlp"}, str)
    texts = describe_doubt(answer, choice)
    assert len(texts) == bool(sentence)
    assert all(text.startswith(sentence.format(T=f"{choice.row['temp']:g}")) for text in texts)
    students = table[(table.architecture == "mlp") & (table.model == "distilled_student")]
    other = students[students.temp != choice.row["temp"]].iloc[0]
    # The answer's figures are not those of networks at another T.
    assert describe_doubt(answer, choose_by_id(table, answer, other["id"])) == []


def test_card_and_notes_say_the_doubt(digits: Path, tmp_path: Path, without_onnx: None) -> None:
    exported = kdtune.export(digits, tmp_path / "out", cell={"architecture": "mlp"})
    answer = kdtune.analyze(digits)
    texts = describe_doubt(answer, choose_by_cell(kdtune.read_table(digits), answer, {"architecture": "mlp"}, str))
    assert len(texts) == 1
    assert texts[0] in exported.notes
    assert texts[0] in (tmp_path / "out" / "model_card.md").read_text()


def test_networks_are_loaded_by_the_sweeps_name(digits: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(digits.parents[1])
    network_id = kdtune.read_table("digits")["id"].iloc[0]
    state, other_state = (kdtune.load(name, network_id).state_dict() for name in ("digits", digits))
    assert all(torch.equal(state[key], other_state[key]) for key in state)
    assert np.array_equal(kdtune.load_data("digits", network_id).x_test, kdtune.load_data(digits, network_id).x_test)
    with pytest.raises(RequestError, match="there is no such results folder"):
        kdtune.load("digit", network_id)


def test_student_is_the_best_replicate_at_the_chosen_temperature(digits: Path, tmp_path: Path) -> None:
    exported = kdtune.export(digits, tmp_path / "out", cell={"architecture": "cnn"})
    rows, answer = kdtune.read_table(digits), kdtune.analyze(digits)
    T = answer.t_opt.set_index("architecture").loc["cnn", "T_opt"]
    candidates = rows[(rows.model == "distilled_student") & (rows.architecture == "cnn") & (rows.temp == T)]
    best = candidates.sort_values(["val_num_error", "val_nll"]).iloc[0]
    assert len(candidates) == 2
    assert (exported.id, exported.temperature) == (best.id, T)
    assert exported.figures.errors == best.num_error
    assert exported.figures.nll == pytest.approx(best.nll, rel=1e-5)


def test_convolutional_network(digits: Path, tmp_path: Path) -> None:
    exported = kdtune.export(digits, tmp_path / "out", cell={"architecture": "cnn"})
    data = kdtune.load_data(digits, exported.id)
    raw = (data.x_test * 16).astype(np.float32)
    logits, probabilities = compute_probabilities(digits, exported.id, data.x_test)
    np.testing.assert_allclose(run_onnx(exported.folder, x=raw.reshape(-1, 1, 8, 8))[0], logits, atol=1e-5)
    np.save(tmp_path / "x.npy", raw.reshape(-1, 8, 8))  # An axis of size 1 may be left out.
    np.testing.assert_allclose(predict(exported.folder, tmp_path / "x.npy").iloc[:, 1:], probabilities, atol=1e-5)


def test_table_with_texts_and_missing_values(table: Path, tmp_path: Path) -> None:
    exported = kdtune.export(table, tmp_path / "out")
    folder, data = exported.folder, kdtune.load_data(table, exported.id)
    rows = make_table().iloc[data.rows["test"].indices]  # type: ignore[index]
    assert rows["city"].isna().any()
    assert rows["weight"].isna().any()
    logits, probabilities = compute_probabilities(table, exported.id, data.x_test)
    document = json.loads((folder / "preprocessing.json").read_text())
    numbers = rows[[column["name"] for column in document["numbers"]]].to_numpy(np.float64)
    texts = rows[[column["name"] for column in document["texts"]]].fillna("").to_numpy(object)
    onnx_logits, onnx_probabilities = run_onnx(folder, numbers=numbers, texts=texts)
    np.testing.assert_allclose(onnx_logits, logits, atol=1e-5)
    np.testing.assert_allclose(onnx_probabilities, probabilities, atol=1e-5)
    assert json.loads((folder / "labels.json").read_text()) == {"classes": ["ant", "zebra"]}
    rows[["weight", "constant", "city", "year"]].to_csv(tmp_path / "new.csv", index=False)  # in another order
    printed = predict(folder, tmp_path / "new.csv")
    np.testing.assert_allclose(printed.iloc[:, 1:], probabilities, atol=1e-5)
    assert set(printed["label"]) <= {"ant", "zebra"}
    assert document["columns"] == ["year", "city", "weight", "constant"]


def test_unknown_text_is_no_category(table: Path, tmp_path: Path) -> None:
    exported = kdtune.export(table, tmp_path / "out")
    row = pd.DataFrame({"year": [2001.0], "city": ["Atlantis"], "weight": [80.0], "constant": [7.0]})
    row.to_csv(tmp_path / "new.csv", index=False)
    names = [column["name"] for column in json.loads((exported.folder / "preprocessing.json").read_text())["numbers"]]
    onnx_probabilities = run_onnx(
        exported.folder, numbers=row[names].to_numpy(np.float64), texts=row[["city"]].to_numpy(object)
    )[1]
    printed = predict(exported.folder, tmp_path / "new.csv").iloc[:, 1:]
    np.testing.assert_allclose(printed, onnx_probabilities, atol=1e-5)


def test_module_of_the_users_and_images(photos: Path, tmp_path: Path) -> None:
    exported = kdtune.export(photos, tmp_path / "out")
    folder, data = exported.folder, kdtune.load_data(photos, exported.id)
    assert (folder / "exported_nets.py").read_text() == MODULES
    logits, probabilities = compute_probabilities(photos, exported.id, data.x_test.reshape(-1, 1, 9, 9))
    pixels = np.rint(data.x_test * 255).astype(np.uint8).reshape(-1, 1, 9, 9)
    np.testing.assert_allclose(run_onnx(folder, x=pixels)[0], logits, atol=1e-5)
    files = sorted((photos.parents[1] / "test").glob("*/*.png"))
    printed = predict(folder, *files)
    # In the sweep, images of a class stand in the order of their files' names.
    np.testing.assert_allclose(printed.iloc[:, 1:], probabilities, atol=1e-5)
    assert "`exported_nets:Student`" in (folder / "model_card.md").read_text()
    assert "exported_nets.py was copied beside it" in " ".join(exported.notes).replace("`", "")


def test_metadata_name_no_paths(photos: Path, tmp_path: Path) -> None:
    exported = kdtune.export(photos, tmp_path / "out")
    with safe_open(exported.folder / "student.safetensors", framework="np") as file:
        metadata = file.metadata()
    assert metadata["id"] == exported.id
    assert str(photos.parents[1]) not in json.dumps(metadata)


def test_code_that_has_changed_is_said(photos: Path, tmp_path: Path) -> None:
    code = photos.parents[1] / "exported_nets.py"
    code.write_text(MODULES + "\n# changed\n")
    try:
        notes = kdtune.export(photos, tmp_path / "out").notes
    finally:
        code.write_text(MODULES)
    assert any("That code has changed since the network was trained" in note for note in notes)


@pytest.mark.parametrize("name", ["mlp", "cnn"])
def test_trained_again_to_the_bit(digits: Path, tmp_path: Path, name: str, without_onnx: None) -> None:
    root = tmp_path / "elsewhere"
    shutil.copytree(digits.parent, root)
    shutil.rmtree(root / "digits" / "students")
    kept = kdtune.export(digits, tmp_path / "kept", cell={"architecture": name})
    again = kdtune.export(root / "digits", tmp_path / "again", cell={"architecture": name})
    assert again.id == kept.id
    assert any("trained again: to the same bits" in note for note in again.notes)
    assert not any("trained again" in note for note in kept.notes)
    first, second = (load_file(tmp_path / folder / "student.safetensors") for folder in ("kept", "again"))
    assert first.keys() == second.keys()
    assert all(torch.equal(first[key], second[key]) for key in first)


def test_trained_again_needs_the_teacher(digits: Path, tmp_path: Path) -> None:
    root = tmp_path / "elsewhere"
    shutil.copytree(digits.parent, root)
    shutil.rmtree(root / "digits" / "students")
    shutil.rmtree(root / "teachers")
    with pytest.raises(RequestError, match=r"was removed: .*run the same command again, which trains that teacher"):
        kdtune.export(root / "digits", tmp_path / "out", cell={"architecture": "mlp"})
    assert not (tmp_path / "out").exists()


def test_moved_folder(table: Path, tmp_path: Path, without_onnx: None) -> None:
    shutil.copytree(table.parent, tmp_path / "moved")
    exported = kdtune.export(tmp_path / "moved" / "animals", tmp_path / "out")
    assert exported.figures == kdtune.export(table, tmp_path / "other").figures


def test_resolved_file_asks_for_the_same_networks(table: Path) -> None:
    """Labels that are text may not come back as a number of classes."""
    assert set(SweepFolder(table).networks) == set(kdtune.read_table(table)["id"])


def test_teacher_and_baseline_by_id(photos: Path, tmp_path: Path, without_onnx: None) -> None:
    rows = kdtune.read_table(photos).set_index("model")
    for model in ("teacher", "student"):
        exported = kdtune.export(photos, tmp_path / model, id=rows.loc[model, "id"][:10])
        assert exported.figures.errors == rows.loc[model, "num_error"]
        assert exported.temperature is None


@pytest.fixture
def without_onnx(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the packages of the extra were not installed, which also takes less time."""
    monkeypatch.setattr(onnx_files, "list_missing_packages", lambda: ["onnx", "onnxscript"])


def test_note_without_onnx(digits: Path, tmp_path: Path, without_onnx: None) -> None:
    exported = kdtune.export(digits, tmp_path / "out", cell={"architecture": "mlp"})
    note = "There is no `student.onnx`: onnx and onnxscript are not installed; `pip install onnx onnxscript`"
    assert any(text.startswith(note) for text in exported.notes)
    assert note in (tmp_path / "out" / "model_card.md").read_text()
    assert not (tmp_path / "out" / "student.onnx").exists()


def test_module_that_torch_cannot_export(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    np.save(tmp_path / "x.npy", np.random.default_rng(0).normal(size=(90, 5)))
    np.save(tmp_path / "y.npy", np.arange(90) % 3)
    (tmp_path / "branching_nets.py").write_text(BRANCHING)
    results = run_sweep(
        tmp_path,
        {
            "name": "branching",
            "dataset": {"x": str(tmp_path / "x.npy"), "y": str(tmp_path / "y.npy")},
            "teacher": {"hidden": [4]},
            "student": {"kind": "python", "factory": "branching_nets:Branching"},
            "distill": {"T": 2},
            "train": {"epochs": 1, "batch_size": 20},
        },
    )
    capfd.readouterr()
    exported = kdtune.export(results, tmp_path / "out")
    assert capfd.readouterr() == ("", "")  # torch prints pages.
    assert any("There is no `student.onnx`, since torch cannot export this network" in note for note in exported.notes)
    data = kdtune.load_data(results, exported.id)
    assert data.rows is not None
    np.save(tmp_path / "test.npy", np.load(tmp_path / "x.npy")[data.rows["test"].indices])
    probabilities = compute_probabilities(results, exported.id, data.x_test)[1]
    np.testing.assert_allclose(predict(exported.folder, tmp_path / "test.npy").iloc[:, 1:], probabilities, atol=1e-5)
    assert "No other T was tested" in (exported.folder / "model_card.md").read_text()


def test_no_file_where_onnx_differs(digits: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = onnx_files.run_onnx

    def run_wrongly(*args: Any) -> Any:
        logits, probabilities = run(*args)
        return logits + np.float32(1e-3), probabilities

    monkeypatch.setattr(onnx_files, "run_onnx", run_wrongly)
    exported = kdtune.export(digits, tmp_path / "out", cell={"architecture": "mlp"})
    assert any("differ from PyTorch's by up to 0.001" in note for note in exported.notes)
    assert "student.onnx" not in exported.files


def test_measure(table: Path, tmp_path: Path, without_onnx: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speed, "MIN_SECONDS", 0.0)
    exported = kdtune.export(table, tmp_path / "out", measure=True)
    for timings in (exported.timings, exported.teacher_timings):
        assert timings is not None
        assert set(timings) == {1, 256}
        assert all(math.isfinite(value) and value > 0 for value in timings.values())
    card = (tmp_path / "out" / "model_card.md").read_text()
    assert "microseconds for each example, in batches of 256" in card
    assert "The teacher was trained again for it" in card


def test_existing_files(digits: Path, tmp_path: Path, without_onnx: None) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "mine.txt").write_text("mine")
    (folder / "student.onnx").write_text("of an earlier export")
    with pytest.raises(RequestError, match=r"holds files; .* with force=True"):
        kdtune.export(digits, folder, cell={"architecture": "mlp"})
    exported = kdtune.export(digits, folder, cell={"architecture": "mlp"}, force=True)
    assert {path.name for path in folder.iterdir()} == {*exported.files, "mine.txt"}


def test_full_disk_leaves_nothing(
    digits: Path, tmp_path: Path, without_onnx: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, paths = writing.write_atomically, []

    def write_two(path: Path, write_to: Callable[[Path], object]) -> None:
        paths.append(path)
        if len(paths) > 2:
            raise StorageError(f"cannot write {path}: No space left on device")
        write(path, write_to)

    monkeypatch.setattr(writing, "write_atomically", write_two)
    result = CliRunner().invoke(
        main, ["export", str(digits), "--cell", "architecture=mlp", "-o", str(tmp_path / "new" / "out")]
    )
    assert result.exit_code == 1
    assert "No space left on device" in result.output
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "the table has 2 settings; choose one of:\n  --cell architecture=cnn\n  --cell architecture=mlp"),
        (["--cell", "architecture=rnn"], "the setting rnn does not exist; choose one of:\n  --cell architecture=cnn"),
        (["--cell", "architectur=cnn"], "does not tell the settings of this table apart; did you mean 'architecture'?"),
        (["--cell", "architecture"], "is not NAME=VALUE"),
        (["--cell", "architecture=cnn", "--id", "a"], "give one of them"),
        (["--id", "nothing"], "has no network with the id 'nothing'"),
        (["--id", ""], "has no network with the id ''"),
    ],
)
def test_refused_choices(digits: Path, tmp_path: Path, options: list[str], message: str) -> None:
    result = CliRunner().invoke(main, ["export", str(digits), *options, "-o", str(tmp_path / "out")])
    assert result.exit_code == 2
    assert message in result.output
    assert not (tmp_path / "out").exists()


def test_messages_in_python(digits: Path, tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=r"choose one of:\n  cell=\{'architecture': 'cnn'\}"):
        kdtune.export(digits, tmp_path / "out")
    with pytest.raises(RequestError, match=r'must be a mapping, as in cell=\{"width": 16\}, not \'mlp\''):
        kdtune.export(digits, tmp_path / "out", cell="mlp")  # type: ignore[arg-type]


def test_refused_tables(digits: Path, tmp_path: Path) -> None:
    foreign = tmp_path / "table.csv"
    pd.DataFrame({"T": [1, 2], "errors": [3, 4]}).to_csv(foreign)
    with pytest.raises(RequestError, match="export needs a folder that kdtune swept"):
        kdtune.export(foreign, tmp_path / "out")
    shutil.copy(digits / "table.parquet", tmp_path)
    with pytest.raises(RequestError, match="export needs a folder that kdtune swept"):
        kdtune.export(tmp_path, tmp_path / "out")


def test_refused_networks(table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = kdtune.read_table(table)
    teacher_id = rows.loc[rows.model == "teacher", "id"].iloc[0]
    with pytest.raises(RequestError, match=r"is an estimator of sklearn\.tree:DecisionTreeClassifier, which has"):
        kdtune.export(table, tmp_path / "out", id=teacher_id)
    failed = rows.assign(status="failed", error="it burst")
    monkeypatch.setattr(export_module, "read_sweep_table", lambda path: failed)
    with pytest.raises(RequestError, match=f"network {teacher_id} is failed: it burst; choose one that is done"):
        kdtune.export(table, tmp_path / "out", id=teacher_id)


@pytest.mark.parametrize(
    ("shape", "input_shape"),
    [
        *(
            (MLP(hidden=[5, 4], activation=name), (6,))
            for name in ("relu", "leaky_relu", "elu", "gelu", "silu", "tanh")
        ),
        (CNN(kind="cnn", channels=[2, 3], pool=[1, 2], dropout=0.3, hidden=[4], activation="sigmoid"), (2, 5, 7)),
    ],
)
def test_written_layers_build_the_network(shape: MLP | CNN, input_shape: tuple[int, ...]) -> None:
    network = build_network(shape, input_shape, 3, seed=1).eval()
    body = write_layers(to_torch_layers(network))  # type: ignore[arg-type]
    names: dict[str, Any] = {}
    lines = "\n".join(f"    {line}" for line in body.splitlines())
    exec(f"from collections import OrderedDict\nfrom torch import nn\ndef build():\n{lines}", names)
    built = names["build"]()
    built.load_state_dict(network.state_dict())
    x = torch.randn(4, math.prod(input_shape), generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(built.eval()(x), network(x))


@given(st.integers(0, 1000), st.floats(0.2, 5.0))
@settings(max_examples=30, deadline=None)
def test_fitted_temperature(seed: int, factor: float) -> None:
    """It scales with the logits, and nothing around it is better."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, 3, 60)
    logits = random.normal(0, 1, (60, 3)) + 1.5 * np.eye(3)[labels]
    T = fit_temperature(logits, labels)
    assert fit_temperature(logits * factor, labels) == pytest.approx(T * factor, rel=1e-3)
    best = metrics.nll(logits, labels, T)
    assert all(best <= metrics.nll(logits, labels, T * change) + 1e-9 for change in (0.9, 1.1, 1 / T))


def test_temperature_that_nothing_limits() -> None:
    """Where every label is right, sharper is always better: the search ends at its bound."""
    logits = np.eye(3)[[0, 1, 2]] * 4.0
    assert 0.01 <= fit_temperature(logits, np.array([0, 1, 2])) < 0.1
