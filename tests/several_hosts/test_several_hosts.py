"""A sweep on a cluster of several hosts, each of which dies or falls silent in the middle of it.

``make test-cluster`` runs it, in about eight minutes. It leaves ``build/test-cluster/``: ``events.log``, what the jobs
printed, and both tables.
"""

from __future__ import annotations

import secrets
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest
from ruamel.yaml import YAML

from kdtune.columns import DONE, HOST, ID, MODEL, SECONDS, STATUS, TEACHER
from kdtune.objects.folder import ObjectFolder
from tests.folders import assert_same_rows, table
from tests.object_stores import VARIABLES, create_bucket, use_endpoint
from tests.several_hosts.event_log import EventLog
from tests.several_hosts.launched_cluster import LaunchedCluster
from tests.several_hosts.network_hosts import CHECKOUT, GATEWAY, Host, find_missing_means, open_hosts
from tests.several_hosts.s3_server import find_server, serve_seaweed

pytestmark = pytest.mark.hosts
OUTPUT = CHECKOUT / "build" / "test-cluster"
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
    "train": {"epochs": 240, "batch_size": 100},
}


@dataclass
class Stage:
    """What a test needs: hosts, of which the last joins late, their cluster and the store."""

    cluster: LaunchedCluster
    late: Host
    results: str
    sweep: Path
    log: EventLog

    def list_parts(self) -> list[str]:
        return [each.name for each in ObjectFolder(f"{self.results}/hosts").list_objects("parts")]

    def wait_for(self, what: str, is_so: Callable[[], bool], seconds: float) -> float:
        """Wait until something is so, note it, and return the seconds that it took."""
        started_at = time.monotonic()
        while not is_so():
            took = time.monotonic() - started_at
            assert took < seconds, f"not within {seconds:.0f} s: {what}"
            time.sleep(0.5)
        took = time.monotonic() - started_at
        self.log.write(f"{what} ({took:.1f} s)")
        return took

    def wait_for_parts(self, n_more: int, seconds: float = 180.0) -> None:
        """Wait until so many more packs have ended than now."""
        n_parts = len(self.list_parts())
        self.wait_for(f"{n_more} more parts in the store", lambda: len(self.list_parts()) >= n_parts + n_more, seconds)

    def is_training(self, host: Host) -> bool:
        """Return whether a worker trains on a host at this moment."""
        return bool(host.list_processes("ray::ResourceTrainable.train"))

    def submit(self, *options: str) -> str:
        """Submit the sweep, and return the name of its job."""
        job = self.cluster.kdtune(
            "submit", str(self.sweep), "--results", self.results, "--pack", "4", "--retries", "20", *options
        )
        assert job.returncode == 0, job.stderr
        self.log.write(f"submitted as {job.stdout.strip()}")
        return job.stdout.strip()

    def read_teacher_seconds(self) -> dict[str, float]:
        """Return how long each teacher took that is done: a teacher that is trained again takes another time."""
        run = self.cluster.kdtune("fetch", f"{self.results}/hosts", "-o", str(OUTPUT / "seen"), timeout=200)
        assert run.returncode == 0, run.stderr
        rows = table(OUTPUT / "seen" / "hosts")
        return dict(rows[(rows[MODEL] == TEACHER) & (rows[STATUS] == DONE)].set_index(ID)[SECONDS])


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    """Four hosts, three of which run, and an S3 server that all of them reach."""
    missing = find_missing_means() or ("" if find_server() else "SeaweedFS not found: pip install '.[hosts]'")
    if missing:
        pytest.skip(missing)
    shutil.rmtree(OUTPUT, ignore_errors=True)
    OUTPUT.mkdir(parents=True)
    log = EventLog(OUTPUT / "events.log")
    sweep = OUTPUT / "hosts.yaml"
    with sweep.open("w") as file:
        YAML(typ="safe", pure=True).dump(SWEEP, file)
    with (
        tempfile.TemporaryDirectory(prefix="kdtune-hosts-") as store,
        open_hosts(OUTPUT / "keys", 4) as (head, *workers, late),
        serve_seaweed(Path(store), GATEWAY) as endpoint,
    ):
        use_endpoint(monkeypatch, endpoint)
        results = f"{create_bucket(endpoint)}/results"
        for host in (head, *workers):
            host.start()
            log.write(f"switched on {host.name} ({host.address})")
        variables = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32), "AWS_ENDPOINT_URL": endpoint}
        cluster = LaunchedCluster(OUTPUT / "laptop", head, workers, OUTPUT / "keys" / "key", variables | VARIABLES)
        try:
            yield Stage(cluster, late, results, sweep, log)
        finally:
            cluster.close_tunnel()


def bring_up(stage: Stage) -> None:
    """Run ``ray up``, and wait for the head, both workers and the tunnel."""
    up = stage.cluster.launch("up")
    assert up.returncode == 0, up.stdout + up.stderr
    stage.log.write("ray up has returned")
    stage.cluster.wait_for_nodes(3)
    stage.cluster.open_tunnel()
    stage.log.write("the head and two workers are there")


def test_a_sweep_outlives_workers_hosts_and_the_head(stage: Stage) -> None:
    cluster, log = stage.cluster, stage.log
    silent, killed = cluster.workers
    bring_up(stage)
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
    (OUTPUT / f"{job}.log").write_text(cluster.kdtune("logs", job).stdout)
    cluster.head.kill()
    log.write(f"switched off the head, after {len(stage.list_parts())} parts; {len(teacher_seconds)} teachers are done")
    cluster.head.start()
    bring_up(stage)
    job = stage.submit("--wait")
    log.write("following it")
    followed = cluster.kdtune("logs", job, "--follow", timeout=900)
    (OUTPUT / f"{job}-again.log").write_text(followed.stdout)
    assert followed.returncode == 0, followed.stdout[-3000:] + followed.stderr
    log.write("the sweep is done")

    fetched = cluster.kdtune("fetch", job, "-o", str(OUTPUT / "cluster"))
    assert fetched.returncode == 0, fetched.stderr
    down = cluster.launch("down")
    assert down.returncode == 0, down.stdout + down.stderr
    for host in (cluster.head, *cluster.workers):
        assert host.list_processes("ray") == [], host.name
    log.write("ray down has left no process")

    here = cluster.kdtune("sweep", str(stage.sweep), "--workers", "2", "--results", str(OUTPUT / "here"), timeout=900)
    assert here.returncode == 0, here.stderr
    log.write("trained it on one machine")
    on_cluster, alone = table(OUTPUT / "cluster" / "hosts"), table(OUTPUT / "here" / "hosts")
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
