"""Whether the interval of a cell's best temperature holds the minimum of its mean curve, as `kdtune analyze` prints it.

    python -m benchmarks.promises.optimum [--tables 200]

Each table is a cell of its own, whose noise is known from its own replicates alone, unless cells are said to be pooled.
"""

from __future__ import annotations

import argparse
import math
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd

from benchmarks.promises import generators
from benchmarks.promises.generators import Array, Curve
from kdtune.analysis.answer import analyze_table
from kdtune.columns import DATASET, DONE, HARD_WEIGHT, ID, MODEL, REPLICATE, STATUS, STUDENT, TEMP, VAL_NUM_ERROR, WIDTH

LEAST_ERRORS = 1000  # at the optimum: relative noise of 2 to 10 % is then far above the rounding to counts
GRID_SIZES = (5, 12, 24, 40)
REPLICATES = (2, 3, 5, 8)
DEVIATIONS = (0.02, 0.05, 0.1)
# Slopes per doubling on the steep and on the flat side of a kink.
SLOPES = ((1.0, 0.1), (1.0, 0.01), (0.3, 0.03), (0.1, 0.01), (0.1, 0.1))

WIDTHS_SHOWN = ("quadratic, T = 4", "plateau from T = 5", "kink between, slopes 0.3 and 0.03")  # with noise of 4 %


@dataclass(frozen=True)
class PlantedCurve:
    """A curve of relative errors over log2 T, and where it is lowest: infinite if beyond the grid."""

    name: str
    curve: Curve
    optimum: float


@dataclass(frozen=True)
class IntervalShares:
    """What the intervals of many tables were."""

    holds: float  # the share that hold the optimum
    holds_tied_best: float  # the share whose tied set has the best temperature of the grid
    width: float  # the median width in doublings, up to the ends of the grid
    second: float  # the share in which a second minimum is reported


def list_curves(n_temperatures: int) -> list[PlantedCurve]:
    """List smooth, lopsided and kinked curves, the latter with kinks on the grid and between its temperatures."""
    x = np.log2(generators.make_grid(n_temperatures))
    curves = [
        PlantedCurve("quadratic, T = 4", generators.quadratic(2.0, 0.05), 2.0),
        PlantedCurve("quadratic, T = 6", generators.quadratic(math.log2(6), 0.05), math.log2(6)),
        PlantedCurve("sharp quadratic, T = 6", generators.quadratic(math.log2(6), 0.25), math.log2(6)),
        PlantedCurve("asymmetric, T = 3", generators.asymmetric(math.log2(3)), math.log2(3)),
        PlantedCurve("plateau from T = 5", generators.plateau(math.log2(5)), math.log2(5)),
        PlantedCurve("falling throughout", lambda x: 1 + 0.3 * np.exp(-0.5 * x), math.inf),
        PlantedCurve("rising throughout", lambda x: 1 + 0.1 * x, -math.inf),
        PlantedCurve("steep, then nearly flat, T = 5", _fall_and_level_off, math.log2(5)),
    ]
    middle = n_temperatures // 2
    places = {"on the grid": x[middle], "between": (x[middle] + x[middle + 1]) / 2, "early": (x[1] + x[2]) / 2}
    for place, optimum in places.items():
        for steep, flat in SLOPES:
            for left, right in {(steep, flat), (flat, steep)}:
                name = f"kink {place}, slopes {left:g} and {right:g}"
                curves.append(PlantedCurve(name, generators.kinked(float(optimum), left, right), float(optimum)))
    return curves


def _fall_and_level_off(x: Array) -> Array:
    return np.asarray(1 + 0.5 * np.clip(1.3 - x, 0, None) + 0.02 * abs(x - math.log2(5)))


def list_study_curves() -> list[PlantedCurve]:
    """List the study's mean curves, whose optima are the temperatures of their lowest means."""
    x = np.log2(generators.STUDY_GRID)
    curves = []
    for width in generators.STUDY_WIDTHS:
        for number, means in enumerate(generators.study_curves(width)):
            name = f"the study's, width {width}, data set {number}"
            curves.append(PlantedCurve(name, partial(_interpolate, x, means), float(x[means.argmin()])))
    return curves


def _interpolate(x: Array, means: Array, points: Array) -> Array:
    return np.asarray(np.interp(points, x, means))


def list_noises(n_temperatures: int, deviation: float) -> dict[str, Array]:
    """List covariances (k, k) of noise with about this relative standard deviation."""
    noises = {
        "equal": generators.equal_noise(n_temperatures, deviation),
        "rising": generators.rising_noise(n_temperatures, deviation),
        "lagged": generators.lagged_noise(n_temperatures, deviation),
        "loud first": generators.loud_first_noise(n_temperatures, deviation),
    }
    if n_temperatures == len(generators.STUDY_GRID):
        covariance = generators.study_noise(100)
        noises["the study's"] = covariance * (deviation**2 / np.median(np.diag(covariance)))
    return noises


def make_table(errors: Array, n_temperatures: int, is_pooled: bool = False, is_paired: bool = True) -> pd.DataFrame:
    """Make a table of relative errors (tables, R, k): of as many students, or of one student on as many data sets."""
    table, replicate, temperature = (index.ravel() for index in np.indices(errors.shape))
    frame = pd.DataFrame(
        {
            DATASET: [f"data {i}" if is_pooled else "data" for i in table],
            WIDTH: 1 if is_pooled else table + 1,
            REPLICATE: replicate if is_paired else None,
            TEMP: generators.make_grid(n_temperatures)[temperature],
            VAL_NUM_ERROR: np.round(LEAST_ERRORS * errors.clip(min=0)).ravel(),
        }
    )
    names = [f"network {i}" for i in range(len(frame))]
    return frame.assign(**{MODEL: STUDENT, STATUS: DONE, ID: names}).assign(**{HARD_WEIGHT: 0.0})


def measure_interval(
    planted: PlantedCurve,
    covariance: Array,
    n_replicates: int,
    n_tables: int,
    seed: int = 0,
    is_pooled: bool = False,
    is_paired: bool = True,
) -> IntervalShares:
    """Measure the intervals of tables of a planted curve with noise of this covariance (k, k)."""
    n_temperatures = len(covariance)
    grid = generators.make_grid(n_temperatures)
    x = np.log2(grid)
    means = planted.curve(x)
    level = 0.1 if is_paired else 0.0
    errors = generators.draw(means, covariance, n_tables, n_replicates, np.random.default_rng(seed), level)
    table = make_table(errors, n_temperatures, is_pooled, is_paired)
    optima = analyze_table(table, [DATASET] if is_pooled else [WIDTH]).t_opt
    with np.errstate(divide="ignore"):
        low, high = np.log2(optima["T_opt_low"].to_numpy()), np.log2(optima["T_opt_high"].to_numpy())
    best = grid[means.argmin()]
    return IntervalShares(
        holds=float(((low <= planted.optimum) & (planted.optimum <= high)).mean()),
        holds_tied_best=float(optima["tied"].map(lambda tied: best in tied).mean()),
        width=float(np.median(high.clip(max=x[-1]) - low.clip(min=x[0]))),
        second=float(optima["T_second"].notna().mean()),
    )


def measure_second(depth: float, hill: float, deviation: float, n_replicates: int, n_tables: int) -> IntervalShares:
    """Measure intervals where a curve has a second minimum, higher by a depth, behind a hill of this height."""
    optimum = 1.0
    planted = PlantedCurve("two minima", generators.two_minima(optimum, 4.0, depth, hill), optimum)
    return measure_interval(planted, generators.equal_noise(12, deviation), n_replicates, n_tables)


def pick_noise(n_temperatures: int, number: int, n_replicates: int) -> tuple[str, Array]:
    """Return the name and the covariance (k, k) of one noise: kinds and sizes take turns, so that curves meet all."""
    deviation = DEVIATIONS[number % len(DEVIATIONS)]
    noises = list(list_noises(n_temperatures, deviation).items())
    noise, covariance = noises[(number + n_replicates) % len(noises)]
    return f"{noise}, {deviation:.0%}", covariance


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", type=int, default=100)
    n_tables = parser.parse_args().tables
    rows = []
    for k in GRID_SIZES:
        for n_replicates in REPLICATES:
            shares = []
            for number, planted in enumerate(list_curves(k)):
                noise, covariance = pick_noise(k, number, n_replicates)
                found = measure_interval(planted, covariance, n_replicates, n_tables, seed=number)
                shares.append((found.holds, f"{planted.name}; {noise}"))
            widths = [
                measure_interval(planted, generators.equal_noise(k), n_replicates, n_tables).width
                for planted in list_curves(k)
                if planted.name in WIDTHS_SHOWN
            ]
            lowest, of = min(shares)
            mean = np.mean([share for share, _ in shares])
            rows.append([str(k), str(n_replicates), f"{mean:.1%}", f"{lowest:.1%}", of, *(f"{w:.2f}" for w in widths)])
    columns = ["T", "replicates", "holds, mean", "the lowest", "of", *(f"width, {name}" for name in WIDTHS_SHOWN)]
    generators.print_table(columns, rows)


if __name__ == "__main__":
    main()
