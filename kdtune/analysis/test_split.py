"""Evaluate on the test split a temperature that was chosen on the validation split."""

# ruff: noqa: N815 (fields are named as the columns of the table, as in minus_T1)

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from kdtune.analysis.cell_arrays import Cell
from kdtune.analysis.cell_statistics import (
    estimate_difference,
    estimate_difference_to_teacher,
    estimate_gap_closed,
    estimate_mean,
)
from kdtune.columns import ECE, NLL, NUM_ERROR
from kdtune.statistics.intervals import mean_over_replicates
from kdtune.statistics.standard_errors import Array


@dataclass(frozen=True)
class ChoiceResult:
    """The results of the chosen temperature on the test split: a row of ``test``, beside the cell's columns and T.

    All but ``nll`` and ``ece`` are mean errors or differences of them; a row of ``selected_test`` has them in the units
    of the measure that T was chosen by. Differences are taken within replicates, which
    share data, teacher and initial weights; of unpaired runs they are differences of means, with Welch's intervals.
    ``_low`` and ``_high`` are the ends of 95 % intervals. A value that the table lacks is NaN, as is what is
    cross-fitted of unpaired runs, and a measure that it lacks is None.
    """

    student: float
    student_low: float
    student_high: float
    baseline: float
    teacher: float
    at_T1: float  # the student at T = 1
    minus_baseline: float  # student minus baseline
    minus_baseline_low: float
    minus_baseline_high: float
    minus_teacher: float
    minus_teacher_low: float
    minus_teacher_high: float
    minus_T1: float  # NaN where T = 1 is the chosen one
    minus_T1_low: float
    minus_T1_high: float
    cross_fitted_minus_T1: float
    cross_fitted_minus_T1_low: float
    cross_fitted_minus_T1_high: float
    gap_closed: float  # the share of the gap from baseline to teacher that distillation closes
    gap_low: float
    gap_high: float
    cross_fitted: float  # each replicate at the T that is best on all others
    chosen_on_test: float  # what choosing T on the test split would have claimed
    nll: float | None = None
    baseline_nll: float | None = None
    teacher_nll: float | None = None
    ece: float | None = None
    baseline_ece: float | None = None
    teacher_ece: float | None = None


def evaluate_choice(cell: Cell, best_index: int, measure: str, test_measure: str = NUM_ERROR) -> ChoiceResult | None:
    """Evaluate the chosen temperature of a cell on the test split.

    Parameters
    ----------
    cell : The cell.
    best_index : The index of the chosen temperature.
    measure : The measure that T was chosen by.
    test_measure : The measure on the test split to report, errors or another; the result is then in its units.

    Returns
    -------
    The result, or None if the table does not have that measure on the test split.
    """
    if test_measure not in cell.student_measures:
        return None
    test, baseline, teacher = (
        cell.student_measures[test_measure],
        cell.baseline_measures[test_measure],
        cell.teacher_measures[test_measure],
    )
    student, at_T1 = test[:, best_index], _select_errors_at_one(cell, test)
    cross_fitted = np.full(len(test), np.nan)  # Unpaired runs are in no replicate whose others could choose T.
    if cell.is_paired:
        cross_fitted = select_by_other_replicates(cell.student_measures[measure], test)
    errors = estimate_mean(student)
    minus_baseline = estimate_difference(cell, student, baseline)
    minus_teacher = estimate_difference_to_teacher(cell, student, teacher)
    is_T1 = cell.temperatures[best_index] == 1
    minus_T1 = estimate_difference(cell, student, np.full(len(student), np.nan) if is_T1 else at_T1)
    cross_fitted_minus_T1 = estimate_mean(cross_fitted - at_T1)
    gap = estimate_gap_closed(cell, student, baseline, teacher)
    at_best = {name: values[:, best_index] for name, values in cell.student_measures.items()}
    return ChoiceResult(
        student=errors.mean,
        student_low=errors.low,
        student_high=errors.high,
        baseline=mean_over_replicates(baseline),
        teacher=mean_over_replicates(teacher),
        at_T1=mean_over_replicates(at_T1),
        minus_baseline=minus_baseline.mean,
        minus_baseline_low=minus_baseline.low,
        minus_baseline_high=minus_baseline.high,
        minus_teacher=minus_teacher.mean,
        minus_teacher_low=minus_teacher.low,
        minus_teacher_high=minus_teacher.high,
        minus_T1=minus_T1.mean,
        minus_T1_low=minus_T1.low,
        minus_T1_high=minus_T1.high,
        cross_fitted_minus_T1=cross_fitted_minus_T1.mean,
        cross_fitted_minus_T1_low=cross_fitted_minus_T1.low,
        cross_fitted_minus_T1_high=cross_fitted_minus_T1.high,
        gap_closed=gap.ratio,
        gap_low=gap.low,
        gap_high=gap.high,
        cross_fitted=mean_over_replicates(cross_fitted),
        chosen_on_test=_find_lowest(cell.compute_means(test_measure)),
        nll=_mean_of_measure(at_best, NLL),
        baseline_nll=_mean_of_measure(cell.baseline_measures, NLL),
        teacher_nll=_mean_of_measure(cell.teacher_measures, NLL),
        ece=_mean_of_measure(at_best, ECE),
        baseline_ece=_mean_of_measure(cell.baseline_measures, ECE),
        teacher_ece=_mean_of_measure(cell.teacher_measures, ECE),
    )


def select_by_other_replicates(selection_errors: Array, test_errors: Array) -> Array:
    """Return each replicate's test errors at the T that has the lowest mean over all other replicates.

    Parameters
    ----------
    selection_errors : (R, k): The errors of R replicates at k temperatures on the split that T is chosen on. None may
        be NaN, as in a ``Cell``.
    test_errors : (R, k): The errors on the test split.

    Returns
    -------
    (R,): The selected test errors. They are NaN with one replicate.
    """
    n_replicates = len(selection_errors)
    if n_replicates < 2:
        return np.full(n_replicates, np.nan)
    means_of_others = (selection_errors.sum(axis=0) - selection_errors) / (n_replicates - 1)
    selected_errors: Array = test_errors[np.arange(n_replicates), means_of_others.argmin(axis=1)]
    return selected_errors


def _select_errors_at_one(cell: Cell, test: Array) -> Array:
    """Return the test errors (R, k) at T = 1, (R,); NaN if the cell has no such temperature."""
    indices = np.flatnonzero(cell.temperatures == 1)
    return test[:, indices[0]] if len(indices) else np.full(len(test), np.nan)


def _find_lowest(means: Array) -> float:
    """Return the lowest of means (k,) that is not NaN; NaN if all are."""
    return np.nan if np.isnan(means).all() else float(np.nanmin(means))


def _mean_of_measure(values: Mapping[str, Array], measure: str) -> float | None:
    if measure not in values:
        return None
    mean: float = mean_over_replicates(values[measure])
    return mean
