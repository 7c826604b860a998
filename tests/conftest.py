"""Small sweeps for the tests, and one Ray for all of them."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from click.testing import CliRunner
from ruamel.yaml import YAML

from benchmarks import planted
from kdtune.cli import main
from kdtune.plan.plan import Plan, enumerate_networks, make_plan
from kdtune.spec.spec import SweepSpec, load_spec

torch.set_num_threads(1)

SMALL: dict[str, Any] = {
    "name": "small",
    "dataset": {
        "kind": "make_classification",
        "n_samples": 500,
        "n_features": 13,
        "n_classes": 3,
        "p_informative": 0.5,
        "class_sep": {"grid_search": [0.5, 1.5]},
    },
    "teacher": {"hidden": [12, 12], "dropout": 0.2},
    "student": {"depth": 2, "width": {"grid_search": [3, 7]}},
    "distill": {"T": {"grid_search": [1, 2, 5]}},
    "train": {"epochs": 2, "batch_size": 37},  # the last batch is short
}


def write_small(path: Path, **blocks: Any) -> Path:
    """The small sweep with some blocks replaced, as a file."""
    with path.open("w", encoding="utf-8") as file:
        YAML(typ="safe", pure=True).dump({**SMALL, **blocks}, file)
    return path


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Write a sweep file: the small one with some blocks replaced, or any text."""

    def write_file(text: str | None = None, name: str = "small.yaml", **blocks: Any) -> Path:
        path = tmp_path / name
        if text is None:
            return write_small(path, **blocks)
        path.write_text(text, encoding="utf-8")
        return path

    return write_file


@pytest.fixture
def spec(write: Callable[..., Path]) -> Callable[..., SweepSpec]:
    """The small sweep, with some blocks replaced, validated."""
    return lambda *overrides, **blocks: load_spec(write(**blocks), overrides)


@pytest.fixture
def plan(spec: Callable[..., SweepSpec]) -> Callable[..., Plan]:
    """The small sweep, planned."""
    return lambda *overrides, **options: make_plan(list(enumerate_networks(spec(*overrides))), **options)


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Run the command line in this process, in an empty folder."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("COLUMNS", "200")
    return lambda *arguments: CliRunner().invoke(main, [str(a) for a in arguments])


@pytest.fixture(scope="session")
def rising() -> pd.DataFrame:
    """A table whose best T is 4 at width 50 and doubles with the width."""
    return planted.table(planted.RISES)


@pytest.fixture(scope="session")
def ray_address() -> Iterator[str]:
    """A Ray cluster of two raylets on this machine, started once: 127.0.0.1:PORT.

    `ray stop` would end every Ray on this machine, so the two are ended here, process by process.
    """
    import psutil

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    ray = str(Path(sys.executable).with_name("ray"))
    common = ["--block", "--num-cpus=1", "--object-store-memory=100000000", "--disable-usage-stats"]
    head = [ray, "start", "--head", f"--port={port}", "--node-ip-address=127.0.0.1", "--include-dashboard=false"]
    second = [ray, "start", f"--address=127.0.0.1:{port}"]
    env = {**os.environ, "RAY_AUTH_MODE": "disabled"}
    os.environ["RAY_AUTH_MODE"] = "disabled"
    started = []
    try:
        for command, there in ((head, 1), (second, 2)):
            started.append(
                subprocess.Popen(
                    [*command, *common],
                    env=env,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    start_new_session=True,
                )
            )
            _wait_for_nodes(f"127.0.0.1:{port}", there)
        yield f"127.0.0.1:{port}"
    finally:
        del os.environ["RAY_AUTH_MODE"]
        family = [child for one in started for child in psutil.Process(one.pid).children(recursive=True)]
        for process in [*family, *started]:
            with suppress(psutil.NoSuchProcess):  # one ends when another that it serves is gone
                process.kill()
        for process in started:
            process.wait()


def _wait_for_nodes(address: str, count: int) -> None:
    status = [str(Path(sys.executable).with_name("ray")), "status", f"--address={address}"]
    for _ in range(60):
        found = subprocess.run(status, capture_output=True, text=True, check=False).stdout
        if found.count(" node_") >= count:
            return
        time.sleep(0.5)
    raise AssertionError(f"Ray did not come up: {found}")


def environment(joins: bool) -> dict[str, str]:
    """Ours; a sweep that starts its own Ray chooses its own authentication."""
    return {name: value for name, value in os.environ.items() if joins or name != "RAY_AUTH_MODE"}


@pytest.fixture
def kdtune(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run the command line in a folder of its own, as a user would."""

    def run(*arguments: str | Path, **options: Any) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "kdtune", *map(str, arguments)],
            cwd=options.pop("cwd", tmp_path),
            capture_output=True,
            text=True,
            timeout=options.pop("timeout", 240),
            stdin=subprocess.DEVNULL,
            env=environment("--address" in arguments) | {"COLUMNS": "200"},
            **options,
        )

    return run
