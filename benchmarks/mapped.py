"""How much memory a sweep takes on arrays that are larger than it: `python -m benchmarks.mapped`.

Writes arrays of 8 GB (``--gigabytes``), distills students from given logits in this process, and prints the largest
anonymous memory (RssAnon: what the process holds itself, without pages of files) beside the size of the arrays.
"""

from __future__ import annotations

import argparse
import tempfile
import threading
import time
from pathlib import Path

import numpy as np

import kdtune

N_FEATURES, N_CLASSES, N_TEST = 100, 2, 10_000
CHUNK = 100_000


def write_arrays(folder: Path, n_examples: int) -> None:
    """Write random examples, labels that follow from their first feature, and logits of a teacher that sees it."""
    random = np.random.default_rng(0)
    for split, n_rows in (("train", n_examples), ("test", N_TEST)):
        x = np.lib.format.open_memmap(folder / f"{split}_x.npy", "w+", np.float32, (n_rows, N_FEATURES))
        z = np.lib.format.open_memmap(folder / f"{split}_z.npy", "w+", np.float32, (n_rows, N_CLASSES))
        y = np.lib.format.open_memmap(folder / f"{split}_y.npy", "w+", np.int64, (n_rows,))
        for start in range(0, n_rows, CHUNK):
            stop = min(start + CHUNK, n_rows)
            x[start:stop] = random.standard_normal((stop - start, N_FEATURES), np.float32)
            y[start:stop] = x[start:stop, 0] > 0
            z[start:stop] = x[start:stop, :1] * [-2.0, 2.0]
        for array in (x, y, z):
            array.flush()


class MemoryMeter:
    """Samples the anonymous memory of this process in a thread until it is stopped."""

    def __init__(self) -> None:
        self.largest_bytes = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)
        self._thread.start()

    def stop(self) -> int:
        """End sampling, and return the largest value in bytes."""
        self._stop.set()
        self._thread.join()
        return self.largest_bytes

    def _sample(self) -> None:
        while not self._stop.wait(0.05):
            status = Path("/proc/self/status").read_text(encoding="ascii")
            line = next(line for line in status.splitlines() if line.startswith("RssAnon"))
            self.largest_bytes = max(self.largest_bytes, int(line.split()[1]) * 1024)


def main() -> None:
    """Run the benchmark, and print a line for each of its parts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gigabytes", type=float, default=8.0)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="kdtune-mapped-") as name:
        folder = Path(name)
        write_arrays(folder, int(arguments.gigabytes * 1e9 / (4 * N_FEATURES)))
        files = {
            split: {letter: str(folder / f"{split}_{letter}.npy") for letter in "xy"} for split in ("train", "test")
        }
        outputs = {split: str(folder / f"{split}_z.npy") for split in ("train", "test")}
        sweep = {
            "name": "mapped",
            "dataset": files,
            "teacher": {"kind": "logits", "outputs": outputs},
            "student": {"depth": 1, "width": 16},
            "distill": {"T": {"grid_search": [1, 2, 4]}},
            "train": {"epochs": 1, "batch_size": 1000},
        }
        meter = MemoryMeter()
        start = time.perf_counter()
        table = kdtune.sweep(sweep, results=folder / "results", workers=0, progress=False)
        seconds = time.perf_counter() - start
        largest_bytes = meter.stop()
    n_failed = int((table["status"] != "done").sum())
    print(f"arrays {arguments.gigabytes:.1f} GB, {len(table)} networks, {n_failed} failed, {seconds:.0f} s")
    print(f"largest anonymous memory {largest_bytes / 1e9:.2f} GB")


if __name__ == "__main__":
    main()
