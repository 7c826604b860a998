"""Does the answer over all data sets hold what it says?

    python -m benchmarks.promises.pooled [--tables 2000]

Each table has several data sets with a curve each, five replicates and normal noise of the study's covariance at one
width. Of flat curves every T is the best, so each must be among the tied ones in 95 %; of the study's own curves the T
that is best over the data sets. "Within 5 %" is false where a T is named whose true mean cost is more. For data sets
like these, the curves are drawn anew for each table from a population: a common curve with a bend of each set's own.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass

import numpy as np
import pandas as pd

from benchmarks.promises import generators
from benchmarks.promises.generators import Array
from kdtune.analysis.cell import Cell
from kdtune.analysis.overall import answer_over_data
from kdtune.analysis.student_answer import StudentAnswer
from kdtune.columns import VAL_NUM_ERROR

MARGIN = 0.05
LEVEL = 200.0  # errors of the best temperature of the easiest data set; the others have more


@dataclass(frozen=True)
class Shares:
    """What held over the tables of one case."""

    holds_best: float  # the share of (table, truly best T) in which that T is tied
    least_held: float  # of flat curves: the share of the T that is held the least often
    tied: float  # the mean number of tied temperatures
    named: float  # the mean number of temperatures that are said to be within the margin
    wrong: float  # the share of tables that name one that is not


def make_cells(curves: Array, covariance: Array, n_replicates: int, random: np.random.Generator) -> list[Cell]:
    """Return one cell for each data set (n, k), with errors that are no whole numbers."""
    cells = []
    for number, curve in enumerate(curves):
        relative = generators.draw(curve, covariance, 1, n_replicates, random)[0]
        cells.append(
            Cell(
                settings={"dataset": f"set {number}", "width": 50},
                temperatures=generators.make_grid(curves.shape[1]),
                replicates=list(range(n_replicates)),
                student_measures={VAL_NUM_ERROR: LEVEL * (1 + number) * relative},
                baseline_measures={},
                teacher_measures={},
                data_seeds=frozenset({f"{number} {replicate}" for replicate in range(n_replicates)}),
            )
        )
    return cells


def answer(cells: list[Cell]) -> StudentAnswer:
    """Return the answer over all data sets of one student."""
    # What the cells say by themselves is not asked here.
    optima = pd.DataFrame({"T_opt": 1.0, "tied": [[1.0]] * len(cells), "good_enough": [[]] * len(cells)})
    (student,) = answer_over_data(cells, list(cells[0].settings), VAL_NUM_ERROR, "num_error", MARGIN, optima)
    return student


def measure(
    curves: Array,
    covariance: Array,
    n_tables: int,
    n_replicates: int = 5,
    seed: int = 0,
    deviation_between_sets: float = 0.0,
) -> Shares:
    """Measure what holds; with a deviation between sets, of the reading "data sets like these"."""
    random = np.random.default_rng(seed)
    is_sample = deviation_between_sets > 0
    n_sets, k = curves.shape
    truth = curves.mean(axis=0)
    is_best = truth <= truth.min() + 1e-9
    is_near = truth <= (1 + MARGIN) * truth.min() + 1e-9
    held, sizes, named, wrong = np.zeros(k), 0, 0, 0
    x = np.linspace(-1, 1, k)
    for _ in range(n_tables):
        each = curves
        if is_sample:  # a slope and a bend of each set's own, which are zero on average
            slopes, bends = random.normal(0, deviation_between_sets, (2, n_sets, 1))
            each = curves + slopes * x + bends * (x**2 - (x**2).mean())
        student = answer(make_cells(each, covariance, n_replicates, random))
        tied, near = (student.tied_like, student.good_enough_like) if is_sample else (student.tied, student.good_enough)
        is_tied = np.isin(student.temperatures, tied)
        held += is_tied
        sizes += int(is_tied.sum())
        is_named = np.isin(student.temperatures, near)
        named += int(is_named.sum())
        wrong += bool((is_named & ~is_near).any())
    shares = held[is_best] / n_tables
    return Shares(float(shares.mean()), float(shares.min()), sizes / n_tables, named / n_tables, wrong / n_tables)


def list_cases() -> dict[str, tuple[Array, Array, int, float]]:
    """Return the cases by name: the curves of the sets, the covariance, replicates, and the deviation between sets."""
    cases: dict[str, tuple[Array, Array, int, float]] = {}
    for width in (20, 50, 100, 200):
        noise = generators.study_noise(width)
        cases[f"flat, 9 sets, noise of width {width}"] = (np.ones((9, 12)), noise, 5, 0.0)
        cases[f"the study's curves of width {width}"] = (generators.study_curves(width), noise, 5, 0.0)
    for n_sets in (2, 3, 5):
        for n_replicates in (2, 3, 5):
            noise = generators.study_noise(100)
            name = f"flat, {n_sets} sets, {n_replicates} replicates, noise of width 100"
            cases[name] = (np.ones((n_sets, 12)), noise, n_replicates, 0.0)
    noise = generators.study_noise(50)
    cases["data sets like these: flat, 9 sets"] = (np.ones((9, 12)), noise, 5, 0.05)
    cases["data sets like these: flat, 4 sets"] = (np.ones((4, 12)), noise, 5, 0.05)
    curve = generators.quadratic(2.5, 0.02)(np.log2(generators.STUDY_GRID))
    cases["data sets like these: quadratic, 9 sets"] = (np.tile(curve, (9, 1)), noise, 5, 0.05)
    return cases


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", type=int, default=2000)
    arguments = parser.parse_args()
    rows = []
    for name, (curves, covariance, n_replicates, deviation) in list_cases().items():
        found = measure(curves, covariance, arguments.tables, n_replicates, deviation_between_sets=deviation)
        rows.append([name, f"{found.holds_best:.1%}", f"{found.least_held:.1%}", f"{found.tied:.1f}",
                     f"{found.named:.1f}", f"{found.wrong:.1%}"])  # fmt: skip
        print(rows[-1], flush=True)
    generators.print_table(
        ["case", "best T held", "least often held", "mean number tied", "named within 5 %", "wrongly named"], rows
    )


if __name__ == "__main__":
    main()
