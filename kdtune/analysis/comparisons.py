"""Compare all temperatures of a cell with the chosen one and with the baseline, for figures."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from kdtune.analysis.cell_arrays import Cell
from kdtune.analysis.result_columns import to_columns
from kdtune.columns import ACCURACY, NUM_ERROR
from kdtune.statistics.intervals import mean_over_replicates, t_interval
from kdtune.statistics.multiple_comparisons import Comparison
from kdtune.statistics.standard_errors import CONFIDENCE_LEVEL, Array, critical_t, residual_variance


@dataclass(frozen=True)
class TemperatureCurves:
    """The results of each temperature of a cell, (k,) each: rows of ``curves``, beside the columns that name the cell.

    A field is None if the table lacks its measure. ``band`` is half the width of a 95 % within-replicate confidence
    interval of a mean (Loftus and Masson 1994, Psychonomic Bulletin & Review 1). Its noise variance is estimated from
    all temperatures, after the effect of each replicate on all of them is subtracted.
    """

    T: Array
    errors: Array  # mean on the split that T is chosen on
    excess: Array  # those errors above the lowest mean
    band: Array
    tied: npt.NDArray[np.bool_]  # whether T is statistically tied with the best
    good_enough: npt.NDArray[np.bool_]  # whether T is, with 95 % confidence, within the margin of the best
    replicates: npt.NDArray[np.int_]
    num_error: Array | None = None  # mean on the test split, as all that follows
    num_error_low: Array | None = None  # the lowest replicate
    num_error_high: Array | None = None  # the highest replicate
    baseline_num_error: Array | None = None  # mean of the baselines
    teacher_num_error: Array | None = None  # mean of the teachers
    accuracy: Array | None = None
    accuracy_low: Array | None = None
    accuracy_high: Array | None = None
    baseline_accuracy: Array | None = None
    teacher_accuracy: Array | None = None
    regret: Array | None = None  # errors above those at the chosen temperature, in pairs of one replicate
    gain: Array | None = None  # errors of the baseline above the student's, in pairs of one replicate
    gain_low: Array | None = None  # the 95 % interval of the gain
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
    y, T = cell.student_measures[measure], cell.temperatures
    mean = y.mean(axis=0)
    errors, accuracy = _summarize(cell, NUM_ERROR), _summarize(cell, ACCURACY)
    regret = gain = gain_low = gain_high = None
    if NUM_ERROR in cell.student_measures:
        test = cell.student_measures[NUM_ERROR]
        regret = mean_over_replicates(test - test[:, [best_index]])
        gains = cell.baseline_measures[NUM_ERROR][:, None] - test
        gain = mean_over_replicates(gains)
        gain_low, gain_high = t_interval(gains)
    return TemperatureCurves(
        T=T,
        errors=mean,
        excess=mean - mean.min(),
        band=np.full(len(T), _compute_band(y)),
        tied=comparison.is_tied,
        good_enough=np.isin(T, good_enough),
        replicates=np.full(len(T), len(y)),
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
        regret=regret,
        gain=gain,
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
    """Summarize a measure over the replicates that have it at all temperatures; empty if the table lacks it."""
    if measure not in cell.student_measures:
        return _TestCurves()
    values = cell.student_measures[measure]
    count = values.shape[1]
    complete_replicates = values[~np.isnan(values).any(axis=1)]
    if len(complete_replicates) == 0:
        complete_replicates = np.full((1, count), np.nan)
    return _TestCurves(
        mean=complete_replicates.mean(axis=0),
        lowest=complete_replicates.min(axis=0),
        highest=complete_replicates.max(axis=0),
        baseline=np.full(count, mean_over_replicates(cell.baseline_measures[measure])),
        teacher=np.full(count, mean_over_replicates(cell.teacher_measures[measure])),
    )


def _compute_band(y: Array) -> float:
    """Compute half the width of the interval that all means of y (R, k) share; NaN where y shows no noise."""
    n_replicates, n_temperatures = y.shape
    if n_replicates < 2 or n_temperatures < 2:
        return math.nan
    dof = (n_replicates - 1) * (n_temperatures - 1)
    return critical_t(CONFIDENCE_LEVEL, dof) * math.sqrt(residual_variance(y) / n_replicates)
