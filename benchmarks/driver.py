"""What the driver costs: 10,000 packs that train nothing, beside as many plain Ray Tune trials that do nothing.

    python -m benchmarks.driver [PACKS] [--address HOST:PORT|auto] [--folder FOLDER]

Prints seconds for both, whole, and their ratio. Both reuse their workers and start Ray once before. On a cluster, of
which each CPU is a worker, only kdtune is measured; give a folder that all machines see.
"""

from __future__ import annotations

import argparse
import tempfile
import time
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
from kdtune.train.rows import make_row

SWEEP = """
name: driver
dataset: {kind: make_classification, n_samples: 200, n_features: 10, n_classes: 2}
teacher: {hidden: [4]}
student: {hidden: [4]}
distill: {T: {grid_search: [%s]}}
train: {epochs: 1, batch_size: 50}
"""


class Silence:
    """A listener that does not listen."""

    def on_training_changed(self, in_training: tuple[PackInTraining, ...]) -> None: ...

    def on_workers_changed(self, workers: int) -> None: ...

    def on_ray_died(self, reason: str) -> None: ...

    def on_rows_finished(self, rows: pa.Table) -> None: ...

    def on_pack_crashed(self, pack: Pack, crashes: int, memory: str) -> None: ...

    def on_tick(self) -> None: ...


def nothing(pack: Pack, store: Store, options: WorkerOptions) -> None:
    store.write_part(pack.id, [make_row(network) for network in pack.networks])


def kdtune_seconds(packs: int, address: str | None = None, folder_of_all: str | None = None) -> float:
    with tempfile.TemporaryDirectory(dir=folder_of_all) as folder:
        path = Path(folder) / "driver.yaml"
        path.write_text(SWEEP % ", ".join(str(i + 1) for i in range(packs - 2)))
        plan = make_plan(list(enumerate_networks(load_spec(path))), workers=2, limits=PackLimits(max_networks=1))
        assert len(plan.packs) == packs
        store = Store(folder, "driver")
        (Path(folder) / "scratch").mkdir()
        connect = Connect(address, cpus=2, verbose=False, code_folder=None)
        workers = RayWorkers(connect, Path(folder) / "scratch", Path(folder) / "ray.log", Patience(), print)
        n_workers = sum(node.cpus for node in workers.connect().nodes)
        start = time.perf_counter()
        workers.run_packs(plan.packs, store, WorkerOptions(n_workers), Silence(), nothing)
        seconds = time.perf_counter() - start
        workers.close()
        assert store.read_rows().num_rows == packs
    return seconds


def plain_seconds(trials: int) -> float:
    import ray
    from ray import tune

    ray.init(address="local", num_cpus=2, include_dashboard=False, logging_level="ERROR")

    class Nothing(tune.Trainable):
        def setup(self, config): ...

        def reset_config(self, new_config):
            return True

        def step(self):
            return {"done": True}

        def save_checkpoint(self, checkpoint_dir): ...

        def load_checkpoint(self, checkpoint): ...

    with tempfile.TemporaryDirectory() as folder:
        tuner = tune.Tuner(
            Nothing,
            param_space={"i": tune.grid_search(list(range(trials)))},
            tune_config=tune.TuneConfig(reuse_actors=True),
            run_config=tune.RunConfig(storage_path=folder, verbose=0),
        )
        start = time.perf_counter()
        tuner.fit()
        return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("packs", type=int, nargs="?", default=10_000, help="how many (default: %(default)s)")
    parser.add_argument("--address", help="of a cluster (default: a Ray of its own)")
    parser.add_argument("--folder", help="that all machines see (default: a temporary one)")
    arguments = parser.parse_args()
    count = arguments.packs
    if arguments.address is not None:
        seconds = kdtune_seconds(count, arguments.address, arguments.folder)
        print(f"{count} packs that train nothing, on a cluster: {seconds:.1f} s, {1000 * seconds / count:.0f} ms each")
        return
    ours, plain = kdtune_seconds(count), plain_seconds(count)
    print(f"{count} packs that train nothing, kdtune:      {ours:6.1f} s, {1000 * ours / count:.0f} ms each")
    print(f"{count} trials that do nothing, plain Ray Tune: {plain:6.1f} s, {1000 * plain / count:.0f} ms each")
    print(f"ratio kdtune / plain: {ours / plain:.2f}")


if __name__ == "__main__":
    from benchmarks import driver  # Workers import what they run by the name of its module, which is not __main__.

    driver.main()
