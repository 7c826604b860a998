"""A sweep on a cluster of several hosts, each of which dies or falls silent in the middle of it.

``make test-cluster`` runs it, in about a quarter of an hour. It leaves ``build/test-cluster/``: ``events.log``, what
the jobs printed, and both tables.
"""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd
import pytest

from kdtune.columns import HOST, ID, SECONDS
from tests.folders import assert_same_rows, table
from tests.several_hosts.event_log import EventLog
from tests.several_hosts.stage import Stage, open_stage

pytestmark = pytest.mark.hosts
SWEEP = {
    "name": "hosts",
    "replicates": 4,
    "dataset": {
        "kind": "make_classification",
        "n_samples": 10_000,
        "class_sep": {"grid_search": [0.5, 1.0, 1.5]},
        "p_informative": {"grid_search": [0.2, 0.5]},
    },
    "teacher": {"hidden": [50, 50]},
    "student": {"depth": 2, "width": {"grid_search": [50, 100]}},
    "distill": {"T": {"grid_search": [1, 2, 3, 4, 8, 16, 32]}},
    "train": {"epochs": 100, "batch_size": 100},
}


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    with open_stage("test-cluster", SWEEP, monkeypatch) as stage:
        yield stage


def test_a_sweep_outlives_workers_hosts_and_the_head(stage: Stage) -> None:
    cluster, log = stage.cluster, stage.log
    silent, killed = cluster.workers
    stage.bring_up()
    for what, variables in {"no": {"RAY_AUTH_MODE": ""}, "a wrong": {"RAY_AUTH_TOKEN": "ab" * 32}}.items():
        refused = cluster.kdtune("submit", str(stage.sweep), "--results", stage.results, **variables)
        assert refused.returncode == 2, refused.stdout
        assert "token" in refused.stderr
        log.write(f"refused with {what} token: {refused.stderr.splitlines()[-1][:100]}")

    job = stage.submit()
    stage.wait_for_parts(6)

    silent.cut_off()
    log.write(f"cut off {silent.name}")
    stage.late.start()
    cluster.join(stage.late)
    log.write(f"{stage.late.name} has joined")
    stage.wait_for("it trains", lambda: stage.is_training(stage.late), 60)
    stage.wait_for_parts(4)
    silent.reconnect()
    log.write(f"reconnected {silent.name}")
    stage.wait_for("it trains again", lambda: stage.is_training(silent), 180)

    killed.kill()
    log.write(f"switched off {killed.name}")
    stage.wait_for("its pack is tried again", lambda: _count_crashes(stage, job) >= 2, 30)
    killed.start()
    log.write("switched it on again")
    stage.wait_for("it trains again", lambda: stage.is_training(killed), 180)

    teacher_seconds = stage.read_teacher_seconds()
    first_log = stage.output / f"{job}.log"
    follower = cluster.follow(job, first_log)
    stage.wait_for("its output is followed", lambda: first_log.stat().st_size > 0, 30)
    cluster.head.kill()
    log.write(f"switched off the head, after {len(stage.list_parts())} parts; {len(teacher_seconds)} teachers are done")
    cluster.head.start()
    stage.bring_up()
    assert follower.wait(60) == 1
    assert "submit the sweep again" in first_log.read_text()
    job = stage.submit("--wait")
    log.write("following it")
    followed = cluster.kdtune("logs", job, "--follow", timeout=900)
    (stage.output / f"{job}-again.log").write_text(followed.stdout)
    assert followed.returncode == 0, followed.stdout[-3000:] + followed.stderr
    log.write("the sweep is done")

    fetched = cluster.kdtune("fetch", job, "-o", str(stage.output / "cluster"))
    assert fetched.returncode == 0, fetched.stderr
    stage.take_down()

    here = cluster.kdtune(
        "sweep", str(stage.sweep), "--workers", "2", "--results", str(stage.output / "here"), timeout=900
    )
    assert here.returncode == 0, here.stderr
    log.write("trained it on one machine")
    on_cluster, alone = table(stage.output / "cluster" / "hosts"), table(stage.output / "here" / "hosts")
    assert_same_rows(on_cluster, alone)
    _write_summary(log, on_cluster, teacher_seconds)
    assert set(on_cluster[HOST]) == {host.name for host in (*cluster.workers, stage.late)}
    teachers = on_cluster.set_index(ID)[SECONDS]
    assert {teacher: teachers[teacher] for teacher in teacher_seconds} == teacher_seconds, "a teacher was trained twice"


def _count_crashes(stage: Stage, job: str) -> int:
    return stage.cluster.kdtune("logs", job).stdout.count("A worker died.")


def _write_summary(log: EventLog, rows: pd.DataFrame, teacher_seconds: dict[str, float]) -> None:
    """Note what ran where."""
    for host, n_networks in rows[HOST].value_counts().items():
        log.write(f"{host} trained {n_networks} networks")
    log.write(f"equal tables of {len(rows)} networks; {len(teacher_seconds)} teachers kept over the head's death")
