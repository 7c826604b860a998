"""What more workers give while packs train, without the time in which workers start and the last packs end.

    python -m benchmarks.throughput [--address HOST:PORT|auto] [--workers 1 2 1 2] [--folder FOLDER]

Each number of workers trains the same packs of students of 50 units on their teachers' logits; of teachers, nothing is
counted. On a cluster, give a folder that all machines see.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from benchmarks.run_packs import run_packs
from kdtune.plan.network import Pack
from kdtune.results.store import Store
from kdtune.run.pack_training import train_and_save
from kdtune.run.worker_options import WorkerOptions

SWEEP = """
name: throughput
replicates: 4
dataset: {kind: make_classification, n_samples: 10000, class_sep: {grid_search: [0.5, 1.0, 1.5]}}
teacher: {hidden: [20]}
student: {depth: 2, width: 50}
distill: {T: {grid_search: [1, 2, 3, 4, 6, 8, 12, 16]}}
train: {epochs: 60, batch_size: 100}
"""


def train_and_note(pack: Pack, store: Store, options: WorkerOptions) -> None:
    """Train a pack, and note when it ended."""
    train_and_save(pack, store, options)
    (Path(store.root) / "ends" / f"{'teachers' if pack.is_teacher_pack else 'students'}-{pack.id}").write_text(
        str(time.time())
    )


def measure(workers: int, address: str | None, folder: Path) -> float:
    """Return how many packs of students ended in a second, from the first end to the first worker without a pack."""
    (folder / "ends").mkdir()
    n_packs, _ = run_packs(SWEEP, folder, train_and_note, workers, max_networks=4, workers=workers, address=address)
    paths = list((folder / "ends").iterdir())
    assert len(paths) == n_packs
    ends = sorted(float(path.read_text()) for path in paths if path.name.startswith("students"))
    first, last = workers - 1, len(ends) - workers
    return (last - first) / (ends[last] - ends[first])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--address", help="of a cluster (default: a Ray of its own)")
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 1, 2])
    parser.add_argument("--folder", help="that all machines see (default: a temporary one)")
    arguments = parser.parse_args()
    rates: dict[int, list[float]] = {}
    for workers in arguments.workers:
        with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
            rates.setdefault(workers, []).append(measure(workers, arguments.address, Path(folder)))
        print(f"{workers} workers: {rates[workers][-1]:.3f} packs per second", flush=True)
    means = {workers: sum(each) / len(each) for workers, each in rates.items()}
    fewest = min(means)
    for workers, mean in means.items():
        print(f"{workers} workers: {mean:.3f} packs per second, {mean / means[fewest]:.2f} times those of {fewest}")


if __name__ == "__main__":
    from benchmarks import throughput  # Workers import what they run by the name of its module, which is not __main__.

    throughput.main()
