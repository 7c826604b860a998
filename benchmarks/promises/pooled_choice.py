"""Whether help or harm is claimed where a baseline is as good as a student whose T is chosen over several data sets.

All temperatures are equally good, and so are the baselines. Networks at the first T differ more in their luck, which
both splits share. Replicates of all data sets choose for each other, so that plain intervals are too narrow. Print the
table with ``python -m benchmarks.promises.pooled_choice``.
"""

from __future__ import annotations

import argparse

import numpy as np

from benchmarks.promises.generators import print_table
from kdtune.statistics.cross_fitting import choose_without_each, compute_pseudo_values
from kdtune.statistics.pooled_curves import ComparedValues, compare_with_reference

LUCK = (0.2, 0.05, 0.05, 0.05, 0.05)  # of a network at each T, as a standard deviation of the logarithm of its errors
COUNTING = 0.045  # of the errors on a split that holds some 500 of them
BASELINE_LUCK = 0.03
CASES = [(3, 3), (3, 8), (9, 3), (9, 5), (9, 8)]  # data sets, replicates


def measure_claims(n_sets: int, n_replicates: int, n_tables: int, seed: int = 0) -> tuple[float, float]:
    """Return in which share of tables a difference is claimed: by plain intervals, and by kdtune's."""
    random = np.random.default_rng([seed, n_sets, n_replicates])
    shape = (n_sets, n_replicates, len(LUCK))
    level = float(np.exp(LUCK[-1] ** 2 / 2))
    n_plain, n_wider = 0, 0
    for _ in range(n_tables):
        errors = np.exp(random.normal(0, LUCK, shape) - np.array(LUCK) ** 2 / 2) * level
        selection, results = (list(errors + random.normal(0, COUNTING, shape)) for _ in range(2))
        baselines = level + random.normal(0, BASELINE_LUCK, shape[:2])
        chosen = [
            values[np.arange(n_replicates), i]
            for values, i in zip(results, choose_without_each(selection), strict=True)
        ]
        plain, other = (
            compare_with_reference([ComparedValues(*pair) for pair in zip(values, baselines, strict=True)])
            for values in (chosen, compute_pseudo_values(selection, results, 0))
        )
        n_plain += plain.low > 0 or plain.high < 0
        n_wider += min(plain.low, other.low) > 0 or max(plain.high, other.high) < 0
    return n_plain / n_tables, n_wider / n_tables


def main() -> None:
    """Print the table of docs/analysis.md."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", type=int, default=1000)
    n_tables = parser.parse_args().tables
    rows = []
    for n_sets, n_replicates in CASES:
        plain, wider = measure_claims(n_sets, n_replicates, n_tables)
        rows.append([str(n_sets), str(n_replicates), f"{plain:.1%}", f"{wider:.1%}"])
    print_table(["data sets", "replicates", "claimed by plain intervals", "by the wider ones"], rows)


if __name__ == "__main__":
    main()
