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

from benchmarks.run_packs import run_packs, write_single_networks
from kdtune.plan.network import Pack
from kdtune.results.store import Store
from kdtune.run.worker_options import WorkerOptions
from kdtune.train.rows import make_row


def nothing(pack: Pack, store: Store, options: WorkerOptions) -> None:
    store.write_part(pack.id, [make_row(network) for network in pack.networks])


def kdtune_seconds(packs: int, address: str | None = None, shared_folder: str | None = None) -> float:
    with tempfile.TemporaryDirectory(dir=shared_folder) as folder:
        count, seconds = run_packs(write_single_networks(packs), Path(folder), nothing, cpus=2, address=address)
    assert count == packs
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
