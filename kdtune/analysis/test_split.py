"""Evaluate on the test split a temperature that was chosen on the validation split."""

# ruff: noqa: N815 (fields are named as the columns of the table, as in minus_T1)

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from kdtune.analysis.cell import Cell
from kdtune.analysis.cell_statistics import (
    estimate_difference,
    estimate_difference_to_teacher,
    estimate_gap_closed,
    estimate_mean,
)
from kdtune.analysis.cross_fitted_choice import (
    CROSS_FITTED_KIND,
    T1_KIND,
    CrossFittedResult,
    cross_fit,
    evaluate_cross_fitted_choice,
)
from kdtune.analysis.sampling_errors import BASELINE_KIND, TEACHER_KIND, estimate_sampling_errors
from kdtune.columns import ECE, NLL, NUM_ERROR
from kdtune.statistics.intervals import mean_over_replicates
from kdtune.statistics.standard_errors import Array

STUDENT_KIND = "student"  # what the sampling errors call a cell's students at the chosen T


@dataclass(frozen=True)
class ChoiceResult:
    """The results of the chosen temperature on the test split: a row of ``test``, beside the cell's columns and T.

    All but ``nll`` and ``ece`` are mean errors or differences of them; a row of ``selected_test`` has them in the units
    of the measure that T was chosen by. Differences are taken within replicates, which
    share data, teacher and initial weights; of unpaired runs they are differences of means, with Welch's intervals.
    ``_low`` and ``_high`` are the ends of 95 % intervals. A value that the table lacks is NaN, and a measure that it
    lacks is None. The networks are those that T was chosen by, so all this is a little too good where luck is the same
    on both splits; what is cross-fitted is not.
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
    gap_closed: float  # the share of the gap from baseline to teacher that distillation closes
    gap_low: float
    gap_high: float
    cross_fitting: CrossFittedResult  # its fields are columns of ``test``, too
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
    T1_indices = np.flatnonzero(cell.temperatures == 1)
    student = test[:, best_index]
    at_T1 = test[:, T1_indices[0]] if len(T1_indices) else np.full(len(test), np.nan)
    cross_fitted = cross_fit(cell, measure, test_measure)
    indices: dict[str, int | npt.NDArray[np.int_]] = {STUDENT_KIND: best_index}
    if len(T1_indices):
        indices[T1_KIND] = int(T1_indices[0])
    if cross_fitted.indices is not None:
        indices[CROSS_FITTED_KIND] = cross_fitted.indices
    sampling = estimate_sampling_errors(cell, test_measure, indices)
    errors = estimate_mean(student, cell, sampling.of_mean(STUDENT_KIND))
    minus_baseline = estimate_difference(cell, student, baseline, sampling.of_difference(STUDENT_KIND, BASELINE_KIND))
    minus_teacher = estimate_difference_to_teacher(
        cell, student, teacher, sampling.of_difference(STUDENT_KIND, TEACHER_KIND)
    )
    is_T1 = cell.temperatures[best_index] == 1
    minus_T1 = estimate_difference(
        cell,
        student,
        np.full(len(student), np.nan) if is_T1 else at_T1,
        sampling.of_difference(STUDENT_KIND, T1_KIND),
    )
    gap = estimate_gap_closed(cell, student, baseline, teacher, sampling.of_gap(STUDENT_KIND))
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
        gap_closed=gap.ratio,
        gap_low=gap.low,
        gap_high=gap.high,
        cross_fitting=evaluate_cross_fitted_choice(cell, cross_fitted, student, at_T1, test_measure, sampling),
        chosen_on_test=_find_lowest(cell.compute_means(test_measure)),
        nll=_mean_of_measure(at_best, NLL),
        baseline_nll=_mean_of_measure(cell.baseline_measures, NLL),
        teacher_nll=_mean_of_measure(cell.teacher_measures, NLL),
        ece=_mean_of_measure(at_best, ECE),
        baseline_ece=_mean_of_measure(cell.baseline_measures, ECE),
        teacher_ece=_mean_of_measure(cell.teacher_measures, ECE),
    )


def _find_lowest(means: Array) -> float:
    """Return the lowest of means (k,) that is not NaN; NaN if all are."""
    return np.nan if np.isnan(means).all() else float(np.nanmin(means))


def _mean_of_measure(values: Mapping[str, Array], measure: str) -> float | None:
    if measure not in values:
        return None
    mean: float = mean_over_replicates(values[measure])
    return mean
