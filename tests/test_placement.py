"""Where packs run on a cluster of machines that differ, that come, and that go."""

from __future__ import annotations

import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import ray

from kdtune.columns import DONE, STATUS
from kdtune.plan.packing import PackLimits
from kdtune.results.store import Store
from kdtune.run.patience import Patience
from kdtune.run.ray_messages import Connect
from kdtune.run.supervisor import RayWorkers
from kdtune.run.worker_options import WorkerOptions
from kdtune.train.rows import make_row
from tests.conftest import join_cluster, start_cluster, wait_for_nodes
from tests.test_schedule import Ledger

# One cluster after the other: two that start at one time fail.
pytestmark = [pytest.mark.xdist_group("jobs"), pytest.mark.slow]
GIB = 1 << 30
ALONE = PackLimits(max_networks=1)
# The function below runs in Ray's workers, which cannot import this module.
ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """The address of a cluster of a head of one CPU and a machine that says it has a GPU."""
    folder = tempfile.mkdtemp(prefix="kdtune-place-", dir="/tmp")  # A path of pytest's is too long for Ray's sockets.
    variables = {"RAY_TMPDIR": folder, "RAY_AUTH_MODE": "disabled"}
    with (
        start_cluster(n_nodes=1, **variables) as address,
        join_cluster(address, "--num-cpus=1", "--num-gpus=1", f"--memory={2 * GIB}", **variables),
    ):
        wait_for_nodes(address, 2, variables)  # Two that start at one time get in each other's way.
        yield address
    shutil.rmtree(folder, ignore_errors=True)


class Watcher(Ledger):
    """A listener that also keeps how many workers there were."""

    def __init__(self) -> None:
        super().__init__()
        self.workers: list[int] = []

    def on_workers_changed(self, workers: int) -> None:
        self.workers.append(workers)


def note_place_after(seconds: float, pack: Any, store: Store, options: WorkerOptions) -> None:
    """Take so long, and write down which machine that was, and whether for a worker with a GPU."""
    time.sleep(seconds)
    with (Path(store.root) / "places").open("a") as file:
        file.write(f"{ray.get_runtime_context().get_node_id()} {options.gpus_per_worker:g}\n")
    store.write_part(pack.id, [make_row(network) for network in pack.networks])


def run_in_places(
    address: str, plan: Any, folder: Path, seconds: float = 0.5, **options: Any
) -> tuple[list[list[str]], Watcher]:
    """Run the small sweep's packs, each of one network, and return the places where they ran."""
    store, ledger = Store(folder, "small"), Watcher()
    (folder / "scratch").mkdir()
    request = Connect(address, cpus=1, verbose=False, code_folder=None)
    workers = RayWorkers(request, folder / "scratch", folder / "ray.log", Patience(), print)
    try:
        workers.connect()
        packs = plan(workers=2, limits=ALONE).packs
        workers.run_packs(packs, store, WorkerOptions(**options), ledger, partial(note_place_after, seconds))
    finally:
        workers.close()
    assert len(ledger.rows) == sum(len(pack.networks) for pack in packs)
    assert {row[STATUS] for row in ledger.rows} == {DONE}
    return [line.split() for line in (folder / "places").read_text().splitlines()], ledger


@pytest.fixture
def go(plan: Any, tmp_path: Path, address: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Run the small sweep on the cluster."""
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    return partial(run_in_places, address, plan, tmp_path)


def test_a_cluster_of_two_kinds_of_machines_keeps_both_busy(go: Any) -> None:
    places, _ = go(workers=1, gpus_per_worker=1.0, cpu_only_workers=1)
    node_by_gpus = {gpus: {node for node, node_gpus in places if node_gpus == gpus} for gpus in ("0", "1")}
    assert all(len(nodes) == 1 for nodes in node_by_gpus.values()), places
    assert node_by_gpus["0"] != node_by_gpus["1"]
    counts = [sum(node_gpus == gpus for _, node_gpus in places) for gpus in ("0", "1")]
    assert min(counts) >= 0.25 * len(places), counts


def test_a_pack_that_waits_for_a_gpu_holds_up_no_other(go: Any) -> None:
    """Three workers want a GPU and there is one: two wait all the time."""
    places, _ = go(workers=3, gpus_per_worker=1.0, cpu_only_workers=1)
    assert {gpus for _, gpus in places} == {"0", "1"}
    assert sum(gpus == "0" for _, gpus in places) >= 3, places


def test_workers_share_a_gpu(go: Any) -> None:
    """The second of them waits for a CPU."""
    places, _ = go(workers=2, gpus_per_worker=0.5)
    assert {gpus for _, gpus in places} == {"0.5"}
    assert len({node for node, _ in places}) == 1


def test_no_machine_gets_more_workers_than_its_memory_holds(go: Any) -> None:
    """The machine with a GPU has 2 GiB."""
    places, ledger = go(workers=2, memory_per_worker=3 * GIB, follows_cluster=True)
    assert ledger.workers == [1]
    assert len({node for node, _ in places}) == 1


def test_a_machine_that_joins_later_is_used_and_one_that_leaves_is_not_waited_for(
    go: Any, address: str, tmp_path: Path
) -> None:
    def list_nodes() -> set[str]:
        path = tmp_path / "places"
        return {line.split()[0] for line in path.read_text().splitlines()} if path.exists() else set()

    def join_and_leave() -> None:
        while not list_nodes():
            time.sleep(0.2)
        with join_cluster(address, "--num-cpus=1", f"--memory={3 * GIB}", RAY_AUTH_MODE="disabled"):
            ends_at = time.monotonic() + 60
            while len(list_nodes()) < 2 and time.monotonic() < ends_at:
                time.sleep(0.2)

    visitor = threading.Thread(target=join_and_leave)
    visitor.start()
    _, ledger = go(seconds=3, workers=1, memory_per_worker=3 * GIB, follows_cluster=True)
    visitor.join()
    assert len(list_nodes()) == 2
    assert ledger.workers == [2, 1]


def test_the_packs_of_a_gpu_machine_that_leaves_are_trained_without_a_gpu(
    go: Any, address: str, tmp_path: Path
) -> None:
    """The machine of two GPUs is there at first, and gone once it has trained a pack."""

    def count_places(gpus: str) -> int:
        path = tmp_path / "places"
        return sum(line.endswith(f" {gpus}") for line in path.read_text().splitlines()) if path.exists() else 0

    with ExitStack() as stack:
        stack.enter_context(
            join_cluster(address, "--num-cpus=1", "--num-gpus=2", f"--memory={2 * GIB}", RAY_AUTH_MODE="disabled")
        )
        wait_for_nodes(address, 3, {"RAY_AUTH_MODE": "disabled"})

        def leave() -> None:
            ends_at = time.monotonic() + 60
            while not count_places("2") and time.monotonic() < ends_at:
                time.sleep(0.2)
            stack.close()

        visitor = threading.Thread(target=leave)
        visitor.start()
        kinds = {"gpus_per_worker": 2.0, "cpu_only_workers": 1, "follows_cluster": True, "cpu_only_follow": True}
        _, ledger = go(seconds=2, workers=1, **kinds)
        visitor.join()
    assert count_places("2") >= 1
    assert count_places("0") >= 9
    assert ledger.crashes
