"""Whether a pack changes the numbers: one cell, 20 replicates, packed and with `--pack 1`, errors compared in pairs.

    python -m benchmarks.numbers [--replicates 20] [--epochs 10] [--cpus 1 2]

Data, teacher and student are redrawn in each replicate. Prints the paired mean difference in test
errors with its 95 % interval (Student's t over the replicates, T averaged), as a share of the mean errors.
"""

from __future__ import annotations

import argparse
import tempfile

import pandas as pd
from scipy import stats

import kdtune

CELL = ["dataset.class_sep=1", "dataset.p_informative=1", "student.width=50", "distill.T=[2, 5]"]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--replicates", type=int, default=20)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--cpus", type=int, nargs="+", default=[1, 2], help="of a worker; each packed and alone")
    asked = parser.parse_args()
    overrides = [*CELL, f"replicates={asked.replicates}", f"train.epochs={asked.epochs}"]
    alone = errors(overrides, pack=1, cpus_per_worker=1)
    for cpus in asked.cpus:
        packed = errors(overrides, pack=None, cpus_per_worker=cpus)
        differences = (packed - alone).groupby(level="replicate").mean()
        mean, scale = differences.mean(), stats.sem(differences)
        low, high = stats.t.interval(0.95, len(differences) - 1, mean, scale) if scale else (mean, mean)
        share, differing = 100 / alone.mean(), int((packed != alone).sum())
        print(
            f"{len(differences)} replicates, packs on {cpus} CPU a worker against --pack 1: {alone.mean():.1f} errors"
        )
        interval = f"{low * share:+.2f} to {high * share:+.2f} %"
        print(f"  difference {mean:+.2f} ({mean * share:+.2f} %), 95 % interval {interval}")
        print(f"  {differing} of {len(packed)} networks differ", flush=True)


def errors(overrides: list[str], pack: int | None, cpus_per_worker: int) -> pd.Series:
    """Test errors of the students, by replicate and network."""
    with tempfile.TemporaryDirectory() as folder:
        table = kdtune.sweep(
            "fakeset", set=overrides, results=folder, pack=pack, cpus_per_worker=cpus_per_worker, progress=False
        )
    students = table[table.model != "teacher"]
    return students.set_index(["replicate", "id"]).num_error.sort_index()


if __name__ == "__main__":
    main()
