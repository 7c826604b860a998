"""How busy one driver keeps many workers: packs that sleep, on 16 workers that this machine is told it has cores for.

    python -m benchmarks.busy [--packs 2000] [--seconds 2] [--workers 16]

Prints the part of the workers' time in which they had a pack: over the whole run, workers that start included, and from
the first pack's begin to the last one's end.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from functools import partial
from pathlib import Path

from benchmarks.run_packs import run_packs, write_single_networks
from kdtune.plan.network import Pack
from kdtune.results.store import Store
from kdtune.run.worker_options import WorkerOptions
from kdtune.train.rows import make_row


def sleep(seconds: float, pack: Pack, store: Store, options: WorkerOptions) -> None:
    """Sleep in place of training, and note when."""
    begin = time.time()
    time.sleep(seconds)
    store.write_part(pack.id, [make_row(network) for network in pack.networks])
    (Path(store.root) / "times" / pack.id).write_text(f"{begin} {time.time()}")


def measure(packs: int, seconds: float, n_workers: int) -> tuple[float, float]:
    """Return the seconds of the whole run, and those from the first pack's begin to the last one's end."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "times").mkdir()
        _, whole = run_packs(write_single_networks(packs), folder, partial(sleep, seconds), cpus=n_workers)
        times = [tuple(map(float, path.read_text().split())) for path in (folder / "times").iterdir()]
        assert len(times) == packs
        return whole, max(end for _, end in times) - min(begin for begin, _ in times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--packs", type=int, default=2000)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--workers", type=int, default=16)
    arguments = parser.parse_args()
    whole, training = measure(arguments.packs, arguments.seconds, arguments.workers)
    needed = arguments.packs * arguments.seconds / arguments.workers
    print(f"{arguments.packs} packs that sleep {arguments.seconds:g} s, on {arguments.workers} workers: {whole:.1f} s")
    print(f"busy {needed / whole:.1%} of the whole run, {needed / training:.1%} from the first pack to the last")


if __name__ == "__main__":
    from benchmarks import busy  # Workers import what they run by the name of its module, which is not __main__.

    busy.main()
