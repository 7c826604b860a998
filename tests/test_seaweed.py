"""Sweeps whose results lie in a real S3 server: drivers that race for one sweep, and are killed at random."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from random import Random

import pytest

import kdtune as package
from kdtune.objects.folder import ObjectFolder
from kdtune.objects.places import CACHE_VARIABLE
from tests.conftest import environment
from tests.folders import assert_same_rows
from tests.object_stores import create_bucket, use_endpoint
from tests.several_hosts.s3_server import find_server, serve_seaweed

pytestmark = [pytest.mark.hosts, pytest.mark.skipif(find_server() is None, reason="pip install '.[hosts]'")]
SEED = 1
N_KILLS = 8


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A place in a bucket of a real server."""
    with serve_seaweed(tmp_path / "store") as endpoint:
        use_endpoint(monkeypatch, endpoint)
        yield f"{create_bucket(endpoint)}/results"


class Driver:
    """A command that runs the sweep, as on a machine of its own: with a cache and a name of its own."""

    def __init__(self, file: Path, results: str, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        self.log = folder / "log.txt"
        command = [sys.executable, "-m", "kdtune", "sweep", str(file), "--results", results, "--workers", "0", "--wait"]
        command += ["--pack", "1"]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command, cwd=folder, env=environment(joins=False) | {CACHE_VARIABLE: str(folder / "cache")},
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip

    def kill(self) -> None:
        """Kill it and all that it has started."""
        with suppress(ProcessLookupError):  # It has ended by itself.
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def test_drivers_that_race_and_are_killed_leave_the_table_of_an_undisturbed_run(
    results: str, write: Callable[..., Path], tmp_path: Path
) -> None:
    """Each driver waits for the one that drives; the one that drives is killed, and another machine takes over."""
    random = Random(SEED)
    file = write(train={"epochs": 600, "batch_size": 37}, distill={"T": {"grid_search": [1, 2, 3, 4, 6, 8]}})
    drivers = [Driver(file, results, tmp_path / f"machine-{number}") for number in range(2)]
    folder = ObjectFolder(f"{results}/small")
    for n_kills in range(N_KILLS):
        n_parts = len(folder.list_objects("parts"))
        ends_at = time.monotonic() + 150
        while len(folder.list_objects("parts")) == n_parts and any(each.process.poll() is None for each in drivers):
            assert time.monotonic() < ends_at, [each.log.read_text() for each in drivers]
            time.sleep(random.uniform(0.05, 0.3))
        victim = random.randrange(2)
        drivers[victim].kill()
        drivers[victim] = Driver(file, results, tmp_path / f"machine-{victim}")
        print(f"kill {n_kills + 1}, after {len(folder.list_objects('parts'))} parts")
    assert [each.process.wait(300) for each in drivers] == [0, 0], [each.log.read_text() for each in drivers]
    here = Driver(file, str(tmp_path / "here"), tmp_path / "undisturbed")
    assert here.process.wait(300) == 0
    assert_same_rows(package.read_table(f"{results}/small"), package.read_table(tmp_path / "here/small"))
    teachers = [entry.name for entry in ObjectFolder(f"{results}/teachers").list_objects()]
    assert len(teachers) == len(set(teachers)) == 2
