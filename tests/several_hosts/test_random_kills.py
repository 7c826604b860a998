"""Twenty random kills of a sweep on several hosts: of a worker, a worker's host, the head or the driver.

``make test-cluster-kills`` runs it, in about twenty minutes. It leaves ``build/random-kills/events.log``.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from random import Random

import pytest

from kdtune.columns import DONE, ID, STATUS
from tests.folders import table
from tests.several_hosts.stage import Stage, open_stage

pytestmark = pytest.mark.hosts
N_KILLS = 20
SEED = 1
MORE_REPLICATES = 4  # each time that the sweep ends before the last kill
SWEEP = {
    "name": "hosts",
    "replicates": MORE_REPLICATES,
    "dataset": {"kind": "make_classification", "n_samples": 10_000, "class_sep": {"grid_search": [0.5, 1.0, 1.5]}},
    "teacher": {"hidden": [50, 50]},
    "student": {"depth": 2, "width": {"grid_search": [50, 100]}},
    "distill": {"T": {"grid_search": [1, 2, 3, 4, 8, 16, 32]}},
    "train": {"epochs": 200, "batch_size": 100},
}


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    with open_stage("random-kills", SWEEP, monkeypatch) as stage:
        yield stage


def test_no_row_is_lost_or_doubled_over_random_kills(stage: Stage) -> None:
    random = Random(SEED)
    stage.bring_up()
    replicates = MORE_REPLICATES
    job = stage.submit()
    for number in range(1, N_KILLS + 1):
        time.sleep(random.uniform(3, 20))
        victim = random.choice(["worker", "worker", "host", "host", "driver", "head"])
        if stage.is_over(job):
            replicates += MORE_REPLICATES
            stage.log.write(f"the sweep is done; it goes on with {replicates} replicates")
            job = stage.submit("--set", f"replicates={replicates}", "--wait")
            stage.wait_for_training()
        stage.log.write(f"kill {number}: {victim}, after {len(stage.list_parts())} parts")
        if _kill(stage, victim, random):
            job = stage.submit("--set", f"replicates={replicates}", "--wait")
        stage.wait_for_training()
    followed = stage.cluster.kdtune("logs", job, "--follow", timeout=900)
    assert followed.returncode == 0, followed.stdout[-3000:] + followed.stderr
    fetched = stage.cluster.kdtune("fetch", job, "-o", str(stage.output / "cluster"))
    assert fetched.returncode == 0, fetched.stderr
    stage.take_down()
    rows = table(stage.output / "cluster" / "hosts")
    stage.log.write(f"{len(rows)} rows after {N_KILLS} kills")
    assert len(rows) == replicates * 3 * (1 + 2 * 8)
    assert rows[ID].is_unique
    assert set(rows[STATUS]) == {DONE}


def _kill(stage: Stage, victim: str, random: Random) -> bool:
    """Kill something, bring back what does not come back by itself, and return whether the job ended with it."""
    cluster = stage.cluster
    host = random.choice(cluster.workers)
    if victim == "worker":
        host.run("pkill -9 -f ray::ResourceTrainable")
    elif victim == "host":
        host.kill()
        host.start()  # Ray's launcher starts Ray there again, but gives a host up that dies meanwhile.
        stage.wait_for("Ray is there again", lambda: bool(host.list_processes("tail --pid")), 180)
    elif victim == "driver":
        cluster.head.run("pkill -9 -f '[k]dtune sweep'; pkill -9 -f '[k]dtune.run.ray_process'")
        stage.wait_for("the job has ended", lambda: stage.is_over("hosts"), 60)
        return True
    else:
        cluster.head.kill()
        cluster.head.start()
        stage.bring_up()
        return True
    return False
