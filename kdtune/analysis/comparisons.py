"""Compare all temperatures of a cell with the chosen one and with the baseline, for figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from kdtune.analysis.cell_arrays import Cell
from kdtune.analysis.cell_statistics import compute_bands
from kdtune.analysis.result_columns import to_columns
from kdtune.analysis.selection_measure import find_test_measure
from kdtune.columns import ACCURACY, BALANCED_ERROR, NLL, NUM_ERROR
from kdtune.statistics.intervals import mean_over_replicates, t_interval, welch_interval
from kdtune.statistics.multiple_comparisons import Comparison
from kdtune.statistics.one_way_layout import Integers, compute_column_means, count_values
from kdtune.statistics.standard_errors import Array


@dataclass(frozen=True)
class TemperatureCurves:
    """The results of each temperature of a cell, (k,) each: rows of ``curves``, beside the columns that name the cell.

    A field is None if the table lacks its measure. ``band`` is half the width of a 95 % within-replicate confidence
    interval of a mean (Loftus and Masson 1994, Psychonomic Bulletin & Review 1). Its noise variance is estimated from
    all temperatures, after the effect of each replicate on all of them is subtracted. Of unpaired runs it is that of
    an ordinary confidence interval, whose noise variance is pooled over the temperatures; ``regret`` and ``gain`` are
    then differences of means, and the interval of the gain is Welch's.
    """

    T: Array
    errors: Array  # mean on the split that T is chosen on
    excess: Array  # those errors above the lowest mean
    band: Array
    tied: npt.NDArray[np.bool_]  # whether T is statistically tied with the best
    good_enough: npt.NDArray[np.bool_]  # whether T is, with 95 % confidence, within the margin of the best
    replicates: Integers  # of unpaired runs: the number at this temperature
    num_error: Array | None = None  # mean on the test split, as all that follows
    num_error_low: Array | None = None  # the lowest replicate, or run
    num_error_high: Array | None = None  # the highest replicate, or run
    baseline_num_error: Array | None = None  # mean of the baselines
    teacher_num_error: Array | None = None  # mean of the teachers
    accuracy: Array | None = None
    accuracy_low: Array | None = None
    accuracy_high: Array | None = None
    baseline_accuracy: Array | None = None
    teacher_accuracy: Array | None = None
    nll: Array | None = None  # as for ``num_error``, if T was chosen by it
    nll_low: Array | None = None
    nll_high: Array | None = None
    baseline_nll: Array | None = None
    teacher_nll: Array | None = None
    balanced_error: Array | None = None  # as for ``num_error``, if T was chosen by it
    balanced_error_low: Array | None = None
    balanced_error_high: Array | None = None
    baseline_balanced_error: Array | None = None
    teacher_balanced_error: Array | None = None
    # The next ones are in errors, or in the measure that T was chosen by, on the test split.
    regret: Array | None = None  # errors above those at the chosen temperature, in pairs of one replicate
    gain: Array | None = None  # errors of the baseline above the student's, in pairs of one replicate
    gain_low: Array | None = None  # the 95 % interval of the gain
    gain_high: Array | None = None


@dataclass(frozen=True)
class _Differences:
    """The differences in errors, or in another measure, on the test split, (k,) each."""

    regret: Array | None = None
    gain: Array | None = None
    gain_low: Array | None = None
    gain_high: Array | None = None


@dataclass(frozen=True)
class _TestCurves:
    """One measure on the test split, (k,) each."""

    mean: Array | None = None
    lowest: Array | None = None
    highest: Array | None = None
    baseline: Array | None = None
    teacher: Array | None = None


def compare_temperatures(
    cell: Cell, best_index: int, measure: str, comparison: Comparison, good_enough: Sequence[float]
) -> TemperatureCurves:
    """Compare the temperatures of a cell.

    Parameters
    ----------
    cell : The cell.
    best_index : The index of the chosen temperature.
    measure : The measure that T is chosen by.
    comparison : The comparison of all temperatures with the best one, in that measure.
    good_enough : The temperatures that are within the margin of the best.
    """
    T, mean = cell.temperatures, cell.compute_means(measure)
    test_measure = find_test_measure(measure)
    errors, accuracy = _summarize(cell, NUM_ERROR), _summarize(cell, ACCURACY)
    nll = _summarize(cell, NLL) if test_measure == NLL else _TestCurves()
    balanced_error = _summarize(cell, BALANCED_ERROR) if test_measure == BALANCED_ERROR else _TestCurves()
    differences = _compare_on_test(cell, best_index, test_measure)
    return TemperatureCurves(
        T=T,
        errors=mean,
        excess=mean - mean.min(),
        band=compute_bands(cell, measure),
        tied=comparison.is_tied,
        good_enough=np.isin(T, good_enough),
        replicates=count_values(cell.student_measures[measure]),
        num_error=errors.mean,
        num_error_low=errors.lowest,
        num_error_high=errors.highest,
        baseline_num_error=errors.baseline,
        teacher_num_error=errors.teacher,
        accuracy=accuracy.mean,
        accuracy_low=accuracy.lowest,
        accuracy_high=accuracy.highest,
        baseline_accuracy=accuracy.baseline,
        teacher_accuracy=accuracy.teacher,
        nll=nll.mean,
        nll_low=nll.lowest,
        nll_high=nll.highest,
        baseline_nll=nll.baseline,
        teacher_nll=nll.teacher,
        balanced_error=balanced_error.mean,
        balanced_error_low=balanced_error.lowest,
        balanced_error_high=balanced_error.highest,
        baseline_balanced_error=balanced_error.baseline,
        teacher_balanced_error=balanced_error.teacher,
        regret=differences.regret,
        gain=differences.gain,
        gain_low=differences.gain_low,
        gain_high=differences.gain_high,
    )


def _compare_on_test(cell: Cell, best_index: int, test_measure: str) -> _Differences:
    """Compare a measure on the test split of each T with the chosen one's and the baseline's; empty without it."""
    if test_measure not in cell.student_measures:
        return _Differences()
    test, baseline = cell.student_measures[test_measure], cell.baseline_measures[test_measure]
    if cell.is_paired:
        gains = baseline[:, None] - test
        gain_low, gain_high = t_interval(gains)
        return _Differences(
            regret=mean_over_replicates(test - test[:, [best_index]]),
            gain=mean_over_replicates(gains),
            gain_low=gain_low,
            gain_high=gain_high,
        )
    means = compute_column_means(test)
    gain_low, gain_high = welch_interval(baseline[:, None], test)
    return _Differences(
        regret=means - means[best_index],
        gain=mean_over_replicates(baseline) - means,
        gain_low=gain_low,
        gain_high=gain_high,
    )


def join_cell_curves(cells: Sequence[Cell], curves: Sequence[TemperatureCurves]) -> pd.DataFrame:
    """Make a frame with one row per cell and temperature."""
    settings = pd.DataFrame([cell.settings for cell in cells], index=range(len(cells)))
    cell_of_row = np.repeat(np.arange(len(cells)), [len(curve.T) for curve in curves])
    frame = settings.loc[cell_of_row].reset_index(drop=True)
    columns_of_cells = [to_columns(curve) for curve in curves]
    columns: dict[str, Any] = {}
    for name in columns_of_cells[0]:
        columns[name] = np.concatenate([cell_columns[name] for cell_columns in columns_of_cells])
    return frame.assign(**columns)


def _summarize(cell: Cell, measure: str) -> _TestCurves:
    """Summarize a measure over the replicates that have it at all temperatures, or over all runs if unpaired.

    The summary is empty if the table lacks the measure.
    """
    if measure not in cell.student_measures:
        return _TestCurves()
    values = cell.student_measures[measure]
    count = values.shape[1]
    if cell.is_paired:
        values = values[~np.isnan(values).any(axis=1)]
    if len(values) == 0:
        values = np.full((1, count), np.nan)
    return _TestCurves(
        mean=values.mean(axis=0) if cell.is_paired else compute_column_means(values),
        lowest=np.fmin.reduce(values),  # NaN only where all values are
        highest=np.fmax.reduce(values),
        baseline=np.full(count, mean_over_replicates(cell.baseline_measures[measure])),
        teacher=np.full(count, mean_over_replicates(cell.teacher_measures[measure])),
    )
