"""What a second worker gives: one sweep on one worker and on two, whole commands.

python -m benchmarks.workers [EPOCHS]
"""

from __future__ import annotations

import argparse
import sys

from benchmarks.grid import measure_seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("epochs", type=int, nargs="?", default=10, help="of each network (default: %(default)s)")
    epochs = parser.parse_args().epochs
    sweep = [sys.executable, "-m", "kdtune", "sweep", "fakeset.yaml", "--set", "student.width=50"]
    sweep += ["--set", f"train.epochs={epochs}"]
    seconds = {}
    for name, options in {
        "1 worker of 1 CPU": ["--workers", "1"],
        "2 workers of 1 CPU": ["--workers", "2"],
        "1 worker of 2 CPUs": ["--workers", "1", "--cpus-per-worker", "2"],
    }.items():
        seconds[name] = measure_seconds([*sweep, *options])
        speedup = seconds["1 worker of 1 CPU"] / seconds[name]
        print(f"{name}: {seconds[name]:6.1f} s, {speedup:.2f} times as fast as one", flush=True)


if __name__ == "__main__":
    main()
