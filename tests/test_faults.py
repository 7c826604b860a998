"""The commands that look for faults: a little of each, and that they see the faults that they look for."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pandas as pd
import pytest

from benchmarks.faults.case_runner import Case, CaseServer, Verdict, judge_case
from benchmarks.faults.chaos import is_as_promised
from benchmarks.faults.chaos_sweep import compare_results
from benchmarks.faults.disturbed_run import Kill
from benchmarks.faults.mutate_folders import mutate_folder
from benchmarks.faults.mutate_sweeps import mutate_sweep
from benchmarks.faults.mutate_tables import mutate_table
from benchmarks.faults.victims import MARK, VICTIMS, Family
from kdtune.columns import ID, NUM_ERROR, SECONDS

REPOSITORY = Path(__file__).parents[1]


def run_module(name: str, *arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a command that looks for faults, in a folder of its own."""
    return subprocess.run(
        [sys.executable, "-m", f"benchmarks.faults.{name}", *arguments],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        check=False,
    )


# --- fuzz -----------------------------------------------------------------------------------------


@pytest.mark.slow
def test_damaged_files_are_refused_in_kdtunes_own_words(tmp_path: Path) -> None:
    run = run_module("fuzz", "--number", "6", "--seed", "3", "--processes", "2", folder=tmp_path)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "seed 3" in run.stdout
    assert "6 cases" in run.stdout
    assert "0 findings" in run.stdout


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CaseServer]:
    server = CaseServer(tmp_path_factory.mktemp("server") / "modules.txt", max_seconds=4.0)
    yield server
    server.close()


def run_planted(server: CaseServer, fault: str, folder: Path) -> Verdict:
    case = Case("planted", folder, ["planted", fault])
    return judge_case(case, server.run(case))


@pytest.mark.parametrize(
    ("fault", "problem"),
    [
        ("traceback", "traceback: KeyError: 'missing'"),
        ("hang", "hang: killed after 4"),
        ("slow", "slow: 3"),
        ("memory", "memory: 7"),
        ("silence", "no message"),
        ("flood", "a message of 100 lines"),
        ("repr", "raw exception: KeyError("),
    ],
)
def test_a_planted_fault_is_found(server: CaseServer, tmp_path: Path, fault: str, problem: str) -> None:
    problems = run_planted(server, fault, tmp_path).problems
    assert any(found.startswith(problem) for found in problems), problems


def test_a_case_without_fault_is_none(server: CaseServer, tmp_path: Path) -> None:
    verdict = run_planted(server, "nothing", tmp_path)
    assert (verdict.outcome, verdict.problems) == ("accepted", [])


def test_the_same_seed_makes_the_same_damage(tmp_path: Path) -> None:
    frame = pd.DataFrame({"T": [1.0, 2.0, 4.0], "errors": [3, 2, 5], "model": ["a", "b", "c"]})
    text = "name: a\nstudent: {width: 3}\ndistill: {T: {grid_search: [1, 2]}}\n"
    damaged = set()
    for attempt in range(2):
        folder = tmp_path / str(attempt) / "results"
        (folder / "parts").mkdir(parents=True)
        frame.to_parquet(folder / "parts" / "a.parquet")
        done = [tuple(mutate_folder(folder, Random(seed))) for seed in range(5)]
        sweeps = tuple(mutate_sweep(text, Random(seed)) for seed in range(50))
        tables = tuple(mutate_table(frame, Random(seed)) for seed in range(50) if seed % 5)
        damaged.add((tuple(done), sweeps, tuple(ending for ending, _ in tables)))
    assert len(damaged) == 1


# --- chaos ----------------------------------------------------------------------------------------


def write_results(folder: Path, table: pd.DataFrame) -> Path:
    (folder / "chaos").mkdir(parents=True)
    table.to_parquet(folder / "chaos" / "table.parquet")
    return folder


def test_lost_doubled_and_changed_rows_are_seen(tmp_path: Path) -> None:
    table = pd.DataFrame({ID: ["a", "b"], NUM_ERROR: [3, 4], SECONDS: [1.0, 2.0]})
    reference = write_results(tmp_path / "reference", table)
    tables = {
        "same": table.assign(seconds=9.0),
        "lost": table.iloc[:1],
        "doubled": pd.concat([table, table.iloc[:1]]),
        "changed": table.assign(num_error=[3, 5]),
    }
    problems = {
        name: compare_results(write_results(tmp_path / name, frame), reference) for name, frame in tables.items()
    }
    assert problems["same"] == []
    assert "1 networks lost" in problems["lost"][0]
    assert "1 rows doubled" in problems["doubled"][0]
    assert NUM_ERROR in problems["changed"][0]


def test_only_processes_with_the_mark_are_killed() -> None:
    command = [sys.executable, "-c", "import time; time.sleep(60)"]
    marked = subprocess.Popen(command, env=os.environ | {MARK: "ours"})
    other = subprocess.Popen(command, env=os.environ | {MARK: "theirs"})
    try:
        family = Family("ours")
        assert [process.pid for process in family.list_processes()] == [marked.pid]
        assert family.wait_until_gone(0.0)
        family.kill_all()
        assert marked.wait(10) == -9
        assert family.wait_until_gone(5.0) == []
        assert other.poll() is None
    finally:
        for process in (marked, other):
            process.kill()
            process.wait()


@pytest.mark.parametrize("victim", VICTIMS)
def test_only_some_victims_may_need_help(victim: str) -> None:
    may_need_help = victim in ("supervisor", "Ctrl-C", "SIGTERM", "everything", "full disk")
    assert is_as_promised(Kill(victim, exit_code=1, needed_help=True)) == may_need_help
    assert is_as_promised(Kill(victim, exit_code=0))
    assert not is_as_promised(Kill(victim, exit_code=0, problems=["wrong: a row"]))


@pytest.mark.slow
def test_a_sweep_whose_worker_is_killed_has_the_undisturbed_table(tmp_path: Path) -> None:
    run = run_module("chaos", "--rounds", "1", "--victim", "worker", "--epochs", "60", folder=tmp_path)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "the tables are right" in run.stdout
