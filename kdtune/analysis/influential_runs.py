"""Find single networks that change the answer of a cell."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import special

from kdtune.analysis.broken_runs import BrokenRun
from kdtune.analysis.cell import Cell
from kdtune.analysis.cell_noise import CellNoise, estimate_cell_noises
from kdtune.analysis.cell_statistics import compare_temperatures_with_best
from kdtune.analysis.optimum import find_lowest_mean
from kdtune.statistics.additive_fit import fit_additive, select_connected
from kdtune.statistics.multiple_comparisons import Comparison
from kdtune.statistics.outliers import find_outlier
from kdtune.text import join_names

MAX_ALIKE = 30  # cells of the same student whose noise is pooled with that of the rest
FAR_FACTOR = 1.5  # A run that is further off than this may be a broken one,
BROKEN_FACTOR = 3.0  # and one that is further off than this hardly is anything else.
MAX_TEMPERATURES = 6  # that a sentence names
SIGNIFICANCE = 0.05  # of an outlier, among all runs of its cell


@dataclass(frozen=True)
class InfluentialRun(BrokenRun):
    """A run that is far from the others of its cell, and without which the best T or the tied T are others.

    The answer itself keeps the run: what is far off may be what happens at that T.
    """

    best_temperature: float  # with the run
    best_temperature_without: float
    tied: list[float]  # the temperatures that are statistically tied with the best, with the run
    tied_without: list[float]

    @property
    def is_far_off(self) -> bool:
        """Whether the run is so far off that something may have gone wrong in it."""
        return self._is_off_by(FAR_FACTOR)

    @property
    def is_likely_broken(self) -> bool:
        """Whether the run is further off than noise is likely to put it."""
        return self._is_off_by(BROKEN_FACTOR)

    def _is_off_by(self, factor: float) -> bool:
        return self.typical_value != 0 and not 1 / factor < self.value / self.typical_value < factor


def find_influential_run(
    cell: Cell, measure: str, comparison: Comparison, alike: Sequence[Cell] = ()
) -> InfluentialRun | None:
    """Find the run with the largest residual, if it is an outlier and changes the answer.

    First the residual must be significant for noise that is the same at all temperatures, then for the noise that the
    other runs show at its own: errors at T = 1 may all be noisier than others.

    Parameters
    ----------
    cell : The cell.
    measure : The measure that T is chosen by.
    comparison : The comparison of all temperatures with the best one.
    alike : The cells of the same student on all data; the cell itself may be among them.
    """
    y = cell.student_measures[measure]
    if not cell.is_paired or min(y.shape) < 3:  # Of two, which is the odd one cannot be told.
        return None
    outlier = find_outlier(fit_additive(y), SIGNIFICANCE)
    if outlier is None:
        return None
    replicate, index = outlier
    rest = _leave_out(cell, measure, replicate, index)
    if rest is None:
        return None
    noise = estimate_cell_noises([rest], measure)[0]
    typical_value = float(rest.fill_holes(measure)[replicate, index])
    if noise is None or not _is_significant(y[replicate, index] - typical_value, noise, rest, measure, index):
        return None
    others = [other for other in alike if other is not cell][:MAX_ALIKE]
    pooled_noise = estimate_cell_noises([rest, *others], measure)[0] if others else noise
    comparison_without = compare_temperatures_with_best(rest, measure, pooled_noise)
    T = cell.temperatures
    best, best_without = find_lowest_mean(cell, measure), find_lowest_mean(rest, measure)
    if best == best_without and (comparison.is_tied == comparison_without.is_tied).all():
        return None
    return InfluentialRun(
        setting=cell.describe(),
        T=float(T[index]),
        replicate=str(cell.replicates[replicate]),
        value=float(y[replicate, index]),
        typical_value=typical_value,
        best_temperature=float(T[best]),
        best_temperature_without=float(T[best_without]),
        tied=T[comparison.is_tied].tolist(),
        tied_without=T[comparison_without.is_tied].tolist(),
    )


def describe_influential_run(run: InfluentialRun) -> str:
    """Say in one sentence what a run changes."""
    setting = f"{run.setting}: one" if run.setting else "One"
    start = f"{setting} run at T = {run.T:g} (replicate {run.replicate}) has {write_values(run)}"
    if run.best_temperature != run.best_temperature_without:
        return f"{start}; without it the best T would be {run.best_temperature_without:g}."
    joined = [T for T in run.tied_without if T not in run.tied]
    parted = [T for T in run.tied if T not in run.tied_without]
    changes = [f"{_name(joined)} would be statistically tied with the best, too"] if joined else []
    if parted:
        tied = "" if joined else " statistically tied with the best"
        changes.append(f"{_name(parted)} would not be{tied}")
    return f"{start}; without it {', and '.join(changes)}."


def write_values(run: BrokenRun, noun: str = "", percent: str = "") -> str:
    """Write the value of a run and what was expected, as in "9,000 errors, where the other runs suggest about 179".

    ``noun`` stands behind the value, and ``percent``, the sign of rates, behind both.
    """
    value, typical_value = _write_value(run.value), _write_value(run.typical_value)
    return f"{value}{percent}{noun}, where the other runs suggest about {typical_value}{percent}"


def _write_value(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _name(temperatures: list[float]) -> str:
    return f"T = {join_names([f'{T:g}' for T in temperatures], max_names=MAX_TEMPERATURES)}"


def _leave_out(cell: Cell, measure: str, replicate: int, index: int) -> Cell | None:
    """Return a cell without one of its runs; None if its replicates and temperatures are then no longer connected."""
    measures = {name: values.copy() for name, values in cell.student_measures.items()}
    for values in measures.values():
        values[replicate, index] = np.nan
    y = measures[measure]
    replicates, temperatures = select_connected(~np.isnan(y))
    if len(replicates) < len(y) or len(temperatures) < y.shape[1]:
        return None
    return replace(cell, student_measures=measures)


def _is_significant(residual: float, noise: CellNoise, rest: Cell, measure: str, index: int) -> bool:
    """Return whether a run differs from what is expected, in a two-sided t-test with Bonferroni's correction."""
    y = rest.student_measures[measure]
    n_replicates, n_temperatures = y.shape
    n_others = int((~np.isnan(y[:, index])).sum())
    variance = noise.of_runs.covariance[index, index] * n_temperatures / (n_temperatures - 1) * (1 + 1 / n_others)
    if variance == 0:
        return residual != 0
    statistic = abs(residual) / math.sqrt(variance)
    p_value = 2 * float(special.stdtr(noise.of_runs.dof[index], -statistic))
    return bool(p_value * n_replicates * n_temperatures <= SIGNIFICANCE)
