"""Sweeps as jobs of a real Ray cluster with a token, their results in an object store."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import requests
from PIL import Image

import kdtune as package
from kdtune.columns import ID
from kdtune.objects.folder import ObjectFolder
from kdtune.objects.places import CACHE_VARIABLE
from tests.conftest import find_free_port, start_cluster
from tests.folders import assert_same_rows
from tests.given_files import make_patients, write_arrays, write_given
from tests.object_stores import VARIABLES, refuse_jobs_at_first, serve_json
from tests.watched import wait_for

pytestmark = pytest.mark.xdist_group("jobs")
TOKEN = "0123456789abcdef" * 4
NET = """
from torch import nn

def make_net():
    return nn.Sequential(nn.Flatten(), nn.Linear(3 * 4 * 4, 8), nn.ReLU(), nn.Linear(8, 2))
"""


@pytest.fixture(scope="module")
def head(s3_endpoint: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the dashboard of a cluster that wants a token."""
    port = find_free_port()
    # In a folder of its own: Ray tells a job the address of the Ray that was started last in the same folder. A path of
    # pytest's is too long for Ray's sockets.
    folder = tempfile.mkdtemp(prefix="kdtune-jobs-", dir="/tmp")
    variables = {
        "RAY_TMPDIR": folder,
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": TOKEN,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        CACHE_VARIABLE: str(tmp_path_factory.mktemp("cluster-cache")),
        "AWS_ENDPOINT_URL": s3_endpoint,
        **VARIABLES,
    }
    with start_cluster(n_nodes=1, dashboard_port=port, **variables):
        yield f"http://127.0.0.1:{port}"
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def run(kdtune: Callable[..., Any], head: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Run a command on the laptop, which has the token and a cache of its own."""
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    monkeypatch.setenv("RAY_AUTH_TOKEN", TOKEN)
    monkeypatch.setenv("RAY_API_SERVER_ADDRESS", head)
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "cache"))

    def run_command(command: str, *arguments: str | Path) -> Any:
        address = () if command == "sweep" else ("--address", os.environ["RAY_API_SERVER_ADDRESS"])
        return kdtune(command, *arguments, *address)

    return run_command


def test_a_submitted_sweep_gives_the_table_of_one_that_is_run_here(
    run: Callable[..., Any], bucket: str, tmp_path: Path
) -> None:
    """From files that only this machine has, with a job's name alone to everything that is asked for later."""
    results = f"{bucket}/results"
    (tmp_path / "data").mkdir()
    write_arrays(tmp_path / "data")
    file = write_given(tmp_path / "data")
    submitted = run("submit", file, "--results", results, "--workers", "1")
    assert submitted.returncode == 0, submitted.stderr
    assert submitted.stdout == "given-1\n"
    followed = run("logs", "given-1", "--follow")
    assert followed.returncode == 0, followed.stdout + followed.stderr
    assert "networks done" in followed.stdout
    assert "given-1  succeeded" in run("status").stdout
    fetched = run("fetch", "given", "-o", tmp_path / "fetched")
    assert fetched.returncode == 0, fetched.stderr
    here = run("sweep", file, "--workers", "0", "--results", tmp_path / "here")
    assert here.returncode == 0, here.stderr
    assert_same_rows(package.read_table(tmp_path / "fetched/given"), package.read_table(tmp_path / "here/given"))
    names = [entry.name for entry in ObjectFolder(results).list_objects("inputs")]
    assert len([name for name in names if name.startswith("inputs/files/")]) == 6

    again = run("submit", file, "--results", results, "--workers", "1", "--set", "distill.T=[1, 2, 4, 8]")
    assert again.stdout == "given-2\n", again.stderr
    assert run("logs", "given-2", "--follow").returncode == 0
    more = package.read_table(f"{results}/given")
    assert set(package.read_table(tmp_path / "here/given")[ID]) < set(more[ID])
    assert [entry.name for entry in ObjectFolder(results).list_objects("inputs")] == names  # sent once


@pytest.mark.slow
def test_images_a_table_and_modules_travel_and_the_page_finds_them_by_the_name_of_the_job(
    run: Callable[..., Any], bucket: str, tmp_path: Path
) -> None:
    random = np.random.default_rng(0)
    for split, name in product(("train", "test"), ("cat", "emu")):
        (tmp_path / "photos" / split / name).mkdir(parents=True)
        for number in range(12):
            pixels = random.integers(0, 256, (6, 6, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "photos" / split / name / f"{number}.png")
    (tmp_path / "mynets.py").write_text(NET)
    make_patients().to_csv(tmp_path / "patients.csv", index=False)
    net = {"kind": "python", "factory": "mynets:make_net"}
    photos = {"kind": "image_folder", "train": "photos/train", "test": "photos/test", "size": 4}
    patients = {"kind": "table", "file": "patients.csv", "target": "outcome"}
    forest = {"kind": "sklearn", "factory": "sklearn.ensemble:RandomForestClassifier"}
    results = f"{bucket}/results"
    for name, blocks in {
        "photos": {"dataset": photos, "teacher": {**net, "trained": False}, "student": net},
        "patients": {"dataset": patients, "teacher": forest},
    }.items():
        file = write_given(tmp_path, name=name, train={"epochs": 2, "batch_size": 10}, **blocks)
        submitted = run("submit", file, "--results", results, "--workers", "1")
        assert submitted.returncode == 0, submitted.stderr
        followed = run("logs", name, "--follow")
        assert followed.returncode == 0, followed.stdout + followed.stderr
        here = run("sweep", file, "--workers", "0", "--results", tmp_path / "here")
        assert here.returncode == 0, here.stderr
        assert_same_rows(package.read_table(f"{results}/{name}"), package.read_table(tmp_path / "here" / name))
    command = ["watch", "patients", "--address", os.environ["RAY_API_SERVER_ADDRESS"], "--port", "0", "--no-token"]
    with subprocess.Popen(
        [sys.executable, "-m", "kdtune", *command], stdout=subprocess.PIPE, text=True, cwd=tmp_path
    ) as page:
        assert page.stdout is not None
        try:
            url = page.stdout.readline().removeprefix("Watch: ").strip()
            status = wait_for(lambda: requests.get(f"{url}api/status", timeout=10).json())
        finally:
            page.terminate()
    assert status["sweep"] == "patients", status


@pytest.mark.slow
def test_a_stopped_job_keeps_what_is_finished(run: Callable[..., Any], bucket: str, write: Callable[..., Path]) -> None:
    results = f"{bucket}/results"
    command = ("submit", write(), "--results", results, "--set", "train.epochs=300", "--pack", "1", "--workers", "1")
    name = run(*command).stdout.strip()
    parts = ObjectFolder(f"{results}/small")
    end = time.monotonic() + 120
    while not parts.list_objects("parts"):
        assert time.monotonic() < end, run("logs", name).stdout
        time.sleep(0.2)
    refused = run(*command)
    assert refused.returncode == 2
    assert f"{name} runs this sweep already" in refused.stderr
    stopped = run("stop", name)
    assert "stopped" in stopped.stdout, stopped.stdout + stopped.stderr
    assert parts.read("lease.json") is None  # It ended by itself, as on Ctrl-C.
    n_finished = len(package.read_table(f"{results}/small"))
    assert n_finished > 0
    assert run("logs", name, "--follow").returncode == 1


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("RAY_AUTH_TOKEN", TOKEN[::-1], "the cluster refuses this token"),
        ("RAY_AUTH_MODE", "disabled", "the cluster wants a token"),
        ("RAY_API_SERVER_ADDRESS", "http://127.0.0.1:9", "the Jobs API of Ray does not answer"),
        ("RAY_API_SERVER_ADDRESS", "127.0.0.1:6379", "jobs are submitted to the dashboard's address"),
        ("AWS_ENDPOINT_URL", "http://127.0.0.1:9", "the store does not answer"),
    ],
)
def test_what_cannot_be_submitted_is_refused_in_one_message(
    run: Callable[..., Any], bucket: str, write: Callable[..., Path], monkeypatch: pytest.MonkeyPatch,
    variable: str, value: str, words: str,
) -> None:  # fmt: skip
    monkeypatch.setenv(variable, value)
    refused = run("submit", write(), "--results", f"{bucket}/results")
    assert refused.returncode == 2
    assert words in refused.stderr
    assert "Traceback" not in refused.stderr


def test_results_on_this_machine_are_refused(run: Callable[..., Any], write: Callable[..., Path]) -> None:
    refused = run("submit", write())
    assert refused.returncode == 2
    assert "a cluster does not see the folders of this machine" in refused.stderr
    unknown = run("status", "none")
    assert unknown.returncode == 2
    assert "has no job 'none'" in unknown.stderr


def test_another_version_of_ray_is_refused(
    run: Callable[..., Any], bucket: str, write: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    with serve_json({"ray_version": "2.1.0", "version": "4"}) as address:
        monkeypatch.setenv("RAY_API_SERVER_ADDRESS", address)
        refused = run("submit", write(), "--results", bucket)
    assert refused.returncode == 2
    assert "the cluster runs Ray 2.1.0, and Ray" in refused.stderr
    assert "pip install 'ray[default]==2.1.0'" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_a_head_that_does_not_run_jobs_yet_is_asked_again(
    run: Callable[..., Any], bucket: str, write: Callable[..., Path], head: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in the first seconds after `ray up`."""
    with refuse_jobs_at_first(head, times=2) as (address, refused_posts):
        monkeypatch.setenv("RAY_API_SERVER_ADDRESS", address)
        submitted = run("submit", write(), "--results", f"{bucket}/results")
    assert submitted.returncode == 0, submitted.stderr
    assert submitted.stdout.startswith("small-")
    assert len(refused_posts) == 2
    run("stop", submitted.stdout.strip())
