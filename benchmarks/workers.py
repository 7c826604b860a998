"""What a second worker gives: one sweep on one worker and on two, whole commands.

python -m benchmarks.workers [EPOCHS]
"""

from __future__ import annotations

import sys

from benchmarks.grid import seconds

if __name__ == "__main__":
    epochs = sys.argv[1] if len(sys.argv) > 1 else "10"
    sweep = [sys.executable, "-m", "kdtune", "sweep", "fakeset.yaml", "--set", "student.width=50"]
    sweep += ["--set", f"train.epochs={epochs}"]
    spent = {}
    for name, options in {
        "1 worker of 1 CPU": ["--workers", "1"],
        "2 workers of 1 CPU": ["--workers", "2"],
        "1 worker of 2 CPUs": ["--workers", "1", "--cpus-per-worker", "2"],
    }.items():
        spent[name] = seconds([*sweep, *options])
        print(f"{name}: {spent[name]:6.1f} s, {spent['1 worker of 1 CPU'] / spent[name]:.2f} times one", flush=True)
