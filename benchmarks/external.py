"""How long it takes to read a large table from elsewhere, beside pandas' own reader.

    python -m benchmarks.external [--rows 1000000] [--rounds 3]

The table has T, width, learning rate, seed, two measures, a host and a run's id, as CSV and as Parquet. "kdtune"
is the whole door (`kdtune.foreign.door.read_table`): the file, its columns, doubled rows, replicates, settings.
"pandas" is `pandas.read_csv` or `pandas.read_parquet` with nothing else. They take turns; the best round counts.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from kdtune.foreign.door import read_table
from kdtune.foreign.options import ReadingOptions


def make_table(n_rows: int) -> pd.DataFrame:
    """Return a table of made-up runs: 10 temperatures, 10 widths, the rest replicates of two learning rates."""
    random = np.random.default_rng(0)
    runs = np.arange(n_rows)
    return pd.DataFrame(
        {
            "T": 1.5 ** (runs % 10),
            "width": 10 * (1 + runs // 10 % 10),
            "lr": np.where(runs // 100 % 2, 0.1, 0.01),
            "seed": runs // 200,
            "val_num_error": random.binomial(10_000, 0.1, n_rows),
            "num_error": random.binomial(10_000, 0.1, n_rows),
            "val_nll": random.random(n_rows).round(5),
            "hostname": random.choice(["node-a", "node-b", "node-c"], n_rows),
            "run_id": [f"{run:08x}" for run in runs],
        }
    )


def measure_seconds(action: Callable[[], object]) -> float:
    """Return how long an action takes."""
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def main() -> None:
    """Print the seconds of each reader and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    table = make_table(arguments.rows)
    print("| file | pandas, s | kdtune, s | kdtune / pandas |\n| --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory() as folder:
        csv, parquet = Path(folder) / "runs.csv", Path(folder) / "runs.parquet"
        table.to_csv(csv, index=False)
        table.to_parquet(parquet, index=False)
        for path, read in ((csv, pd.read_csv), (parquet, pd.read_parquet)):
            pandas = min(measure_seconds(lambda: read(path)) for _ in range(arguments.rounds))  # noqa: B023
            ours = min(
                measure_seconds(lambda: read_table(path, ReadingOptions()))  # noqa: B023
                for _ in range(arguments.rounds)
            )
            print(f"| {path.name}, {arguments.rows:,} rows | {pandas:.2f} | {ours:.2f} | {ours / pandas:.1f} |")


if __name__ == "__main__":
    main()
