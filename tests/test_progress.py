"""The lines that a sweep prints while it runs."""

from __future__ import annotations

import io

import pyarrow as pa
import pytest
from rich.console import Console

import kdtune
from kdtune.columns import DONE, FAILED, ID, SKIPPED, STATUS
from kdtune.plan.network_types import NetworkTypes
from kdtune.plan.training_time import estimate_stacked_seconds
from kdtune.run import progress
from kdtune.run.progress import Progress
from kdtune.run.time_left import TimeLeft
from tests.given_files import make_arrays

COUNT = 10_000  # more networks than most sweeps have


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands still until it is set."""
    seconds = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: seconds[0])
    return seconds


@pytest.fixture
def output():
    return io.StringIO()


@pytest.fixture
def shown(output):
    return Progress(Console(file=output, width=80))


def rows(networks, status):
    return pa.table({ID: [network.id for network in networks], STATUS: [status] * len(networks)})


def last_line(shown, output):
    shown._print_line()
    return output.getvalue().splitlines()[-1]


def test_counts_and_time_left_follow_the_work(plan, shown, output, clock):
    small = plan()
    total = len(small.networks)
    with shown.show_training(small, workers=2):
        assert last_line(shown, output) == f"0:00:00  0 of {total} networks done, time left unknown yet"
        first, second, *others = small.packs
        clock[0] = 10.0
        shown.set_running([first])
        count = len(first.networks)
        assert (
            last_line(shown, output) == f"0:00:10  0 of {total} networks done, {count} running, time left unknown yet"
        )
        clock[0] = 15.0
        shown.set_running([])
        shown.add_finished(rows(first.networks, DONE))
        # The work is that of a network in a stack, not its multiply-adds: narrow networks take longer than these say.
        types = NetworkTypes()
        work, done = (
            sum(estimate_stacked_seconds(types.find(network)) for network in networks)
            for networks in (small.networks, first.networks)
        )
        seconds = 5 * (work - done) / done  # of the pace since the first pack began
        assert seconds < 100
        assert last_line(shown, output) == f"0:00:15  {count} of {total} networks done, about {seconds:.0f} s left"
        shown.add_finished(rows(second.networks, FAILED))
        for pack in others:
            shown.add_finished(rows(pack.networks, SKIPPED))
    assert output.getvalue().splitlines()[-1] == f"0:00:15  {count} of {total} networks done, {total - count} failed"


def test_no_time_left_is_told_from_a_pace_that_is_mostly_the_start(plan, shown, output, clock):
    small = plan()
    first, *others = small.packs
    work = {network.id: 0.009 / len(first.networks) for network in first.networks}
    work |= {network.id: 1.0 for pack in others for network in pack.networks}
    with shown.show_training(small, workers=2):
        shown.time_left = TimeLeft(work)
        shown.set_running([first])
        clock[0] = 3600.0
        shown.set_running([])
        shown.add_finished(rows(first.networks, DONE))
        assert last_line(shown, output).endswith("time left unknown yet")


def test_what_workers_have_done_of_the_packs_that_they_train_counts(plan, clock):
    packs = plan().packs[:3]
    time_left = TimeLeft({network.id: 1 / len(pack.networks) for pack in packs for network in pack.networks})
    time_left.set_running(packs[:1])
    clock[0] = 10.0
    time_left.set_running(packs[1:2])
    time_left.finish(network.id for network in packs[0].networks)
    assert time_left.estimate_seconds() == pytest.approx(20)  # two packs, of 10 seconds each
    clock[0] = 16.0
    assert time_left.estimate_seconds() == pytest.approx(14)
    time_left.set_running(packs[1:])
    assert time_left.estimate_seconds() == pytest.approx(10)  # one has 4 seconds left, the other 10, side by side
    clock[0] = 25.0
    assert time_left.estimate_seconds() == pytest.approx(1)  # the first should have ended


def test_lines_of_a_large_sweep_fit_a_terminal_of_80_columns(shown, output, clock):
    clock[0] = 86400.0 - 1
    shown.started_at = 0.0
    shown.n_networks, shown.n_done, shown.n_failed, shown.n_running = COUNT, COUNT // 2, 99, 128
    shown.time_left.estimate_seconds = lambda: 170_000.0
    assert len(last_line(shown, output)) <= 80


@pytest.mark.parametrize(("replicates", "ending"), [(1, "test split."), (3, "test split, in replicate 0.")])
def test_errors_of_a_users_teacher_are_those_of_one_replicate(tmp_path, capfd, replicates, ending):
    arrays = make_arrays()
    blocks = {
        "name": "mine",
        "replicates": replicates,
        "dataset": {"x": arrays["train_x"], "y": arrays["train_y"]},
        "teacher": {"kind": "sklearn", "factory": "sklearn.tree:DecisionTreeClassifier"},
        "student": {"depth": 1, "width": 4},
        "distill": {"T": 2},
        "train": {"epochs": 1},
    }
    kdtune.sweep(blocks, results=tmp_path, workers=0)
    printed = " ".join(capfd.readouterr().err.split())
    start = "the teacher (DecisionTreeClassifier) makes "
    assert start in printed
    assert ending in printed.split(start)[1]
    assert printed.count(start) == 1
