"""Part III of the tutorial at width 50 (90 networks, 50 epochs): kdtune beside plain Ray Tune.

    python -m benchmarks.grid [EPOCHS]

Both as whole commands in processes of their own, from start to exit, one after the other.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def measure_seconds(command: list[str]) -> float:
    """Run a command in an empty folder and return the seconds that it took; exit with its output if it fails."""
    repository = str(Path(__file__).parents[1])
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([repository, os.environ.get("PYTHONPATH", "")])}
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        process = subprocess.run(
            command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        seconds = time.perf_counter() - start
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}:\n{process.stdout}")
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("epochs", type=int, nargs="?", default=50, help="of each network (default: %(default)s)")
    epochs = parser.parse_args().epochs
    sweep = [sys.executable, "-m", "kdtune", "sweep", "fakeset.yaml", "--set", "student.width=50"]
    kdtune_seconds = measure_seconds([*sweep, "--set", f"train.epochs={epochs}"])
    print(f"kdtune:         {kdtune_seconds:6.1f} s", flush=True)
    plain_seconds = measure_seconds([sys.executable, "-m", "benchmarks.plain_ray_tune", str(epochs)])
    print(f"plain Ray Tune: {plain_seconds:6.1f} s", flush=True)
    print(f"ratio plain / kdtune: {plain_seconds / kdtune_seconds:.2f}")


if __name__ == "__main__":
    main()
