"""Whether `kdtune power` keeps its promise of 80 %, by the rule that `kdtune analyze` uses.

    python -m benchmarks.promises.power [--tables 500]

A first sweep shows the noise, from which the replicates are counted that it takes to tell the neighbours of the best T
from it. Then sweeps with so many replicates are drawn: the share in which the neighbour, which is truly so much worse,
leaves the set of temperatures that are statistically tied with the best.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from benchmarks.promises import generators
from benchmarks.promises.ties import LEVEL, compare_cells, get_noise, make_cells
from kdtune.analysis.power import count_replicates
from kdtune.columns import VAL_NUM_ERROR

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Setting:
    """A sweep, and a difference to find in it."""

    noise: str
    n_temperatures: int
    n_cells: int  # data sets of the student
    n_replicates: int  # of the first sweep
    difference: float  # as a share of the errors at the best T
    slope: float = 0.1  # by how much errors rise per grid step beyond the neighbours of the best T


SETTINGS = [
    Setting("equal", 5, 1, 5, 0.05),
    Setting("rising", 12, 1, 5, 0.05),
    Setting("lagged", 12, 4, 5, 0.03),
    Setting("loud first", 12, 9, 5, 0.03),
    Setting("equal", 12, 9, 3, 0.03),
    Setting("study, width 50", 12, 9, 5, 0.1),
    Setting("study, width 100", 12, 9, 5, 0.05),
    Setting("study, width 200", 12, 9, 5, 0.03),
]


@dataclass(frozen=True)
class Promise:
    """What was promised, and what came of it."""

    replicates: float  # the median over first sweeps of the replicates that are asked for
    reached: float  # the share of sweeps with so many in which a neighbour is told apart
    reached_with_true_noise: float  # the same where the noise is taken from a first sweep of 400 replicates


def make_curve(setting: Setting) -> Array:
    """Return a curve (k,) whose best T has neighbours that are worse by the difference; the others are worse still."""
    best = setting.n_temperatures // 2
    steps = abs(np.arange(setting.n_temperatures) - best)
    return np.asarray(1 + np.where(steps > 0, setting.difference + setting.slope * (steps - 1), 0.0))


def count(setting: Setting, n_replicates: int, random: np.random.Generator) -> int:
    """Return the replicates that the command asks for after a first sweep with so many."""
    T = generators.make_grid(setting.n_temperatures)
    covariance = get_noise(setting.noise, setting.n_temperatures)
    y = generators.draw(make_curve(setting), covariance, setting.n_cells, n_replicates, random) * LEVEL
    counts = count_replicates(make_cells(y, T), VAL_NUM_ERROR, [setting.difference])
    return int(counts["to_tell"].fillna(1000).iloc[0])


def tell_apart(setting: Setting, n_replicates: int, tables: int, random: np.random.Generator) -> float:
    """Return the share of neighbours of the best T that leave the tied set in sweeps with so many replicates."""
    T = generators.make_grid(setting.n_temperatures)
    covariance, best = get_noise(setting.noise, setting.n_temperatures), setting.n_temperatures // 2
    is_told = []
    for _ in range(max(1, tables // setting.n_cells)):
        y = generators.draw(make_curve(setting), covariance, setting.n_cells, n_replicates, random) * LEVEL
        is_told += [~comparison.is_tied[[best - 1, best + 1]] for comparison in compare_cells(y, T)]
    return float(np.mean(is_told))


def keep_promise(setting: Setting, tables: int = 400, first_sweeps: int = 20, seed: int = 0) -> Promise:
    """Return what is promised in a setting and what is reached, over several first sweeps."""
    random = np.random.default_rng(seed)
    counts = [count(setting, setting.n_replicates, random) for _ in range(first_sweeps)]
    reached = [tell_apart(setting, n_replicates, tables // first_sweeps, random) for n_replicates in counts]
    true_count = count(setting, 400, random)
    return Promise(float(np.median(counts)), float(np.mean(reached)), tell_apart(setting, true_count, tables, random))


def main() -> None:
    """Print what is promised and what is reached in each setting."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", type=int, default=2000, help="the number of cells of each line")
    n_tables = parser.parse_args().tables
    rows = []
    for setting in SETTINGS:
        promise = keep_promise(setting, n_tables)
        words = [setting.noise, str(setting.n_temperatures), str(setting.n_cells), str(setting.n_replicates)]
        figures = [f"{promise.replicates:g}", f"{promise.reached:.1%}", f"{promise.reached_with_true_noise:.1%}"]
        rows.append([*words, f"{setting.difference:.0%}", *figures])
    columns = ["noise", "T", "data sets", "replicates of the first sweep", "difference", "replicates asked for"]
    generators.print_table([*columns, "told apart", "told apart, noise known"], rows)


if __name__ == "__main__":
    main()
