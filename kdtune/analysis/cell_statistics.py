"""Apply to a cell the statistics that its runs allow: of paired replicates, or of unpaired runs.

Paired replicates are a two-way layout: differences are taken within replicates, so what is common to a replicate
cancels. Unpaired runs are a one-way layout: a difference has the noise of both runs, which makes every interval wider.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from kdtune.analysis.cell import Cell
from kdtune.analysis.cell_noise import CellNoise
from kdtune.statistics.additive_fit import fit_additive
from kdtune.statistics.intervals import (
    NO_COVARIANCE,
    Ratio,
    estimate_ratio,
    estimate_share_of_gap,
    mean_over_replicates,
    t_interval,
    welch_interval,
)
from kdtune.statistics.multiple_comparisons import (
    Comparison,
    compare_by_margins,
    compare_means_with_best,
    compare_with_best,
)
from kdtune.statistics.one_way_layout import compute_margins_of_means
from kdtune.statistics.standard_errors import CONFIDENCE_LEVEL, Array, critical_t_values, residual_variance


class Estimate(NamedTuple):
    """A mean, or a difference of means, with the ends of its 95 % interval."""

    mean: float
    low: float
    high: float


def compare_temperatures_with_best(cell: Cell, measure: str, noise: CellNoise | None) -> Comparison:
    """Compare the mean of each temperature with the best of the others.

    Parameters
    ----------
    cell : The cell.
    measure : The measure that T is chosen by.
    noise : The noise of the cell, from ``estimate_cell_noises``; None if it shows none, or runs are unpaired.
    """
    if not cell.is_paired:
        return compare_means_with_best(cell.describe_layout(measure))
    if noise is None:
        return compare_with_best(cell.student_measures[measure])
    return compare_by_margins(cell.compute_means(measure), noise.margins)


def has_comparison(cell: Cell, measure: str) -> bool:
    """Return whether temperatures can be compared: there are two or more, with runs that show the noise."""
    if cell.is_paired:
        y = cell.student_measures[measure]
        return bool(min(y.shape) > 1) and fit_additive(y).shows_noise
    return len(cell.temperatures) > 1 and cell.describe_layout(measure).dof > 0


def has_copies(cell: Cell, measure: str) -> bool:
    """Return whether there are several replicates, or runs of a T, but all are copies of each other without noise."""
    y = cell.fill_holes(measure)
    if cell.is_paired:
        # Where T changes nothing, as the errors on a few examples, replicates at levels of their own are no copies.
        is_flat = bool((y == y[:, :1]).all() and (y[:, 0] != y[0, 0]).any())
        return has_comparison(cell, measure) and residual_variance(y) == 0 and not is_flat
    return min(y.shape) > 1 and cell.describe_layout(measure).variance == 0


def compute_bands(cell: Cell, measure: str, noise: CellNoise | None) -> Array:
    """Compute half the width (k,) of a 95 % interval of each mean; NaN where the runs show no noise.

    Of paired replicates it is the within-replicate interval of each T: the noise of its mean about that of all T, with
    the factor that makes it the noise of one mean where all have the same (Morey 2008, Tutorials in Quantitative
    Methods for Psychology 4).
    """
    if not cell.is_paired:
        return compute_margins_of_means(cell.describe_layout(measure))
    n_temperatures = len(cell.temperatures)
    if noise is None:
        return np.full(n_temperatures, 0.0 if has_comparison(cell, measure) else math.nan)
    centring = np.eye(n_temperatures) - 1 / n_temperatures
    variances = np.diagonal(centring @ noise.mean_covariance @ centring) * n_temperatures / (n_temperatures - 1)
    return critical_t_values(CONFIDENCE_LEVEL, noise.of_runs.dof) * np.sqrt(variances)


def estimate_mean(values: Array, cell: Cell | None = None, sampling_variance: float = 0.0) -> Estimate:
    """Return the mean of values (R,) with its 95 % interval; a NaN is left out.

    Parameters
    ----------
    values : (R,): The values.
    cell : The cell that they come from, if they are values of its replicates: its data may be finite.
    sampling_variance : The variance of the mean from the sampling of test examples that all replicates share.
    """
    low, high = t_interval(values, overlap=_get_overlap(cell), sampling_variance=sampling_variance)
    return Estimate(mean_over_replicates(values), float(low), float(high))


def estimate_difference(cell: Cell, minuend: Array, subtrahend: Array, sampling_variance: float = 0.0) -> Estimate:
    """Return the mean of a difference with its 95 % interval.

    Parameters
    ----------
    cell : The cell that the values come from.
    minuend : (R,): The values of R replicates, or (n,) of n unpaired runs.
    subtrahend : (R,): The values of the same replicates, or (m,) of m unpaired runs.
    sampling_variance : As in ``estimate_mean``; unpaired runs go without.
    """
    if cell.is_paired:
        return estimate_mean(minuend - subtrahend, cell, sampling_variance)
    if np.isnan(subtrahend).all():
        return Estimate(math.nan, math.nan, math.nan)
    low, high = welch_interval(minuend, subtrahend)
    return Estimate(mean_over_replicates(minuend) - mean_over_replicates(subtrahend), float(low), float(high))


def estimate_difference_to_teacher(
    cell: Cell, student: Array, teacher: Array, sampling_variance: float = 0.0
) -> Estimate:
    """Return the mean of student minus teacher with its 95 % interval, as ``estimate_difference`` does.

    A single teacher of unpaired runs is taken as it is: all of them learned from it, and no other was trained. The
    interval is then that of students of this teacher.
    """
    if _has_single_teacher(cell, teacher):
        return estimate_mean(student - np.nanmean(teacher))
    return estimate_difference(cell, student, teacher, sampling_variance)


def estimate_gap_closed(
    cell: Cell, student: Array, baseline: Array, teacher: Array, sampling_covariance: Array = NO_COVARIANCE
) -> Ratio:
    """Return the share of the gap from baseline to teacher that the student closes, with its 95 % interval.

    The arrays are those of ``estimate_difference``; ``sampling_covariance`` (2, 2) is that of baseline minus student
    and baseline minus teacher from the sampling of test examples that all replicates share.
    """
    if cell.is_paired:
        return estimate_ratio(
            baseline - student,
            baseline - teacher,
            overlap=_get_overlap(cell),
            sampling_covariance=sampling_covariance,
        )
    return estimate_share_of_gap(baseline, student, teacher, is_end_fixed=_has_single_teacher(cell, teacher))


def _get_overlap(cell: Cell | None) -> float:
    """Return the ratio of test to training examples where replicates are cuts of one set; otherwise 0."""
    return 0.0 if cell is None or cell.finite_set is None else cell.finite_set.overlap


def _has_single_teacher(cell: Cell, teacher: Array) -> bool:
    """Return whether unpaired runs have a single teacher with this measure (n,)."""
    return not cell.is_paired and int((~np.isnan(teacher)).sum()) == 1
