"""Small sweeps for the tests, and one Ray for all of them."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from click.testing import CliRunner
from ruamel.yaml import YAML

from benchmarks import planted
from kdtune.cli import main
from kdtune.columns import TEACHER
from kdtune.plan.enumerate_networks import enumerate_networks
from kdtune.plan.plan import Plan, make_plan
from kdtune.spec.load import load_spec
from kdtune.spec.sweep_spec import SweepSpec
from kdtune.train.train_pack import train_pack
from kdtune.train.trained_network import TrainedNetwork
from tests.object_stores import create_bucket, serve_s3, use_endpoint

torch.set_num_threads(1)
# Where Python writes no bytecode (a setting of many images), each process that a test starts would compile kdtune anew:
# two seconds of a sweep.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

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


@pytest.fixture
def frequent_switches() -> Iterator[None]:
    """Let threads take turns after a few instructions, so that they meet in the narrowest places."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


@pytest.fixture(scope="session")
def trained_teachers(tmp_path_factory: pytest.TempPathFactory) -> list[TrainedNetwork]:
    """The two teachers of the small sweep, trained, not saved."""
    spec = load_spec(write_small(tmp_path_factory.mktemp("teachers") / "small.yaml"))
    plan = make_plan([network for network in enumerate_networks(spec) if network.model == TEACHER])
    return [result for pack in plan.packs for result in train_pack(pack)]


class SmallDisk:
    """A file system of 1 MiB in memory, which can be full or read-only."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir()
        mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(path)]
        if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
            pytest.skip("only root can mount a small tmpfs, and not everywhere")

    def remount(self, options: str) -> None:
        subprocess.run(["mount", "-o", f"remount,{options}", str(self.path)], check=True)

    def fill(self, leaving: int) -> None:
        free = os.statvfs(self.path).f_bavail * os.statvfs(self.path).f_bsize
        (self.path / "filler").write_bytes(bytes(free - leaving))

    def empty(self) -> None:
        (self.path / "filler").unlink()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[SmallDisk]:
    disk = SmallDisk(tmp_path / "small disk")
    yield disk
    subprocess.run(["umount", "-l", str(disk.path)], check=True)


@pytest.fixture(scope="session")
def rising() -> pd.DataFrame:
    """A table whose best T is 4 at width 50 and doubles with the width."""
    return planted.table(planted.RISES)


@pytest.fixture(scope="session")
def ray_address() -> Iterator[str]:
    """A Ray cluster of two raylets on this machine, started once: 127.0.0.1:PORT."""
    os.environ["RAY_AUTH_MODE"] = "disabled"
    try:
        with start_cluster(n_nodes=2) as address:
            yield address
    finally:
        del os.environ["RAY_AUTH_MODE"]


@contextmanager
def start_cluster(
    n_nodes: int, address: str = "", dashboard_port: int = 0, head_options: Sequence[str] = (), **variables: str
) -> Iterator[str]:
    """Start a Ray cluster on this machine with these environment variables; give its address, on a free port if none.

    It has a dashboard, which takes jobs, if that has a port. The head has one CPU, unless further options of
    `ray start` say otherwise.

    `ray stop` would end every Ray on this machine, so the nodes are ended here, process by process.
    """
    address = address or f"127.0.0.1:{find_free_port()}"
    port = address.rpartition(":")[2]
    head = ["--head", f"--port={port}", "--node-ip-address=127.0.0.1", "--num-cpus=1"]
    head += [f"--dashboard-port={dashboard_port}"] if dashboard_port else ["--include-dashboard=false"]
    head += head_options
    with ExitStack() as stack:
        stack.enter_context(_run_node(head, variables))
        # A head that starts machines is no node in what Ray prints.
        _wait_for_status(address, variables, lambda status: "GiB memory" in status)
        for count in range(2, n_nodes + 1):
            stack.enter_context(join_cluster(address, "--num-cpus=1", **variables))
            wait_for_nodes(address, count, variables)
        yield address


@contextmanager
def join_cluster(address: str, *options: str, **variables: str) -> Iterator[None]:
    """Let one more machine, as Ray sees it, join a cluster until the block ends, with these options of `ray start`."""
    with _run_node([f"--address={address}", *options], variables):
        yield


@contextmanager
def _run_node(options: list[str], variables: dict[str, str]) -> Iterator[None]:
    """Run the processes of one node of a cluster until the block ends."""
    import psutil

    ray = str(Path(sys.executable).with_name("ray"))
    node = subprocess.Popen(
        [ray, "start", *options, "--block", "--object-store-memory=100000000", "--disable-usage-stats"],
        env=os.environ | variables,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield
    finally:
        processes = psutil.Process(node.pid).children(recursive=True)
        for process in [*processes, node]:
            with suppress(psutil.NoSuchProcess):  # one ends when another that it serves is gone
                process.kill()
        node.wait()


def find_free_port() -> int:
    """Return a port on which nothing listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def wait_for_nodes(address: str, count: int, variables: dict[str, str]) -> None:
    """Wait until a cluster has so many machines."""
    _wait_for_status(address, variables, lambda status: status.count(" node_") >= count)


def _wait_for_status(address: str, variables: dict[str, str], is_up: Callable[[str], bool]) -> None:
    """Wait until what `ray status` prints is as it should be."""
    status = [str(Path(sys.executable).with_name("ray")), "status", f"--address={address}"]
    for _ in range(60):
        result = subprocess.run(status, capture_output=True, text=True, check=False, env=os.environ | variables)
        if is_up(result.stdout):
            return
        time.sleep(0.5)
    raise AssertionError(f"Ray did not come up: {result.stdout}{result.stderr}")


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


@pytest.fixture(scope="session")
def s3_endpoint() -> Iterator[str]:
    """The URL of an S3 server."""
    with serve_s3() as endpoint:
        yield endpoint


@pytest.fixture
def bucket(s3_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The URL of a new bucket, whose store the environment variables name."""
    use_endpoint(monkeypatch, s3_endpoint)
    return create_bucket(s3_endpoint)
