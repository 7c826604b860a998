"""How long it takes to read and plan a sweep of 100,800 networks.

python -m benchmarks.planning
"""

from __future__ import annotations

import time

from kdtune.plan.plan import enumerate_networks, make_plan
from kdtune.spec.bundled_sweeps import FOLDER
from kdtune.spec.spec import load_spec

if __name__ == "__main__":
    start = time.perf_counter()
    spec = load_spec(FOLDER / "fakeset.yaml", ["replicates=400"])
    read = time.perf_counter()
    plan = make_plan(list(enumerate_networks(spec)), workers=2)
    end = time.perf_counter()
    print(f"{len(plan.networks):,} networks in {len(plan.packs):,} packs: read in {read - start:.2f} s, ", end="")
    print(f"planned in {end - read:.2f} s, {1e6 * (end - read) / len(plan.networks):.0f} microseconds a network")
