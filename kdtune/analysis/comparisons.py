"""Compare all temperatures of a cell with the chosen one and with the baseline, for figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from kdtune.analysis.cell import Cell
from kdtune.analysis.cell_noise import CellNoise
from kdtune.analysis.cell_statistics import compute_bands
from kdtune.analysis.fixed_temperature import compute_relative_regret
from kdtune.analysis.result_columns import to_columns
from kdtune.analysis.sampling_errors import BASELINE_KIND, estimate_sampling_errors
from kdtune.analysis.selection_measure import find_test_measure
from kdtune.columns import ACCURACY, NUM_ERROR
from kdtune.statistics.intervals import Interval, mean_over_replicates, t_interval, welch_interval
from kdtune.statistics.multiple_comparisons import Comparison
from kdtune.statistics.one_way_layout import Integers, compute_column_means, count_values
from kdtune.statistics.standard_errors import Array


@dataclass(frozen=True)
class MeasureCurve:
    """One measure on the test split at each temperature of a cell, (k,) each."""

    measure: str  # its column in the table
    mean: Array
    lowest: Array  # the lowest replicate, or run
    highest: Array  # the highest replicate, or run
    baseline: Array  # mean of the baselines, the same at all temperatures
    teacher: Array  # mean of the teachers, the same at all temperatures

    def name_columns(self) -> dict[str, Array]:
        """Return the columns of ``curves`` that hold the measure."""
        return {
            self.measure: self.mean,
            f"{self.measure}_low": self.lowest,
            f"{self.measure}_high": self.highest,
            f"baseline_{self.measure}": self.baseline,
            f"teacher_{self.measure}": self.teacher,
        }


@dataclass(frozen=True)
class DifferenceCurves:
    """Differences on the test split, (k,) each, in errors or in what T was chosen by: columns of ``curves``.

    Of unpaired runs they are differences of means, and the interval of the gain is Welch's.
    """

    regret: Array  # errors above those at the chosen temperature, in pairs of one replicate
    gain: Array  # errors of the baseline above the student's, in pairs of one replicate
    gain_low: Array  # the 95 % interval of the gain
    gain_high: Array
    relative_regret: Array  # regret as a share, cross-fitted where that can be: from ``compute_relative_regret``


@dataclass(frozen=True)
class TemperatureCurves:
    """The results of each temperature of a cell, (k,) each: rows of ``curves``, beside the columns that name the cell.

    ``band`` is half the width of a 95 % within-replicate confidence interval of a mean (Loftus and Masson 1994,
    Psychonomic Bulletin & Review 1), from the noise of its own temperature, after the effect of each replicate on all
    of them is subtracted (``compute_bands``). Of unpaired runs it is that of an ordinary interval, whose noise
    variance is pooled over the temperatures.
    """

    T: Array
    errors: Array  # mean on the split that T is chosen on
    excess: Array  # those errors above the lowest mean
    band: Array
    tied: npt.NDArray[np.bool_]  # whether T is statistically tied with the best
    good_enough: npt.NDArray[np.bool_]  # whether T is, with 95 % confidence, within the margin of the best
    replicates: Integers  # of unpaired runs: the number at this temperature
    measures: tuple[MeasureCurve, ...]  # on the test split: errors, accuracy and what T was chosen by, if it has them
    differences: DifferenceCurves | None  # None if the table lacks, on the test split, what T was chosen by

    def name_columns(self) -> dict[str, npt.NDArray[Any]]:
        """Return the columns of ``curves`` by name."""
        columns: dict[str, npt.NDArray[Any]] = {
            "T": self.T,
            "errors": self.errors,
            "excess": self.excess,
            "band": self.band,
            "tied": self.tied,
            "good_enough": self.good_enough,
            "replicates": self.replicates,
        }
        for measure in self.measures:
            columns |= measure.name_columns()
        return columns if self.differences is None else columns | to_columns(self.differences)


def compare_temperatures(
    cell: Cell,
    best_index: int,
    measure: str,
    comparison: Comparison,
    good_enough: Sequence[float],
    noise: CellNoise | None,
) -> TemperatureCurves:
    """Compare the temperatures of a cell.

    Parameters
    ----------
    cell : The cell.
    best_index : The index of the chosen temperature.
    measure : The measure that T is chosen by.
    comparison : The comparison of all temperatures with the best one, in that measure.
    good_enough : The temperatures that are within the margin of the best.
    noise : The noise of the cell, from ``estimate_cell_noises``.
    """
    T, mean = cell.temperatures, cell.compute_means(measure)
    test_measure = find_test_measure(measure)
    shown_measures = [NUM_ERROR, ACCURACY, *({test_measure} - {NUM_ERROR})]
    return TemperatureCurves(
        T=T,
        errors=mean,
        excess=mean - mean.min(),
        band=compute_bands(cell, measure, noise),
        tied=comparison.is_tied,
        good_enough=np.isin(T, good_enough),
        replicates=count_values(cell.student_measures[measure]),
        measures=tuple(_summarize(cell, name) for name in shown_measures if name in cell.student_measures),
        differences=_compare_on_test(cell, best_index, measure, test_measure),
    )


def _compare_on_test(cell: Cell, best_index: int, measure: str, test_measure: str) -> DifferenceCurves | None:
    """Compare a measure on the test split of each T with the chosen one's and the baseline's; None without it."""
    if test_measure not in cell.student_measures:
        return None
    relative_regret = compute_relative_regret(cell, best_index, measure, test_measure)
    test, baseline = cell.fill_holes(test_measure), cell.baseline_measures[test_measure]
    if cell.is_paired:
        observed = cell.student_measures[test_measure]  # What is filled in for a missing run has no noise.
        gains = baseline[:, None] - observed
        names = [f"{T:.17g}" for T in cell.temperatures]
        sampling = estimate_sampling_errors(cell, test_measure, {name: i for i, name in enumerate(names)})
        overlap = 0.0 if cell.finite_set is None else cell.finite_set.overlap
        variances = np.array([sampling.of_difference(name, BASELINE_KIND) for name in names])
        mean_gains, (gain_low, gain_high) = _average_each(gains, bool(np.isnan(observed).any()), overlap, variances)
        return DifferenceCurves(
            regret=mean_over_replicates(test - test[:, [best_index]]),
            gain=mean_gains,
            gain_low=gain_low,
            gain_high=gain_high,
            relative_regret=relative_regret,
        )
    means = compute_column_means(test)
    gain_low, gain_high = welch_interval(baseline[:, None], test)
    return DifferenceCurves(
        regret=means - means[best_index],
        gain=mean_over_replicates(baseline) - means,
        gain_low=gain_low,
        gain_high=gain_high,
        relative_regret=relative_regret,
    )


def _average_each(gains: Array, has_holes: bool, overlap: float, variances: Array) -> tuple[Array, Interval]:
    """Return the mean (k,) of gains (R, k) with its intervals; where runs are missing each T has its own replicates."""
    if not has_holes:
        return mean_over_replicates(gains), t_interval(gains, overlap=overlap, sampling_variance=variances)
    each = [
        t_interval(column, overlap=overlap, sampling_variance=variance)
        for column, variance in zip(gains.T, variances, strict=True)
    ]
    lows, highs = np.array(each, np.float64).T
    return np.array([mean_over_replicates(column) for column in gains.T], np.float64), Interval(lows, highs)


def join_cell_curves(cells: Sequence[Cell], curves: Sequence[TemperatureCurves]) -> pd.DataFrame:
    """Make a frame with one row per cell and temperature."""
    settings = pd.DataFrame([cell.settings for cell in cells], index=range(len(cells)))
    cell_of_row = np.repeat(np.arange(len(cells)), [len(curve.T) for curve in curves])
    frame = settings.loc[cell_of_row].reset_index(drop=True)
    columns_of_cells = [curve.name_columns() for curve in curves]
    columns: dict[str, Any] = {}
    for name in columns_of_cells[0]:
        columns[name] = np.concatenate([cell_columns[name] for cell_columns in columns_of_cells])
    return frame.assign(**columns)


def _summarize(cell: Cell, measure: str) -> MeasureCurve:
    """Summarize a measure over the replicates, or over all runs if unpaired."""
    values, count = cell.student_measures[measure], len(cell.temperatures)
    return MeasureCurve(
        measure=measure,
        mean=cell.compute_means(measure),
        lowest=np.fmin.reduce(values),  # NaN only where all values are
        highest=np.fmax.reduce(values),
        baseline=np.full(count, mean_over_replicates(cell.baseline_measures[measure])),
        teacher=np.full(count, mean_over_replicates(cell.teacher_measures[measure])),
    )
