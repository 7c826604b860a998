"""Run the packs of a sweep on Ray with a function in place of training, as the figures of the driver need it."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa

from kdtune.plan.enumerate_networks import enumerate_networks
from kdtune.plan.network import Pack
from kdtune.plan.packing import PackLimits
from kdtune.plan.plan import make_plan
from kdtune.results.store import Store
from kdtune.run.listener import PackInTraining
from kdtune.run.patience import Patience
from kdtune.run.ray_messages import Connect
from kdtune.run.supervisor import RayWorkers
from kdtune.run.worker_options import WorkerOptions
from kdtune.spec.load import load_spec

# A sweep of small networks, of which each is a pack: a teacher, a student, and a student for each T.
SINGLE_NETWORKS = """
name: driver
dataset: {kind: make_classification, n_samples: 200, n_features: 10, n_classes: 2}
teacher: {hidden: [4]}
student: {hidden: [4]}
distill: {T: {grid_search: [%s]}}
train: {epochs: 1, batch_size: 50}
"""

Train = Callable[[Pack, Store, WorkerOptions], None]


class Silence:
    """A listener that does not listen."""

    def on_training_changed(self, in_training: tuple[PackInTraining, ...]) -> None: ...

    def on_workers_changed(self, workers: int) -> None: ...

    def on_ray_died(self, reason: str) -> None: ...

    def on_rows_finished(self, rows: pa.Table) -> None: ...

    def on_pack_crashed(self, pack: Pack, crashes: int, memory: str) -> None: ...

    def on_tick(self) -> None: ...


def write_single_networks(n_packs: int) -> str:
    """Return a sweep file of so many packs, if each has one network."""
    return SINGLE_NETWORKS % ", ".join(str(i + 1) for i in range(n_packs - 2))


def run_packs(
    sweep: str,
    folder: Path,
    train: Train,
    cpus: int,
    max_networks: int = 1,
    workers: int = 0,
    address: str | None = None,
) -> tuple[int, float]:
    """Run the packs of a sweep, and return how many there are, and the seconds from the first order to the last row.

    Parameters
    ----------
    sweep : the text of a sweep file.
    folder : where everything goes; on a cluster, all machines see it.
    train : what is done with a pack; it writes the pack's part, and other files where it likes below the folder.
    cpus : of the Ray that is started, where there is no address.
    max_networks : the largest pack.
    workers : how many train; 0 for one on each CPU.
    address : of a cluster.
    """
    (folder / "sweep.yaml").write_text(sweep)
    networks = list(enumerate_networks(load_spec(folder / "sweep.yaml")))
    plan = make_plan(networks, workers=2, limits=PackLimits(max_networks=max_networks))
    store = Store(folder, "sweep")
    (folder / "scratch").mkdir()
    connect = Connect(address, cpus=cpus, verbose=False, code_folder=None)
    ray_workers = RayWorkers(connect, folder / "scratch", folder / "ray.log", Patience(), print)
    nodes = ray_workers.connect().nodes
    workers = workers or sum(node.cpus for node in nodes)
    start = time.perf_counter()
    ray_workers.run_packs(plan.packs, store, WorkerOptions(workers), Silence(), train)
    seconds = time.perf_counter() - start
    ray_workers.close()
    assert store.read_rows().num_rows == len(networks)
    return len(plan.packs), seconds
