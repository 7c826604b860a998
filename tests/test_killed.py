"""Whole sweeps that are killed or interrupted through the command line, on a Ray of their own, and continued."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import psutil
import pytest

import kdtune as package
from kdtune.columns import ID, SECONDS
from kdtune.objects.folder import ObjectFolder
from kdtune.objects.places import CACHE_VARIABLE
from kdtune.results.live_status import Restart, read_status
from tests.conftest import environment, start_cluster, write_small
from tests.folders import assert_same_rows, parts, table, train_alone

pytestmark = pytest.mark.xdist_group("killed")  # one long reference for all of them


@pytest.fixture
def start(tmp_path):
    """Start the command line in the background, in a process group of its own; kill what is left of it."""
    started = []

    def run(*arguments):
        process = subprocess.Popen(
            [sys.executable, "-m", "kdtune", *map(str, arguments)],
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            env=environment(joins=False),
            # Tests that run in the background of a shell ignore it, and so would what they start.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        started.append(process)
        return process

    yield run
    for process in started:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def wait_for(condition, seconds=180.0, interval=0.05):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(interval)


SETS = ("train.epochs=200", "distill.T=[1, 2, 3, 4, 5]")
LONG = (*(word for one in SETS for word in ("--set", one)), "--pack", "3", "--workers", "2")


@pytest.fixture(scope="session")
def long_reference(tmp_path_factory):
    """The longer sweep without interruption."""
    return train_alone(write_small(tmp_path_factory.mktemp("long") / "small.yaml"), SETS)


@pytest.mark.parametrize(("victim", "after"), [("everything", 2), pytest.param("worker", 1, marks=pytest.mark.slow)])
def test_a_killed_sweep_goes_on_where_it_was(kdtune, start, write, long_reference, tmp_path, victim, after):
    """kill -9 of everything or of one worker, after some packs."""
    folder = tmp_path / "results/small"
    run = start("sweep", write(), *LONG)
    wait_for(lambda: (folder / "table.parquet").exists())
    wait_for(lambda: len(parts(folder)) >= after and workers(run.pid))
    if victim == "worker":
        os.kill(workers(run.pid)[0], signal.SIGKILL)
        output, _ = run.communicate(timeout=180)
        assert run.returncode == 0, output
        assert "A worker died" in output
        assert "raylet" not in output
    else:
        family = psutil.Process(run.pid).children(recursive=True)
        os.kill(run.pid, signal.SIGKILL)
        for process in family:
            if process.is_running():
                process.kill()
        run.wait()
        wait_for(lambda: not any(is_alive(process) and not is_agent(process) for process in family))
        assert len(parts(folder)) >= after
        before = pd.concat([pd.read_parquet(path) for path in parts(folder)])
        run = kdtune("sweep", write(), *LONG)
        assert run.returncode == 0, run.stderr
        assert f"{len(before)} of 26 networks are done already" in run.stderr
        seconds = table(folder).set_index(ID)[SECONDS]  # what was finished is not trained again
        assert (seconds[before[ID]].to_numpy() == before[SECONDS].to_numpy()).all()
    assert_same_rows(table(folder), long_reference)


@pytest.mark.slow
def test_a_killed_sweep_in_an_object_store_goes_on(kdtune, start, write, long_reference, tmp_path, bucket, monkeypatch):
    """kill -9 of everything: its lease is void at once on this machine, and nothing finished is trained again."""
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "cache"))
    results = ObjectFolder(f"{bucket}/results")
    arguments = ("sweep", write(), *LONG, "--results", results.url)
    run = start(*arguments)
    wait_for(lambda: len(results.list_objects("small/parts")) >= 2)
    family = psutil.Process(run.pid).children(recursive=True)
    for process in (psutil.Process(run.pid), *family):
        if process.is_running():
            process.kill()
    run.wait()
    wait_for(lambda: not any(is_alive(process) and not is_agent(process) for process in family))
    assert results.read("small/lease.json") is not None
    fetched = kdtune("fetch", f"{results.url}/small", "-o", tmp_path / "fetched")
    assert fetched.returncode == 0, fetched.stderr
    before = pd.concat([pd.read_parquet(path) for path in parts(tmp_path / "fetched/small")])
    again = kdtune(*arguments)
    assert again.returncode == 0, again.stderr
    assert f"{len(before)} of 26 networks are done already" in again.stderr
    assert "Looking whether it still runs" not in again.stderr
    after = package.read_table(f"{results.url}/small")
    seconds = after.set_index(ID)[SECONDS]
    assert (seconds[before[ID]].to_numpy() == before[SECONDS].to_numpy()).all()
    assert_same_rows(after, long_reference)


@pytest.mark.slow
def test_a_sweep_waits_for_its_cluster_and_goes_on_when_it_is_back(start, write, long_reference, tmp_path, monkeypatch):
    """Both machines of the cluster go away in mid-sweep; Ray itself takes a minute to notice."""
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    folder = tmp_path / "results/small"
    with start_cluster(n_nodes=2) as address:
        run = start("sweep", write(), *LONG, "--address", address)
        wait_for(lambda: len(parts(folder)) >= 2)
    wait_for(lambda: read_status(folder).restarts)
    with start_cluster(n_nodes=2, address=address):
        output, _ = run.communicate(timeout=300)
    assert run.returncode == 0, output
    (told,) = [line for line in output.splitlines() if "Ray died" in line]
    assert "Joining it again (restart 1 of 3)." in told
    assert_same_rows(table(folder), long_reference)


@pytest.mark.slow
def test_a_sweep_whose_ray_dies_mends_itself(start, write, long_reference, tmp_path):
    """Each time without help, with one line that says so, and without a word of Ray's on the screen."""
    folder = tmp_path / "results/small"
    run = start("sweep", write(), *LONG, "--pack", "1")
    victims = ("raylet/raylet", "gcs_server", "kdtune.run.ray_process")
    n_parts = 0
    for count, victim in enumerate(victims, start=1):
        wait_for(lambda: len(parts(folder)) > n_parts and workers(run.pid))  # noqa: B023 - called at once
        family = psutil.Process(run.pid).children(recursive=True)
        next(process for process in family if victim in " ".join(process.cmdline())).kill()
        wait_for(lambda: len(read_restarts(folder)) == count)  # noqa: B023 - called at once
        n_parts = len(parts(folder))
        assert not any(map(is_alive, family))
    output, _ = run.communicate(timeout=180)
    assert run.returncode == 0, output
    told = [line for line in output.splitlines() if "Ray died" in line]
    assert len(told) == len(victims)
    for line in told:  # Packs were finished in between, so that each restart is the first one.
        assert "Starting it again (restart 1 of 3). What it printed is in" in line
    assert (folder / "ray.log").is_file()
    for word in ("Traceback", "raylet.cc", "(raylet", "GCS", "core_worker"):
        assert word not in output
    assert_same_rows(table(folder), long_reference)
    assert len(read_restarts(folder)) == len(victims)


def read_restarts(folder: Path) -> Sequence[Restart]:
    status = read_status(folder)
    return () if status is None else status.restarts


def is_alive(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def is_agent(process: psutil.Process) -> bool:
    """Whether it is one of Ray's agents, which do nothing, and outlive a killed driver by a minute."""
    try:
        return "Agent" in " ".join(process.cmdline())
    except psutil.Error:
        return False


def workers(driver: int) -> list[int]:
    """Ray workers that hold a pack."""
    found = []
    for process in psutil.Process(driver).children(recursive=True):
        try:
            if "Trainable.train" in " ".join(process.cmdline()):
                found.append(process.pid)
        except psutil.Error:
            continue
    return found


def freeze_between_packs(driver: subprocess.Popen[str], folder: Path) -> set[str]:
    """Stop a driver as soon as something is finished, so that it hands out no more packs: the ids that it has kept."""
    wait_for(lambda: parts(folder))
    os.kill(driver.pid, signal.SIGSTOP)
    return {name for path in parts(folder) for name in pd.read_parquet(path)[ID]}


def check_ended_cleanly(driver: subprocess.Popen[str], folder: Path, known: set[str], reference: pd.DataFrame) -> None:
    output, _ = driver.communicate(timeout=60)
    assert driver.returncode == 130, output
    assert "Run the same command to continue" in output
    assert "Traceback" not in output
    finished = table(folder)
    assert known
    assert known <= set(finished[ID])
    assert len(finished) < len(reference)
    assert_same_rows(finished, reference[reference[ID].isin(finished[ID])].reset_index(drop=True))


def test_a_second_driver_is_refused_and_an_interrupt_keeps_what_is_finished(
    kdtune, start, write, long_reference, tmp_path
):
    """While one driver is at work a second is refused; Ctrl-C ends the first cleanly and keeps what is finished."""
    folder = tmp_path / "results/small"
    run = start("sweep", write(), *LONG)
    known = freeze_between_packs(run, folder)
    second = kdtune("sweep", write(), *LONG)
    assert second.returncode == 2
    assert f"pid {run.pid}" in second.stderr
    assert "since" in second.stderr
    os.killpg(run.pid, signal.SIGINT)
    os.kill(run.pid, signal.SIGCONT)
    check_ended_cleanly(run, folder, known, long_reference)


@pytest.mark.slow
def test_sigterm_ends_a_sweep_like_an_interrupt(start, write, long_reference, tmp_path):
    """SIGTERM, what batch systems send, does the same."""
    run = start("sweep", write(), *LONG)
    known = freeze_between_packs(run, tmp_path / "results/small")
    os.kill(run.pid, signal.SIGTERM)
    os.kill(run.pid, signal.SIGCONT)
    check_ended_cleanly(run, tmp_path / "results/small", known, long_reference)


@pytest.mark.slow
def test_an_interrupt_ends_a_sweep_in_one_process_which_can_be_continued(
    kdtune, start, write, long_reference, tmp_path
):
    """Although that process itself is training a pack."""
    folder = tmp_path / "results/small"
    command = ("sweep", write(), *LONG, "--workers", "0")
    run = start(*command)
    known = freeze_between_packs(run, folder)
    os.kill(run.pid, signal.SIGINT)
    os.kill(run.pid, signal.SIGCONT)
    check_ended_cleanly(run, folder, known, long_reference)
    assert kdtune(*command).returncode == 0
    assert_same_rows(table(folder), long_reference)
