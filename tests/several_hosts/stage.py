"""What a test on several hosts needs: hosts, a cluster of them, a store, a sweep, and a log of what happens."""

from __future__ import annotations

import secrets
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from kdtune.columns import DONE, ID, MODEL, SECONDS, STATUS, TEACHER
from kdtune.objects.folder import ObjectFolder
from tests.folders import table
from tests.object_stores import VARIABLES, create_bucket, use_endpoint
from tests.several_hosts.event_log import EventLog
from tests.several_hosts.launched_cluster import LaunchedCluster
from tests.several_hosts.network_hosts import CHECKOUT, GATEWAY, Host, find_missing_means, open_hosts
from tests.several_hosts.s3_server import find_server, serve_seaweed


@dataclass
class Stage:
    """What a test needs: hosts, of which the last joins late, their cluster and the store."""

    cluster: LaunchedCluster
    late: Host
    results: str
    sweep: Path
    log: EventLog
    output: Path

    def bring_up(self) -> None:
        """Run ``ray up``, and wait for the head, all workers and the tunnel."""
        up = self.cluster.launch("up")
        assert up.returncode == 0, up.stdout + up.stderr
        self.log.write("ray up has returned")
        self.cluster.wait_for_nodes(1 + len(self.cluster.workers))
        self.cluster.open_tunnel()
        self.log.write("the head and its workers are there")

    def take_down(self) -> None:
        """Run ``ray down``, and see that it leaves no process of Ray's on the hosts that it knows."""
        down = self.cluster.launch("down")
        assert down.returncode == 0, down.stdout + down.stderr
        hosts = (self.cluster.head, *self.cluster.workers)
        started_at = time.monotonic()  # Workers end when they have not heard of the head for a minute.
        while left := [f"{host.name}: {line[:300]}" for host in hosts for line in host.list_processes("ray")]:
            assert time.monotonic() < started_at + 150, "ray down has left\n" + "\n".join(left)
            time.sleep(1)
        self.log.write(f"ray down has left no process ({time.monotonic() - started_at:.1f} s)")

    def list_parts(self) -> list[str]:
        """Return the names of the objects that hold rows of packs."""
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

    def wait_for_training(self) -> None:
        """Wait until a worker of the cluster trains, which may be any."""
        hosts = self.cluster.workers
        self.wait_for("packs are trained", lambda: any(self.is_training(host) for host in hosts), 180)

    def is_training(self, host: Host) -> bool:
        """Return whether a worker trains on a host at this moment."""
        return bool(host.list_processes("ray::ResourceTrainable.train"))

    def is_over(self, job: str) -> bool:
        """Return whether a job has ended, or its head forgot it."""
        status = self.cluster.kdtune("status", job)
        # The message of a job that failed ends with what it printed, which may say "running".
        return status.returncode != 0 or status.stdout.split()[1] not in ("running", "pending")

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
        run = self.cluster.kdtune("fetch", f"{self.results}/hosts", "-o", str(self.output / "seen"), timeout=200)
        assert run.returncode == 0, run.stderr
        rows = table(self.output / "seen" / "hosts")
        return dict(rows[(rows[MODEL] == TEACHER) & (rows[STATUS] == DONE)].set_index(ID)[SECONDS])


@contextmanager
def open_stage(name: str, sweep_tree: Mapping[str, Any], monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    """Provide four hosts, of which all but the last run, and an S3 server that all of them reach.

    What happens is kept in ``build/NAME``. Skips the test, with the reason, where hosts cannot be made.
    """
    missing = find_missing_means() or ("" if find_server() else "SeaweedFS not found: pip install '.[hosts]'")
    if missing:
        pytest.skip(missing)
    output = CHECKOUT / "build" / name
    shutil.rmtree(output, ignore_errors=True)
    output.mkdir(parents=True)
    log = EventLog(output / "events.log")
    sweep = output / "hosts.yaml"
    with sweep.open("w") as file:
        YAML(typ="safe", pure=True).dump(sweep_tree, file)
    with (
        tempfile.TemporaryDirectory(prefix="kdtune-hosts-") as store,
        open_hosts(output / "keys", 4) as (head, *workers, late),
        serve_seaweed(Path(store), GATEWAY) as endpoint,
    ):
        use_endpoint(monkeypatch, endpoint)
        results = f"{create_bucket(endpoint)}/results"
        for host in (head, *workers):
            host.start()
            log.write(f"switched on {host.name} ({host.address})")
        variables = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32), "AWS_ENDPOINT_URL": endpoint}
        cluster = LaunchedCluster(output / "laptop", head, workers, output / "keys" / "key", variables | VARIABLES)
        try:
            yield Stage(cluster, late, results, sweep, log, output)
        finally:
            cluster.close_tunnel()
