"""Whether tied sets and temperatures within 5 % are what kdtune says they are, under noise of several kinds.

    python -m benchmarks.promises.ties [--tables 4000]

Curves are flat, so that each T is the best and is to be held by the tied set in 95 % of tables; or those of the
study, whose tied sets are compared with those of the method that takes noise to be equal and independent over T; or
ten of twelve T are truly within 5 % of the best.
"""

from __future__ import annotations

import argparse
import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from benchmarks.promises import generators
from benchmarks.promises.dunnett import compute_dunnett_value
from kdtune.analysis.cell import Cell
from kdtune.analysis.cell_arrays import split_into_cells
from kdtune.analysis.cell_noise import estimate_cell_noises
from kdtune.analysis.cell_statistics import compare_temperatures_with_best
from kdtune.columns import DONE, FAILED, MODEL, REPLICATE, STATUS, STUDENT, TEMP, VAL_NUM_ERROR
from kdtune.statistics.multiple_comparisons import Comparison

Array = npt.NDArray[np.float64]
DEVIATION = 0.04  # of relative errors
LEVEL = 500.0  # errors

NOISES: dict[str, Callable[[int], Array]] = {
    "equal": generators.equal_noise,
    "rising": generators.rising_noise,
    "lagged": generators.lagged_noise,
    "loud first": generators.loud_first_noise,
}
STUDY_NOISES = {f"study, width {width}": width for width in generators.STUDY_WIDTHS}
KINDS = ("normal", "heavy tails", "binomial counts")


@dataclass(frozen=True)
class FlatShares:
    """In which shares of cells temperatures are held, all of them being equally good."""

    mean: float  # over the temperatures
    least: float  # of the temperature that is held least often
    most: float
    n_cells: int


def make_cells(y: Array, temperatures: Array) -> list[Cell]:
    """Return cells of one student on several data sets, with these errors (cells, R, k)."""
    return [
        Cell(
            settings={"class_sep": float(number), "width": 10},
            temperatures=temperatures,
            replicates=list(range(len(values))),
            student_measures={VAL_NUM_ERROR: values},
            baseline_measures={},
            teacher_measures={},
        )
        for number, values in enumerate(y)
    ]


def lose_runs(y: Array, share: float, random: np.random.Generator) -> Array:
    """Return errors (cells, R, k) of which this share is missing, but no T in all replicates of a cell."""
    lost = random.random(y.shape) < share
    lost &= ~lost.all(axis=1, keepdims=True)
    return np.where(lost, np.nan, y)


def compare_cells(y: Array, temperatures: Array) -> list[Comparison]:
    """Compare the temperatures of cells of one student, as the analysis does."""
    cells = make_cells(y, temperatures)
    noises = estimate_cell_noises(cells, VAL_NUM_ERROR)
    return [
        compare_temperatures_with_best(cell, VAL_NUM_ERROR, noise) for cell, noise in zip(cells, noises, strict=True)
    ]


def draw_errors(
    mean: Array, covariance: Array, n_cells: int, n_replicates: int, kind: str, random: np.random.Generator
) -> Array:
    """Draw errors (cells, R, k) of a kind of noise, with a level of each replicate, and of each cell."""
    y = generators.draw(mean, covariance, n_cells, n_replicates, random)
    if kind == "heavy tails":  # A replicate's noise has a factor of its own: t with 5 degrees of freedom.
        noise = generators.draw(np.zeros_like(mean), covariance, n_cells, n_replicates, random, level=0.0)
        factors = np.sqrt(3 / random.chisquare(5, (n_cells, n_replicates, 1)))
        y = mean + noise * factors + 0.1 * random.standard_normal((n_cells, n_replicates, 1))
    errors = y * LEVEL * random.uniform(0.3, 1.5, (n_cells, 1, 1))
    if kind == "binomial counts":
        examples = 10_000
        return np.asarray(random.binomial(examples, np.clip(errors / examples, 0, 1)), float)
    return np.asarray(errors)


def get_noise(name: str, n_temperatures: int) -> Array:
    """Return the covariance (k, k) of a noise by its name; those of the study have twelve temperatures."""
    if name in STUDY_NOISES:
        return generators.study_noise(STUDY_NOISES[name])
    return NOISES[name](n_temperatures)


def hold_flat(
    noise: str,
    n_temperatures: int,
    n_replicates: int,
    n_cells: int,
    kind: str = "normal",
    tables: int = 500,
    failures: float = 0.0,
) -> FlatShares:
    """Return how often each T of flat curves is held, over tables of so many cells of one student.

    Of all runs the share ``failures`` is missing.
    """
    random = np.random.default_rng([n_temperatures, n_replicates, n_cells])
    covariance, T = get_noise(noise, n_temperatures), generators.make_grid(n_temperatures)
    held = []
    for _ in range(tables):
        y = draw_errors(np.ones(n_temperatures), covariance, n_cells, n_replicates, kind, random)
        y = lose_runs(y, failures, random)
        held += [comparison.is_tied for comparison in compare_cells(y, T)]
    shares = np.mean(held, axis=0)
    return FlatShares(float(shares.mean()), float(shares.min()), float(shares.max()), len(held))


# The temperatures, replicates and data sets of a student.
LAYOUTS = [
    (5, 2, 1), (5, 3, 1), (12, 3, 1), (3, 5, 1), (12, 5, 1), (40, 5, 1), (12, 8, 1),
    (5, 3, 2), (12, 5, 2), (12, 2, 4), (12, 3, 9), (12, 5, 9), (12, 8, 9), (40, 5, 9), (12, 5, 54),
]  # fmt: skip


def list_noises(n_temperatures: int) -> list[str]:
    """Return the names of the noises that a grid of so many temperatures may have."""
    return [*NOISES, *STUDY_NOISES] if n_temperatures == 12 else list(NOISES)


@dataclass(frozen=True)
class BestKept:
    """What becomes of the truly best T where runs fail."""

    is_compared: float  # the share of cells in which it is among the temperatures that are compared
    is_tied: float  # the share in which it is statistically tied with the best


def keep_best(
    failures: float, n_replicates: int = 3, optimum: float = 2.0, noise: str = "lagged", tables: int = 500
) -> BestKept:
    """Return how often the best T, of a parabola over log2 T, is held where runs fail at random."""
    random = np.random.default_rng(n_replicates)
    T = generators.STUDY_GRID
    curve = generators.quadratic(optimum)(np.log2(T))
    covariance = get_noise(noise, len(T))
    best = int(curve.argmin())
    rows = []
    for number in range(tables):
        y = lose_runs(draw_errors(curve, covariance, 1, n_replicates, "normal", random), failures, random)[0]
        for replicate, index in itertools.product(range(n_replicates), range(len(T))):
            error = y[replicate, index]
            status = FAILED if np.isnan(error) else DONE
            rows.append((number, replicate, T[index], error, STUDENT, status))
    columns = ["class_sep", REPLICATE, TEMP, VAL_NUM_ERROR, MODEL, STATUS]
    cells = split_into_cells(pd.DataFrame(rows, columns=columns), ["class_sep"], VAL_NUM_ERROR).cells
    compared, tied = [], []
    for cell in cells:
        noise_of_cell = estimate_cell_noises([cell], VAL_NUM_ERROR)[0]
        is_tied = compare_temperatures_with_best(cell, VAL_NUM_ERROR, noise_of_cell).is_tied
        compared.append(T[best] in cell.temperatures)
        tied.append(T[best] in cell.temperatures[is_tied])
    return BestKept(float(np.mean(compared)), float(np.mean(tied)))


@dataclass(frozen=True)
class SetSizes:
    """The mean sizes of tied sets on the study's own curves."""

    size: float  # of kdtune's tied sets
    size_of_equal_noise: float  # of those that take noise to be equal and independent over T
    holds_best: float  # the share of cells whose tied set holds the truly best T


def size_sets(width: int, n_replicates: int = 5, tables: int = 200) -> SetSizes:
    """Compare the sizes of tied sets on the study's curves of one width, with its noise, over its nine data sets."""
    random = np.random.default_rng(width)
    curves, covariance = generators.study_curves(width), generators.study_noise(width)
    n_temperatures = curves.shape[1]
    dof = (n_replicates - 1) * (n_temperatures - 1)
    critical_value = compute_dunnett_value(n_temperatures, dof)
    sizes, plain_sizes, held = [], [], []
    for _ in range(tables):
        y = np.stack([generators.draw(curve, covariance, 1, n_replicates, random)[0] for curve in curves]) * LEVEL
        for values, curve, comparison in zip(y, curves, compare_cells(y, generators.STUDY_GRID), strict=True):
            means = values.mean(axis=0)
            residuals = values - means - values.mean(axis=1, keepdims=True) + values.mean()
            margin = critical_value * math.sqrt(2 * (residuals**2).sum() / dof / n_replicates)
            sizes.append(comparison.is_tied.sum())
            plain_sizes.append((means - means.min() <= margin).sum())
            held.append(comparison.is_tied[curve.argmin()])
    return SetSizes(float(np.mean(sizes)), float(np.mean(plain_sizes)), float(np.mean(held)))


@dataclass(frozen=True)
class GoodEnough:
    """What is said to be within 5 % of the best, where ten of twelve T truly are."""

    mean_named: float
    is_false: float  # the share of cells in which another T is named


def name_good_enough(
    width: int, n_replicates: int, n_cells: int = 9, excess: float = 0.06, tables: int = 200
) -> GoodEnough:
    """Return how many T are named to be within 5 % of the best, with the noise of one width.

    The first two T are worse than the best by ``excess``, and more; the others are all equal.
    """
    random = np.random.default_rng(n_replicates)
    curve = np.ones(12)
    curve[:2] += np.array([2 * excess, excess])
    named, is_false = [], []
    for _ in range(tables):
        y = draw_errors(curve, generators.study_noise(width), n_cells, n_replicates, "normal", random)
        for values, comparison in zip(y, compare_cells(y, generators.STUDY_GRID), strict=True):
            is_named = comparison.upper_bounds <= 0.05 * values.mean(axis=0).min()
            named.append(is_named[2:].sum())
            is_false.append(is_named[:2].any())
    return GoodEnough(float(np.mean(named)), float(np.mean(is_false)))


def main() -> None:
    """Print what the tied sets hold, how large they are, and what is named to be within 5 %."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", type=int, default=4000, help="the number of cells of each line")
    n_tables = parser.parse_args().tables
    rows = []
    cases = [*itertools.product(KINDS[:1], LAYOUTS), *itertools.product(KINDS[1:], [(5, 3, 1), (12, 5, 9)])]
    for kind, (n_temperatures, n_replicates, n_cells) in cases:
        for noise in list_noises(n_temperatures):
            shares = hold_flat(noise, n_temperatures, n_replicates, n_cells, kind, max(1, n_tables // n_cells))
            held = f"{shares.mean:.1%}", f"{shares.least:.1%}", f"{shares.most:.1%}"
            rows.append([kind, noise, str(n_temperatures), str(n_replicates), str(n_cells), *held])
    columns = ["noise", "over T", "T", "replicates", "data sets", "held, mean", "the T held least", "held most"]
    generators.print_table(columns, rows)
    rows = []
    for failures, n_replicates in itertools.product((0.05, 0.2), (2, 3, 5)):
        shares = hold_flat("lagged", 12, n_replicates, 1, tables=n_tables, failures=failures)
        kept = keep_best(failures, n_replicates, tables=n_tables // 4)
        held = f"{shares.mean:.1%}", f"{shares.least:.1%}", f"{shares.most:.1%}"
        rows.append([f"{failures:.0%}", str(n_replicates), *held, f"{kept.is_compared:.1%}", f"{kept.is_tied:.1%}"])
    print()
    columns = ["runs that fail", "replicates", "held, mean", "the T held least", "held most"]
    generators.print_table([*columns, "best T is compared", "best T is tied"], rows)
    rows = []
    for width in generators.STUDY_WIDTHS:
        sizes = size_sets(width, tables=n_tables // 9)
        rows.append([str(width), f"{sizes.size:.2f}", f"{sizes.size_of_equal_noise:.2f}", f"{sizes.holds_best:.1%}"])
    print()
    generators.print_table(["width", "tied", "tied, if noise were equal", "holds the best"], rows)
    rows = []
    for width, n_replicates in itertools.product((50, 100, 200), (3, 5, 10, 20)):
        result = name_good_enough(width, n_replicates, tables=n_tables // 9)
        rows.append([str(width), str(n_replicates), f"{result.mean_named:.2f}", f"{result.is_false:.1%}"])
    print()
    generators.print_table(["width", "replicates", "named within 5 %, of ten", "wrong"], rows)


if __name__ == "__main__":
    main()
