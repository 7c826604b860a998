"""How long it takes to read and plan a sweep of 100,800 networks.

python -m benchmarks.planning
"""

from __future__ import annotations

import argparse
import time

from kdtune.plan.enumerate_networks import enumerate_networks
from kdtune.plan.plan import make_plan
from kdtune.spec.bundled_sweeps import BUNDLED_SWEEPS_FOLDER
from kdtune.spec.load import load_spec


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.parse_args()
    start = time.perf_counter()
    spec = load_spec(BUNDLED_SWEEPS_FOLDER / "fakeset.yaml", ["replicates=400"])
    read = time.perf_counter()
    plan = make_plan(list(enumerate_networks(spec)), workers=2)
    end = time.perf_counter()
    print(f"{len(plan.networks):,} networks in {len(plan.packs):,} packs: read in {read - start:.2f} s, ", end="")
    print(f"planned in {end - read:.2f} s, {1e6 * (end - read) / len(plan.networks):.0f} microseconds per network")


if __name__ == "__main__":
    main()
