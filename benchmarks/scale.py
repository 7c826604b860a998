"""A sweep of a million networks that is done: what it takes to go on with it, show it, plot it and analyze it.

    python -m benchmarks.scale [networks]

Rows are made up, written as workers write them, and read by the ordinary commands in processes of
their own: seconds and peak memory are those of the whole command.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from kdtune.plan.enumerate_networks import enumerate_networks
from kdtune.results.store import Store
from kdtune.spec.load import load_spec
from kdtune.table import rows_to_arrow, write_table
from kdtune.train.rows import make_row

SWEEP = """
name: large
replicates: {replicates}
dataset:
  kind: make_classification
  n_samples: 1000
  class_sep: {{grid_search: [0.2, 0.4, 0.6, 0.8, 1.0]}}
  p_informative: {{grid_search: [0.5, 0.6, 0.8, 1.0]}}
teacher: {{hidden: [10]}}
student: {{depth: 2, width: {{grid_search: [5, 10, 20, 30, 40, 50, 75, 100, 150, 200]}}}}
distill: {{T: {{grid_search: [{temperatures}]}}}}
train: {{epochs: 1}}
"""
PART = 10_000  # rows of one part file


def main(wanted: int) -> None:
    with tempfile.TemporaryDirectory(prefix="kdtune-scale-") as folder:
        path = Path(folder) / "large.yaml"
        temperatures = ", ".join(str(1 + i / 2) for i in range(48))
        replicates = max(1, wanted // (20 * (10 * 49 + 1)))
        path.write_text(SWEEP.format(replicates=replicates, temperatures=temperatures))
        count = write_rows(path, Path(folder))
        print(f"{count:,} rows")
        kdtune = [str(Path(sys.executable).with_name("kdtune"))]
        rest = ["--results", folder, "--max-networks", str(2 * wanted)]
        timed("go on: all parts, no table yet", [*kdtune, "sweep", str(path), *rest])
        timed("go on: nothing to do", [*kdtune, "sweep", str(path), *rest])
        timed("show", [*kdtune, "show", f"{folder}/large"])
        some = ["-w", "width == 50 and temp == 2", "-s", "num_error"]
        timed(f"show {' '.join(some)}", [*kdtune, "show", f"{folder}/large", *some])
        timed("plot", [*kdtune, "plot", f"{folder}/large"])
        timed("analyze", [*kdtune, "analyze", f"{folder}/large"])


def write_rows(path: Path, root: Path) -> int:
    store = Store(root, "large")
    store.parts_folder.mkdir(parents=True)
    random = np.random.default_rng(0)
    networks = list(enumerate_networks(load_spec(path, max_networks=10**7)))
    for start in range(0, len(networks), PART):
        rows = []
        for network in networks[start : start + PART]:
            errors, val_errors = (int(n) for n in random.binomial(200, 0.1, 2))
            figures = {"num_error": errors, "val_num_error": val_errors}
            figures |= {"accuracy": 1 - errors / 200, "val_accuracy": 1 - val_errors / 200}
            figures |= {name: float(random.random()) for name in ("loss", "nll", "ece", "val_nll")}
            figures |= {"seconds": 1.0, "device": "cpu", "host": "made up"}
            rows.append(make_row(network, figures))
        write_table(rows_to_arrow(rows), store.parts_folder / f"{start}.parquet")
    return len(networks)


def timed(what: str, command: list[str]) -> None:
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    code = os.waitstatus_to_exitcode(status)
    print(f"{what:<60} {seconds:6.1f} s {usage.ru_maxrss / 1e6:6.2f} GB  exit code {code}", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "networks", type=int, nargs="?", default=1_000_000, help="about how many (default: %(default)s)"
    )
    main(parser.parse_args().networks)
