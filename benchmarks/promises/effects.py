"""Whether effects of a factor on the best temperature are what kdtune says they are, whatever the shapes of curves.

    python -m benchmarks.promises.effects [--tables 200]

Students of three widths on several independent data sets. The best T is the same at all widths while the shapes of
curves differ, or it doubles from the narrowest to the widest, or it moves in some data sets only, or in opposite
directions. A table is one sweep; the effect of the width is the only one that is tested in it.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from benchmarks.promises import generators
from benchmarks.promises.generators import Array, Curve
from kdtune.analysis.cell import Cell
from kdtune.analysis.factor_effects import DIFFERS, RISES, RISES_EVERYWHERE, STAYS, UNKNOWN, FactorEffect
from kdtune.analysis.temperature_effects import estimate_effects
from kdtune.columns import VAL_NUM_ERROR

WIDTHS = (10, 20, 40)
STEPS = (-1.0, 0.0, 1.0)  # log2 of the widths, around their middle
LEVEL = 500.0  # errors
MARGIN = 0.1  # doublings per doubling, as ``kdtune analyze`` has it


@dataclass(frozen=True)
class Scenario:
    """Curves of a sweep with their noise."""

    curves: list[list[Curve]]  # of some data sets, in turn; one curve for each width
    effect: float = 0.0  # the mean of the true effects, in doublings of T per doubling of the width
    sets: int = 9  # the number of data sets
    replicates: int = 5
    temperatures: int = 12
    noise: list[Array] = field(default_factory=list)  # the covariance (k, k) at each width; 4 % at each T if empty


@dataclass(frozen=True)
class Shares:
    """In which shares of tables something was so."""

    rejected: float  # p < 0.05
    held: float  # the interval for these data sets holds the mean effect
    held_in_sample: float  # the interval for data sets like these holds it
    held_in_sets: float  # of the data sets' own intervals, those that hold the mean effect
    verdicts: dict[str, float]  # each verdict that was given
    heterogeneous: float  # p < 0.05 that data sets differ


def repeat_curve(curve: Curve) -> list[list[Curve]]:
    """Return the same curve at all widths."""
    return [[curve] * len(STEPS)]


def make_turning_kinks(optimum: float, steep: float = 0.3, flat: float = 0.03) -> list[list[Curve]]:
    """Return kinked curves: the narrowest is steep on the left of the optimum, the widest on the right."""
    middle = (steep * flat) ** 0.5
    return [
        [
            generators.kinked(optimum, steep, flat),
            generators.kinked(optimum, middle, middle),
            generators.kinked(optimum, flat, steep),
        ]
    ]


def make_turning_curves(optimum: float) -> list[list[Curve]]:
    """Return curves whose left sides steepen over the widths while their right sides flatten."""
    return [[generators.asymmetric(optimum, *sides) for sides in ((0.1, 0.5), (0.3, 0.3), (0.5, 0.1))]]


def make_shifted_study_curves(widths: Sequence[int], optimum: float) -> list[list[Curve]]:
    """Return the study's mean curves of three widths on nine data sets, shifted to one optimum.

    Between the temperatures of the study they are straight, beyond its grid they go on as they end.
    """
    x = np.log2(generators.STUDY_GRID)

    def shift(values: Array) -> Curve:
        first, last = abs(values[1] - values[0]) / (x[1] - x[0]), max(0.0, (values[-1] - values[-2]) / (x[-1] - x[-2]))

        def curve(at: Array) -> Array:
            moved = at - optimum + x[values.argmin()]
            inside = np.interp(moved, x, values)
            return np.asarray(inside + first * (x[0] - moved).clip(0) + last * (moved - x[-1]).clip(0))

        return curve

    return [[shift(generators.study_curves(width)[number]) for width in widths] for number in range(9)]


def make_moving_parabolas(slopes: Sequence[float], bends: Sequence[float] = (0.1,)) -> list[list[Curve]]:
    """Return parabolas on some data sets, whose optima move by these slopes per doubling of the width."""
    return [
        [generators.quadratic(2 + slope * step, bends[number % len(bends)]) for step in STEPS]
        for number, slope in enumerate(slopes)
    ]


def study_noises(widths: Sequence[int]) -> list[Array]:
    return [generators.study_noise(width) for width in widths]


UNEQUAL = [generators.loud_first_noise(12), generators.lagged_noise(12), generators.equal_noise(12, 0.08)]
NO_MOVE = {
    "parabolas, T = 4.6": Scenario(repeat_curve(generators.quadratic(2.2))),
    "parabolas, 6 sets, R = 3": Scenario(repeat_curve(generators.quadratic(2.2)), sets=6, replicates=3),
    "parabolas, 3 sets, R = 3": Scenario(repeat_curve(generators.quadratic(2.2)), sets=3, replicates=3),
    "parabolas, R = 8": Scenario(repeat_curve(generators.quadratic(2.2)), replicates=8),
    "parabolas, 5 T": Scenario(repeat_curve(generators.quadratic(2.2)), temperatures=5),
    "parabolas at the end of the grid": Scenario(repeat_curve(generators.quadratic(0.1))),
    "parabolas beyond the grid": Scenario(repeat_curve(generators.quadratic(5.8))),
    "turning, T = 4": Scenario(make_turning_curves(2.0)),
    "turning, T = 8": Scenario(make_turning_curves(3.0)),
    "turning, 3 sets, R = 3": Scenario(make_turning_curves(2.2), sets=3, replicates=3),
    "turning, R = 8": Scenario(make_turning_curves(2.2), replicates=8),
    "turning, 5 T": Scenario(make_turning_curves(2.2), temperatures=5),
    "turning, beyond the grid": Scenario(make_turning_curves(-0.5)),
    "turning, noise rises over T": Scenario(make_turning_curves(2.0), noise=[generators.rising_noise(12)] * 3),
    "turning, other noise at each width": Scenario(make_turning_curves(2.0), noise=UNEQUAL),
    "kinks turn, off the grid": Scenario(make_turning_kinks(2.1)),
    "kinks turn, on the grid": Scenario(make_turning_kinks(2.0)),
    "kinks turn the other way, R = 8": Scenario([make_turning_kinks(3.6)[0][::-1]], replicates=8),
    "kinks turn, 3 sets, R = 3": Scenario(make_turning_kinks(2.1), sets=3, replicates=3),
    "kinks turn, 5 T": Scenario(make_turning_kinks(2.1), temperatures=5),
    "kinks turn, at the end of the grid": Scenario(make_turning_kinks(0.2)),
    "the study's widths 50 to 200, shifted": Scenario(
        make_shifted_study_curves((50, 100, 200), 1.7), noise=study_noises((50, 100, 200))
    ),
    "the same, 6 sets, R = 3": Scenario(
        make_shifted_study_curves((50, 100, 200), 1.7), sets=6, replicates=3, noise=study_noises((50, 100, 200))
    ),
}
# Nearly flat curves that end in a corner: the method rejects in about 9 % of tables.
HARD = {
    "the study's widths 5, 20, 100, shifted": Scenario(
        make_shifted_study_curves((5, 20, 100), 1.7), noise=study_noises((5, 20, 100))
    ),
}
DOUBLES = {
    "parabolas double": Scenario(make_moving_parabolas([0.5]), effect=0.5),
    "lopsided curves double": Scenario([[generators.asymmetric(2 + 0.5 * step) for step in STEPS]], effect=0.5),
}
UNLIKE = {
    "doubles in 3 sets, halves in 3": Scenario(make_moving_parabolas([0.5, -0.5]), sets=6),
    "the same, deeper where it doubles": Scenario(make_moving_parabolas([0.5, -0.5], (0.2, 0.07)), sets=6),
    "doubles in 3 sets, stays in 3": Scenario(make_moving_parabolas([0.5, 0.0]), sets=6, effect=0.25),
    "doubles in 3 sets, doubles twice in 3": Scenario(make_moving_parabolas([0.5, 1.0]), sets=6, effect=0.75),
}


def measure_shares(scenario: Scenario, n_tables: int, seed: int = 1) -> Shares:
    """Analyze tables of one scenario."""
    random = np.random.default_rng(seed)
    effects = [analyze_once(scenario, random) for _ in range(n_tables)]
    truth = scenario.effect
    verdicts = Counter(effect.verdict for effect in effects)
    return Shares(
        rejected=float(np.mean([effect.p_value < 0.05 for effect in effects])),
        held=float(np.mean([effect.low <= truth <= effect.high for effect in effects])),
        held_in_sample=float(np.mean([effect.sample_low <= truth <= effect.sample_high for effect in effects])),
        held_in_sets=float(np.mean([each.low <= truth <= each.high for effect in effects for each in effect.by_set])),
        verdicts={verdict: count / n_tables for verdict, count in verdicts.items()},
        heterogeneous=float(np.mean([effect.p_heterogeneity < 0.05 for effect in effects])),
    )


def analyze_once(scenario: Scenario, random: np.random.Generator) -> FactorEffect:
    """Draw one table and return the effect of the width."""
    temperatures = generators.make_grid(scenario.temperatures)
    noise = scenario.noise or [generators.equal_noise(scenario.temperatures)] * len(WIDTHS)
    cells = []
    for number in range(scenario.sets):
        curves = scenario.curves[number % len(scenario.curves)]
        for width, curve, covariance in zip(WIDTHS, curves, noise, strict=True):
            relative = generators.draw(curve(np.log2(temperatures)), covariance, 1, scenario.replicates, random)[0]
            cells.append(
                Cell(
                    settings={"dataset": f"set {number}", "width": width},
                    temperatures=temperatures,
                    replicates=list(range(scenario.replicates)),
                    student_measures={VAL_NUM_ERROR: np.round(LEVEL * relative)},
                    baseline_measures={},
                    teacher_measures={},
                    data_seeds=frozenset(f"{number} {replicate}" for replicate in range(scenario.replicates)),
                )
            )
    effects = estimate_effects(cells, ["dataset", "width"], VAL_NUM_ERROR, len(cells), MARGIN, {})
    return next(effect for effect in effects if effect.factor == "width")


def main() -> None:
    """Print the tables of docs/analysis.md."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", type=int, default=200)
    n_tables = parser.parse_args().tables
    rows = []
    for name, scenario in {**NO_MOVE, **HARD, **DOUBLES}.items():
        shares = measure_shares(scenario, n_tables)
        found = 1 - shares.verdicts.get(UNKNOWN, 0.0) - shares.verdicts.get(STAYS, 0.0)
        figures = (
            shares.rejected,
            found,
            shares.held,
            shares.held_in_sample,
            shares.held_in_sets,
            shares.heterogeneous,
        )
        rows.append([name, *(f"{share:.1%}" for share in figures)])
    columns = ["curves", "p < 0.05", "a move is said", "interval holds", "for sets like these", "of each set", "differ"]
    generators.print_table(columns, rows)
    print()
    verdicts = (DIFFERS, UNKNOWN, RISES_EVERYWHERE, RISES, STAYS)
    rows = []
    for name, scenario in UNLIKE.items():
        shares = measure_shares(scenario, n_tables)
        rows.append([name, *(f"{shares.verdicts.get(verdict, 0.0):.1%}" for verdict in verdicts), f"{shares.held:.1%}"])
    generators.print_table(["T_opt", *verdicts, "interval holds the mean"], rows)


if __name__ == "__main__":
    main()
