"""Evaluate the choice of a temperature with replicates that had no part in it: figures that are not too good."""

# ruff: noqa: N815 (fields are named as the columns of the table, as in minus_T1)

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from kdtune.analysis.cell import Cell
from kdtune.analysis.cell_statistics import (
    Estimate,
    estimate_difference,
    estimate_difference_to_teacher,
    estimate_gap_closed,
    estimate_mean,
)
from kdtune.analysis.sampling_errors import BASELINE_KIND, TEACHER_KIND, SamplingErrors
from kdtune.statistics.cross_fitting import choose_without_each, compute_pseudo_values
from kdtune.statistics.intervals import Ratio, mean_over_replicates
from kdtune.statistics.standard_errors import Array

# What the sampling errors call a cell's students at T = 1, and those at the T that the other replicates chose.
T1_KIND = "at T = 1"
CROSS_FITTED_KIND = "cross-fitted"


@dataclass(frozen=True)
class CrossFittedErrors:
    """The test errors of each replicate at the T that is best on all others, (R,) each.

    Both have the same mean. They are NaN where there is one replicate, or runs are unpaired: then no others choose.
    """

    indices: npt.NDArray[np.int_] | None  # of the temperatures; None where no others choose
    errors: Array
    errors_for_intervals: Array  # from ``compute_pseudo_values``


@dataclass(frozen=True)
class CrossFittedResult:
    """The results of choosing T on the other replicates: columns of ``test`` that headlines use.

    Each is what a new replicate would show at a T that was chosen on one replicate fewer than the table has. All are
    NaN where there is one replicate, or runs are unpaired. ``_low`` and ``_high`` are the ends of 95 % intervals.
    """

    cross_fitted: float  # the student
    cross_fitted_low: float
    cross_fitted_high: float
    cross_fitted_minus_baseline: float
    cross_fitted_minus_baseline_low: float
    cross_fitted_minus_baseline_high: float
    cross_fitted_minus_teacher: float
    cross_fitted_minus_teacher_low: float
    cross_fitted_minus_teacher_high: float
    cross_fitted_minus_T1: float  # 0 in the replicates for which the others choose T = 1
    cross_fitted_minus_T1_low: float
    cross_fitted_minus_T1_high: float
    cross_fitted_gap_closed: float
    cross_fitted_gap_low: float
    cross_fitted_gap_high: float
    optimism: float  # how much lower the student's errors at the chosen T are, as a share of the cross-fitted ones


def cross_fit(cell: Cell, measure: str, test_measure: str) -> CrossFittedErrors:
    """Choose T for each replicate on all others, and return the replicate's test errors there.

    Parameters
    ----------
    cell : The cell.
    measure : The measure that T is chosen by.
    test_measure : The measure on the test split; the cell must have it.
    """
    test = cell.student_measures[test_measure]
    if not cell.is_paired or len(test) < 2:
        unknown = np.full(len(test), math.nan)
        return CrossFittedErrors(None, unknown, unknown)
    selection = cell.fill_holes(measure)
    (indices,) = choose_without_each([selection])
    errors = test[np.arange(len(test)), indices]
    (pseudo_values,) = compute_pseudo_values([selection], [cell.fill_holes(test_measure)], 0)
    is_known = ~np.isnan(errors)
    if is_known.any() and not is_known.all():  # Errors that were filled in are no evidence.
        pseudo_values = pseudo_values + errors[is_known].mean() - pseudo_values[is_known].mean()
    return CrossFittedErrors(indices, errors, np.where(is_known, pseudo_values, math.nan))


def evaluate_cross_fitted_choice(
    cell: Cell, cross_fitted: CrossFittedErrors, student: Array, at_T1: Array, measure: str, sampling: SamplingErrors
) -> CrossFittedResult:
    """Evaluate the choice of T on the test split with replicates that had no part in it.

    Parameters
    ----------
    cell : The cell.
    cross_fitted : The errors from ``cross_fit``.
    student : (R,): The test errors at the T that all replicates choose.
    at_T1 : (R,): The test errors at T = 1; NaN where there is no such T.
    measure : The measure on the test split that all of these are in.
    sampling : What other test examples would change, for the kinds of networks that constants of this module name.
    """
    baseline, teacher = cell.baseline_measures[measure], cell.teacher_measures[measure]
    kind = CROSS_FITTED_KIND

    def estimate(values: Array) -> tuple[list[Estimate], Ratio]:
        differences = [
            estimate_mean(values, cell, sampling.of_mean(kind)),
            estimate_difference(cell, values, baseline, sampling.of_difference(kind, BASELINE_KIND)),
            estimate_difference_to_teacher(cell, values, teacher, sampling.of_difference(kind, TEACHER_KIND)),
            estimate_difference(cell, values, at_T1, sampling.of_difference(kind, T1_KIND)),
        ]
        return differences, estimate_gap_closed(cell, values, baseline, teacher, sampling.of_gap(kind))

    # Of few replicates the jackknife may happen to vary less than the errors themselves: the wider interval holds.
    estimates, gap = estimate(cross_fitted.errors_for_intervals)
    plain_estimates, plain_gap = estimate(cross_fitted.errors)
    mean, minus_baseline, minus_teacher, minus_T1 = (
        Estimate(each.mean, float(np.fmin(each.low, plain.low)), float(np.fmax(each.high, plain.high)))
        for each, plain in zip(estimates, plain_estimates, strict=True)
    )
    gap = Ratio(gap.ratio, float(np.fmin(gap.low, plain_gap.low)), float(np.fmax(gap.high, plain_gap.high)))
    return CrossFittedResult(
        cross_fitted=mean.mean,
        cross_fitted_low=mean.low,
        cross_fitted_high=mean.high,
        cross_fitted_minus_baseline=minus_baseline.mean,
        cross_fitted_minus_baseline_low=minus_baseline.low,
        cross_fitted_minus_baseline_high=minus_baseline.high,
        cross_fitted_minus_teacher=minus_teacher.mean,
        cross_fitted_minus_teacher_low=minus_teacher.low,
        cross_fitted_minus_teacher_high=minus_teacher.high,
        cross_fitted_minus_T1=minus_T1.mean,
        cross_fitted_minus_T1_low=minus_T1.low,
        cross_fitted_minus_T1_high=minus_T1.high,
        cross_fitted_gap_closed=gap.ratio,
        cross_fitted_gap_low=gap.low,
        cross_fitted_gap_high=gap.high,
        optimism=_estimate_optimism(cross_fitted.errors, student),
    )


def _estimate_optimism(cross_fitted: Array, student: Array) -> float:
    """Return the mean of cross-fitted errors (R,) minus the student's (R,), as a share of the former."""
    mean = float(mean_over_replicates(cross_fitted))
    if not mean > 0:
        return math.nan
    return float(mean_over_replicates(cross_fitted - student)) / mean
