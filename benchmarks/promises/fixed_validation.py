"""Whether temperatures that are equally good are held where all replicates share the examples that T is chosen on.

Six temperatures have the same share of errors over the population. On a fixed set of examples one of them may be better
all the same, in each replicate: without the sampling of examples it would be called the best. Print the table with
``python -m benchmarks.promises.fixed_validation``.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, replace

import numpy as np

from benchmarks.promises.generators import Array, print_table
from benchmarks.promises.paired_differences import CASES, REPLICATES, Luck, draw_errors
from kdtune.analysis.cell import Cell
from kdtune.analysis.cell_noise import estimate_cell_noises
from kdtune.analysis.cell_statistics import compare_temperatures_with_best
from kdtune.analysis.finite_sets import FiniteSet
from kdtune.analysis.sampling_errors import add_variance, estimate_selection_variance
from kdtune.columns import ERRORS_ROW, NUM_ERROR, VAL_NUM_ERROR

N_TEMPERATURES, N_EXAMPLES, RATE = 6, 2000, 0.05


def draw_cell(luck: Luck, n_replicates: int, random: np.random.Generator) -> Cell:
    """Draw a cell of equally good temperatures, whose replicates share validation and test examples."""
    examples = [np.arange(N_EXAMPLES)] * n_replicates
    shifts = np.zeros((N_TEMPERATURES, n_replicates))
    validation, test = (
        draw_errors(random, luck, (RATE,) * N_TEMPERATURES, examples, shifts).swapaxes(0, 1) for _ in range(2)
    )
    rows = np.arange(n_replicates * N_TEMPERATURES, dtype=float).reshape(n_replicates, N_TEMPERATURES)
    unknown = dict.fromkeys((NUM_ERROR, ERRORS_ROW), np.full(n_replicates, np.nan))
    return Cell(
        settings={},
        temperatures=2.0 ** np.arange(N_TEMPERATURES),
        replicates=list(range(n_replicates)),
        student_measures={
            VAL_NUM_ERROR: validation.sum(axis=2).astype(float),
            NUM_ERROR: test.sum(axis=2).astype(float),
            ERRORS_ROW: rows,
        },
        baseline_measures=unknown,
        teacher_measures=unknown,
        finite_set=FiniteSet(
            source=0,
            n_test=N_EXAMPLES,
            packed_errors=[np.packbits(row).tobytes() for row in test.reshape(-1, N_EXAMPLES)],
            has_fixed_validation=True,
            n_val=N_EXAMPLES,
        ),
    )


@dataclass(frozen=True)
class HeldShares:
    """In which share of tables each temperature (k,) is statistically tied with the best, as it should be."""

    with_sampling: Array  # of examples, as kdtune reckons with it
    without_sampling: Array


def hold_temperatures(luck: Luck, n_replicates: int, n_tables: int, seed: int = 0) -> HeldShares:
    """Draw tables, compare their temperatures with the sampling of examples and without it, and count."""
    random = np.random.default_rng([seed, n_replicates])
    held, held_without = np.zeros(N_TEMPERATURES), np.zeros(N_TEMPERATURES)
    for _ in range(n_tables):
        cell = draw_cell(luck, n_replicates, random)
        noise = estimate_cell_noises([cell], VAL_NUM_ERROR)[0]
        held += compare_temperatures_with_best(cell, VAL_NUM_ERROR, noise).is_tied
        if noise is None:
            held_without += 1
            continue
        variance = estimate_selection_variance(cell, VAL_NUM_ERROR)
        plain = replace(noise, mean_covariance=add_variance(noise.mean_covariance, -variance))
        held_without += compare_temperatures_with_best(cell, VAL_NUM_ERROR, plain).is_tied
    return HeldShares(held / n_tables, held_without / n_tables)


def main() -> None:
    """Print the table of docs/analysis.md."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", type=int, default=500)
    n_tables = parser.parse_args().tables
    rows = []
    for name, luck in CASES.items():
        for n_replicates in REPLICATES:
            held = hold_temperatures(luck, n_replicates, n_tables)
            shares = [
                f"{share:.1%}"
                for each in (held.with_sampling, held.without_sampling)
                for share in (each.mean(), each.min())
            ]
            rows.append([name, str(n_replicates), *shares])
    print_table(["examples", "replicates", "each T is held", "the least", "without sampling", "the least"], rows)


if __name__ == "__main__":
    main()
