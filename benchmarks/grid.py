"""Part III of the tutorial at width 50 (90 networks, 50 epochs): kdtune beside plain Ray Tune.

    python -m benchmarks.grid [EPOCHS]

Both as whole commands in processes of their own, from start to exit, one after the other.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time


def seconds(command: list[str]) -> float:
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        done = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        spent = time.perf_counter() - start
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}")
    return spent


if __name__ == "__main__":
    epochs = sys.argv[1] if len(sys.argv) > 1 else "50"
    from benchmarks import plain_ray_tune

    sweep = [sys.executable, "-m", "kdtune", "sweep", "fakeset.yaml", "--set", "student.width=50"]
    ours = seconds([*sweep, "--set", f"train.epochs={epochs}"])
    print(f"kdtune:         {ours:6.1f} s", flush=True)
    plain = seconds([sys.executable, plain_ray_tune.__file__, epochs])
    print(f"plain Ray Tune: {plain:6.1f} s", flush=True)
    print(f"ratio plain / kdtune: {plain / ours:.2f}")
