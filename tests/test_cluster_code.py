"""Modules of the user's reach the workers of a cluster that cannot see the folder of the sweep file."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pandas as pd
import pytest

from tests.conftest import environment
from tests.given_files import GIVEN, write_arrays, write_given

HELPER = """
from torch import nn

def make_layers(inputs, n_classes, width):
    return nn.Sequential(nn.Linear(inputs[0], width), nn.GELU(), nn.Linear(width, n_classes))
"""
NETS = """
from parts.layers import make_layers

def student(inputs, n_classes, width):
    return make_layers(inputs, n_classes, width)
"""


def run_in_own_file_systems(script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a shell script whose mounts nobody else sees; skip the test where that is not allowed."""
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        pytest.skip("only root can hide a folder from the workers")
    run = subprocess.run(
        ["unshare", "--mount", "sh", "-c", script, "sh", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
        env=environment(joins=True) | {"COLUMNS": "200"},
    )
    if "unshare" in run.stderr or "mount:" in run.stderr:
        pytest.skip("file systems cannot be mounted here")
    return run


@pytest.mark.xdist_group("ray")
@pytest.mark.slow
def test_workers_get_the_modules_of_a_folder_that_they_cannot_see(tmp_path, ray_address):
    code = tmp_path / "code"
    (code / "parts").mkdir(parents=True)
    (code / "parts" / "layers.py").write_text(HELPER)
    (code / "cluster_nets.py").write_text(NETS)
    write_arrays(tmp_path)
    student = {"kind": "python", "factory": "cluster_nets:student", "args": {"width": 4}}
    files = {
        "dataset": {
            split: {letter: str(tmp_path / f"{split}_{letter}.npy") for letter in "xy"} for split in ("train", "test")
        },
        "teacher": {
            "kind": "logits",
            "outputs": {split: str(tmp_path / f"{split}_z.npy") for split in ("train", "test")},
        },
    }
    write_given(code, student=student, **files)
    results = tmp_path / "results"
    # The command sees a file system of its own in place of the folder; the workers see an empty one.
    copy = tmp_path / "copy"
    shutil.copytree(code, copy)
    shutil.rmtree(code)
    code.mkdir()
    sweep = [sys.executable, "-m", "kdtune", "sweep", "given.yaml", "--address", ray_address, "--results", str(results)]
    script = 'mount -t tmpfs none "$1" && cp -r "$2"/. "$1" && cd "$1" && shift 2 && exec "$@"'
    run = run_in_own_file_systems(script, str(code), str(copy), *sweep)
    assert run.returncode == 0, run.stderr
    table = pd.read_parquet(results / GIVEN["name"] / "table.parquet")
    assert set(table["status"]) == {"done"}
    assert len(table) == 4


@pytest.mark.xdist_group("ray")
def test_a_results_folder_that_the_workers_cannot_see_is_refused_at_the_start(write, tmp_path, ray_address):
    results = tmp_path / "results"
    results.mkdir()
    sweep = [sys.executable, "-m", "kdtune", "sweep", str(write()), "--address", ray_address, "--results", str(results)]
    script = 'mount -t tmpfs none "$1" && shift && exec "$@"'
    run = run_in_own_file_systems(script, str(results), *sweep)
    assert run.returncode == 2, run.stderr
    assert "2 machines (" in run.stderr
    assert "of the cluster do not see this folder" in run.stderr
    assert "s3://BUCKET/PREFIX" in run.stderr
    assert "Traceback" not in run.stderr
    assert "Training" not in run.stderr


@pytest.mark.xdist_group("ray")
@pytest.mark.slow
def test_workers_need_no_temporary_folder_of_the_driver(write, tmp_path, ray_address):
    """As on another machine: Tune would save each trial into it, and fail."""
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    results = tmp_path / "results"
    sweep = [sys.executable, "-m", "kdtune", "sweep", str(write()), "--address", ray_address, "--results", str(results)]
    script = 'mount -t tmpfs none "$1" && export TMPDIR="$1" && shift && exec "$@"'
    run = run_in_own_file_systems(script, str(temporary), *sweep)
    assert run.returncode == 0, run.stderr
    assert "worker died" not in run.stdout + run.stderr
