"""What packs and bf16 do to the numbers: one cell, 20 replicates, against `--pack 1`, errors compared in pairs.

    python -m benchmarks.same_numbers [--replicates 20] [--epochs 10]

Data, teacher and student are redrawn in each replicate. Prints the paired mean difference in test
errors with its 95 % interval (Student's t over the replicates, the students of one averaged), as a
share of the mean errors.
"""

from __future__ import annotations

import argparse
import tempfile
from typing import Any

import pandas as pd
from scipy import stats

import kdtune

CELL = ["dataset.class_sep=1", "dataset.p_informative=1", "student.width=50", "distill.T=[2, 5]"]
WAYS: dict[str, dict[str, Any]] = {
    "packs, 1 CPU a worker": {"cpus_per_worker": 1},
    "packs, 2 CPUs a worker": {"cpus_per_worker": 2},
    "packs, bf16": {"precision": "bf16"},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--replicates", type=int, default=20)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--ways", nargs="+", default=list(WAYS), choices=list(WAYS))
    arguments = parser.parse_args()
    overrides = [*CELL, f"replicates={arguments.replicates}", f"train.epochs={arguments.epochs}"]
    alone = errors(overrides, pack=1, cpus_per_worker=1)
    print(f"{arguments.replicates} replicates, {len(alone)} students, --pack 1: {alone.mean():.1f} errors")
    for way in arguments.ways:
        packed = errors(overrides, **WAYS[way])
        differences = (packed - alone).groupby(level="replicate").mean()
        mean, scale = differences.mean(), stats.sem(differences)
        low, high = stats.t.interval(0.95, len(differences) - 1, mean, scale) if scale else (mean, mean)
        share, differing = 100 / alone.mean(), int((packed != alone).sum())
        print(
            f"{way}: {mean:+.2f} errors, {mean * share:+.2f} %, 95 % interval {low * share:+.2f} to "
            f"{high * share:+.2f} %; {differing} of {len(packed)} students differ",
            flush=True,
        )


def errors(overrides: list[str], **options: Any) -> pd.Series:
    """Test errors of the students, by replicate, model and T."""
    with tempfile.TemporaryDirectory() as folder:
        table = kdtune.sweep("fakeset", set=overrides, results=folder, progress=False, **options)
    students = table[table.model != "teacher"]
    return students.set_index(["replicate", "model", "temp"]).num_error.sort_index()


if __name__ == "__main__":
    main()
