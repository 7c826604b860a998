"""Labels that are given from Python in any form lie in the files that the sweep's own file names."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from ruamel.yaml import YAML
from safetensors.numpy import load_file

import kdtune
from kdtune.columns import ID, MODEL, STUDENT
from tests.given_files import make_arrays

NAMES = np.array(["pine", "fir", "oak"])
FORMS: dict[str, Callable[[np.ndarray], Any]] = {
    "text": lambda y: NAMES[y],
    "objects": lambda y: NAMES[y].astype(object),
    "a list": lambda y: NAMES[y].tolist(),
    "a Series": lambda y: pd.Series(NAMES[y]),
    "from 1": lambda y: y + 1,
}


def sweep(folder: Path, form: str, **options: Any) -> pd.DataFrame:
    """Run a small sweep on arrays with labels of this form."""
    arrays, make = make_arrays(), FORMS[form]
    dataset = {part: (arrays[f"{part}_x"], make(arrays[f"{part}_y"])) for part in ("train", "test")}
    blocks = {
        "name": "mine",
        "dataset": dataset,
        "teacher": {"kind": "mlp", "hidden": [8]},
        "student": {"depth": 1, "width": 4},
        "distill": {"T": {"grid_search": [1, 4]}},
        "train": {"epochs": 2, "batch_size": 30},
    }
    return kdtune.sweep(blocks, results=folder / "results", workers=0, progress=False, **options)


def run_kdtune(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command line in a new process, which has nothing of this one in its memory."""
    command = [sys.executable, "-m", "kdtune", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False)


def list_data_files(file: Path) -> list[Path]:
    """List the files that the block ``dataset`` of a sweep file names."""
    block = YAML(typ="safe").load(file)["dataset"]
    return [Path(path) for part in ("train", "test") for path in block[part].values()]


@pytest.mark.parametrize("form", FORMS)
def test_the_sweep_file_names_files_that_exist(tmp_path, form):
    sweep(tmp_path, form)
    files = list_data_files(tmp_path / "results/mine/sweep.yaml")
    assert len(files) == 4
    assert all(path.exists() for path in files)
    assert np.load(files[1]).tolist() == list(FORMS[form](make_arrays()["train_y"]))


def test_a_new_process_finds_everything_done_and_trains_a_student_again(tmp_path):
    table = sweep(tmp_path, "text", keep_students="all")
    student = table[table[MODEL] == STUDENT][ID].iloc[0]
    kept = load_file(tmp_path / f"results/mine/students/{student}.safetensors")
    file = "results/mine/sweep.yaml"
    (tmp_path / f"results/mine/students/{student}.safetensors").unlink()
    again = run_kdtune(tmp_path, "sweep", file, "--workers", "0")
    assert again.returncode == 0, again.stderr
    assert "nothing to train" in again.stderr
    taken = run_kdtune(tmp_path, "export", "mine", "--id", student, "--measure", "-o", "taken")
    assert taken.returncode == 0, taken.stderr
    trained_again = load_file(tmp_path / "taken/student.safetensors")
    assert trained_again.keys() == kept.keys()
    assert all(np.array_equal(values, kept[name]) for name, values in trained_again.items())
    assert "does not exist" not in (tmp_path / "taken/model_card.md").read_text(encoding="utf-8")
    assert run_kdtune(tmp_path, "plan", "taken/sweep.yaml").returncode == 0


def test_results_that_an_earlier_version_left_without_labels_get_them(tmp_path):
    sweep(tmp_path, "text")
    files = list_data_files(tmp_path / "results/mine/sweep.yaml")
    for path in files:
        path.unlink()
    sweep(tmp_path, "text")
    assert all(path.exists() for path in files)


def test_results_that_were_moved_are_read_where_they_lie(tmp_path):
    sweep(tmp_path, "text")
    (tmp_path / "results").rename(tmp_path / "moved")
    plan = run_kdtune(tmp_path, "plan", "moved/mine/sweep.yaml", "--results", "moved")
    assert plan.returncode == 0, plan.stderr
    assert "to train 0" in " ".join(plan.stdout.split())
