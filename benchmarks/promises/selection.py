"""Whether figures of a chosen temperature are too good, and what one temperature for all settings is said to cost."""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from benchmarks.promises import generators
from benchmarks.promises.generators import Array
from kdtune.analysis.cell import Cell
from kdtune.analysis.fixed_temperature import COST, compute_relative_regret, estimate_fixed_temperature_costs
from kdtune.analysis.test_split import ChoiceResult, evaluate_choice
from kdtune.columns import NUM_ERROR, VAL_NUM_ERROR

LEVEL = 1000.0  # errors at the optimum
BASELINE, TEACHER = 1.3, 0.8  # mean errors of both, as shares of the level
NETWORK_NOISE = 0.02  # of baselines and teachers
REPLICATES, LUCK = (3, 5, 8), (0.5, 0.9)  # luck: the correlation of the noise on both splits

N_DATA_SETS = 9  # of the study: independent sets of settings
COST_CASES = (
    ("flat, 27 settings", True, (20, 50, 100)),
    ("flat, 9 settings of width 50", True, (50,)),
    ("the study's curves, 27 settings", False, (20, 50, 100)),
    ("the study's curves, 9 settings of width 50", False, (50,)),
)
COST_PROMISES = ("mean holds", "no mean cost claimed", "worst holds", "no worst cost claimed")


@dataclass(frozen=True)
class Truth:
    """What is planted in a cell."""

    curve: Array  # (k,): relative mean errors on both splits
    covariance: Array  # (k, k): of the relative noise of one run
    temperatures: Array  # (k,)


def draw_cell(truth: Truth, n_replicates: int, luck: float, random: np.random.Generator, number: int = 0) -> Cell:
    """Draw a cell whose networks are as lucky on the test split as the correlation says.

    Cells of different numbers share nothing.
    """
    noise = random.multivariate_normal(
        np.zeros(len(truth.curve)), truth.covariance, (2, n_replicates), check_valid="ignore"
    )
    level = 0.1 * random.standard_normal((n_replicates, 1))
    validation = truth.curve + level + noise[0]
    test = truth.curve + level + luck * noise[0] + math.sqrt(1 - luck**2) * noise[1]
    networks = [
        mean + level[:, 0] + NETWORK_NOISE * random.standard_normal(n_replicates) for mean in (BASELINE, TEACHER)
    ]
    return Cell(
        settings={"class_sep": number},
        temperatures=truth.temperatures,
        replicates=list(range(n_replicates)),
        student_measures={VAL_NUM_ERROR: LEVEL * validation, NUM_ERROR: LEVEL * test},
        baseline_measures={NUM_ERROR: LEVEL * networks[0]},
        teacher_measures={NUM_ERROR: LEVEL * networks[1]},
        data_seeds=frozenset(f"{number} {replicate}" for replicate in range(n_replicates)),
    )


def list_truths(n_temperatures: int = 12) -> Iterator[tuple[str, Truth]]:
    """Yield the curves and noises that cells are drawn from: flat, the study's own, and others, with their names."""
    grid = generators.make_grid(n_temperatures)
    x = np.log2(grid)
    noises = {
        "equal": generators.equal_noise(n_temperatures),
        "rising": generators.rising_noise(n_temperatures),
        "lagged": generators.lagged_noise(n_temperatures),
        "loud first": generators.loud_first_noise(n_temperatures),
    }
    curves = {
        "flat": generators.flat,
        "quadratic": generators.quadratic(2.0),
        "kinked": generators.kinked(2.2),
        "plateau": generators.plateau(2.3),
    }
    for curve_name, curve in curves.items():
        for noise_name, covariance in noises.items():
            yield f"{curve_name}, {noise_name}, {n_temperatures} T", Truth(curve(x), covariance, grid)
    if n_temperatures == len(generators.STUDY_GRID):
        for width in (20, 50, 100):
            covariance = generators.study_noise(width)
            yield f"flat, the study's noise at width {width}", Truth(generators.flat(x), covariance, grid)
            own = generators.study_curves(width)[4]
            yield f"the study's curve and noise at width {width}", Truth(own, covariance, grid)


def check_choice(truth: Truth, n_replicates: int, luck: float, n_tables: int, seed: int = 0) -> dict[str, float]:
    """Return how often the intervals of the chosen T hold, and how far its figures are off on average.

    The truth of a table is what fresh networks at its best T would show.
    """
    random = np.random.default_rng(seed)
    naive_errors, errors, holds = [], [], []
    for _ in range(n_tables):
        cell = draw_cell(truth, n_replicates, luck, random)
        best_index = int(cell.student_measures[VAL_NUM_ERROR].mean(axis=0).argmin())
        result = evaluate_choice(cell, best_index, VAL_NUM_ERROR)
        assert result is not None
        mean = LEVEL * truth.curve[best_index]
        means = {
            "": mean,
            "_minus_baseline": mean - LEVEL * BASELINE,
            "_minus_teacher": mean - LEVEL * TEACHER,
            "_minus_T1": mean - LEVEL * truth.curve[0],
            "_gap": (LEVEL * BASELINE - mean) / (LEVEL * (BASELINE - TEACHER)),
        }
        fitted = result.cross_fitting
        ends = [[getattr(fitted, f"cross_fitted{name}_{end}") for end in ("low", "high")] for name in means]
        # Without an interval, as of a gap whose baselines vary too much, nothing is claimed.
        holds.append(
            [not (low > value or value > high) for (low, high), value in zip(ends, means.values(), strict=True)]
        )
        holds[-1].append(_naive_holds(result, means["_minus_baseline"]))
        naive_errors.append(result.student / mean - 1)
        errors.append(fitted.cross_fitted / mean - 1)
    shares = np.mean(holds, axis=0)
    names = ["errors", "minus baseline", "minus teacher", "minus T=1", "gap closed", "naive minus baseline"]
    return {
        "naive bias": float(np.mean(naive_errors)),
        "bias": float(np.mean(errors)),
        **dict(zip(names, shares.tolist(), strict=True)),
    }


def _naive_holds(result: ChoiceResult, value: float) -> bool:
    return result.minus_baseline_low <= value <= result.minus_baseline_high


def check_costs(
    truths: list[Truth], n_replicates: int, luck: float, n_tables: int, seed: int = 0, n_sets: int | None = None
) -> dict[str, float]:
    """Return how often what one T for all cells is said to cost holds, and how far it is off on average.

    Parameters
    ----------
    truths : What is planted in each cell.
    n_replicates : The replicates of each cell.
    luck : The correlation of the noise on both splits.
    n_tables : The number of tables.
    seed : The seed of the tables.
    n_sets : The number of independent sets that the cells lie in; one for each cell if it is None.
    """
    random = np.random.default_rng(seed)
    shares, biases = [], []
    for _ in range(n_tables):
        numbers = [i if n_sets is None else i % n_sets for i in range(len(truths))]
        cells = [
            draw_cell(truth, n_replicates, luck, random, number) for truth, number in zip(truths, numbers, strict=True)
        ]
        best = [int(cell.student_measures[VAL_NUM_ERROR].mean(axis=0).argmin()) for cell in cells]
        regrets = [compute_relative_regret(*pair, VAL_NUM_ERROR, NUM_ERROR) for pair in zip(cells, best, strict=True)]
        temperatures = np.concatenate([cell.temperatures for cell in cells])
        curves = pd.DataFrame({"T": temperatures, COST: np.concatenate(regrets), "tied": True})
        fixed = estimate_fixed_temperature_costs(cells, curves, VAL_NUM_ERROR)
        costs = np.array(
            [truth.curve / truth.curve[index] - 1 for truth, index in zip(truths, best, strict=True)]
        )  # (cells, k)
        mean, worst = costs.mean(axis=0), costs.max(axis=0)
        costs_above_best = np.array([truth.curve / truth.curve.min() - 1 for truth in truths])
        is_below, is_above = mean < fixed["mean_low"] - 1e-9, mean > fixed["mean_high"] + 1e-9
        shares.append(
            [
                not (is_below | is_above).any(),
                not (fixed["mean_low"] > 1e-9).any(),
                not (worst < fixed["worst_low"] - 1e-9).any() and not (worst > fixed["worst_high"] + 1e-9).any(),
                not (fixed["worst_low"] > 1e-9).any(),
                not (costs_above_best.mean(axis=0) > fixed["mean_high"] + 1e-9).any(),
                not (costs_above_best.max(axis=0) > fixed["worst_high"] + 1e-9).any(),
            ]
        )
        means = np.array([cell.student_measures[NUM_ERROR].mean(axis=0) for cell in cells])
        naive = (means / np.take_along_axis(means, np.array(best)[:, None], axis=1) - 1).max(axis=0)
        biases.append(
            [
                (fixed["mean"] - mean).mean(),
                (fixed["worst"] - worst).mean(),
                (naive - worst).mean(),
                (fixed["mean_high"] - fixed["mean_low"]).mean() / 2,
                (fixed["worst_high"] - worst).mean(),
                (worst - fixed["worst_low"]).mean(),
            ]
        )
    names = ["mean holds", "no mean cost claimed", "worst holds", "no worst cost claimed", "below true best's mean"]
    names += ["below true best's worst"]
    bias_names = ["mean off", "worst off", "naive worst off", "half width", "worst high above", "worst low below"]
    return {
        **dict(zip(names, np.mean(shares, axis=0).tolist(), strict=True)),
        **dict(zip(bias_names, np.mean(biases, axis=0).tolist(), strict=True)),
    }


def make_study_truths(is_flat: bool, widths: tuple[int, ...] = (20, 50, 100)) -> list[Truth]:
    """Return a truth for each data set of the study and each width, with the study's noise and its or flat curves."""
    truths = []
    for width in widths:
        covariance = generators.study_noise(width)
        for curve in generators.study_curves(width):
            truths.append(Truth(np.ones(len(curve)) if is_flat else curve, covariance, generators.STUDY_GRID))
    return truths


def main() -> None:
    """Print how far figures of the chosen T and costs of one T for all are off, and how often their intervals hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tables", type=int, default=1000)
    n_tables = parser.parse_args().tables
    rows = []
    for n_temperatures in (3, 5, 12, 40):
        for name, truth in list_truths(n_temperatures):
            for n_replicates in REPLICATES:
                for luck in LUCK:
                    result = check_choice(truth, n_replicates, luck, n_tables)
                    biases = [f"{result.pop(key):+.1%}" for key in ("naive bias", "bias")]
                    shares = [f"{share:.1%}" for share in result.values()]
                    rows.append([name, str(n_replicates), str(luck), *biases, *shares])
    columns = ["curve, noise", "replicates", "luck", "chosen T off by", "cross-fitted off by", "errors held"]
    columns += ["minus baseline", "minus teacher", "minus T=1", "gap closed", "minus baseline, naive"]
    generators.print_table(columns, rows)
    print()
    rows = []
    for name, is_flat, widths in COST_CASES:
        for n_replicates in REPLICATES:
            for luck in LUCK:
                truths = make_study_truths(is_flat, widths)
                result = check_costs(truths, n_replicates, luck, max(1, n_tables // 5), n_sets=N_DATA_SETS)
                shares = [f"{result[key]:.1%}" for key in COST_PROMISES]
                biases = [f"{result[key]:+.1%}" for key in ("mean off", "worst off", "naive worst off")]
                rows.append([name, str(n_replicates), str(luck), *biases, *shares, f"{result['half width']:.1%}"])
    columns = ["settings", "replicates", "luck", "mean off by", "worst off by", "largest estimate off by"]
    columns += ["means held", "no mean cost claimed", "worst held", "no worst cost claimed", "half width of the mean"]
    generators.print_table(columns, rows)


if __name__ == "__main__":
    main()
