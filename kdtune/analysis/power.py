"""Count the replicates that are needed to detect differences, from the noise in a table."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from kdtune.analysis.cell_arrays import Cell
from kdtune.analysis.cell_statistics import estimate_variance, has_comparison, has_copies
from kdtune.columns import SCORE
from kdtune.errors import RequestError
from kdtune.statistics.sample_size import replicates_to_bound, replicates_to_detect
from kdtune.statistics.standard_errors import Array

COPIES = "the replicates of every setting are copies of each other, so the noise cannot be estimated"


@dataclass(frozen=True)
class ReplicateCounts:
    """The numbers of replicates that a difference of mean errors requires; None if they exceed ``MAX_REPLICATES``.

    Of unpaired runs it is the number at each of the two temperatures.
    """

    difference: float  # as a share of a cell's lowest mean errors; NaN for a measure that has no errors
    errors: float  # in errors, for the median cell
    to_tell: int | None  # to detect the difference with probability 0.8 in the median cell
    to_tell_most: int | None  # to detect it with probability 0.8 in nine of ten cells
    to_bound: int | None  # for an interval that is as wide as the difference in the median cell
    to_bound_most: int | None  # for an interval that is as wide in nine of ten cells


def count_replicates(
    cells: Sequence[Cell],
    measure: str,
    shares: Sequence[float],
    errors: Sequence[float] = (),
    is_sweep: bool = False,
) -> pd.DataFrame:
    """Count the replicates that are needed to detect differences and to bound them.

    Parameters
    ----------
    cells : The cells. Those with one replicate, or one run of each T, or one temperature are left out.
    measure : The measure that T is chosen by.
    shares : The differences that are given as shares of a cell's lowest mean errors.
    errors : The differences that are given in errors.
    is_sweep : Whether a sweep file says what is trained, so that a message may name its lines.

    Returns
    -------
    Frame with one row per difference and the columns of ``ReplicateCounts``.

    Raises
    ------
    RequestError
        If no cell has two replicates and two temperatures.
    """
    usable_cells = select_noisy_cells(cells, measure)
    if not usable_cells:
        raise RequestError(_describe_missing_noise(cells, measure, is_sweep))
    deviations = estimate_noise(usable_cells, measure)
    if not deviations.any():
        raise RequestError(COPIES)
    lowest_errors = np.array([cell.compute_means(measure).min() for cell in usable_cells])
    dof_per_replicate = 1 if usable_cells[0].is_paired else 2
    median_errors = float(np.median(lowest_errors))
    relative_deviations = deviations / np.maximum(lowest_errors, 1e-12)
    counts = []
    for share in sorted(shares):
        counts.append(_count(share, share * median_errors, share, relative_deviations, dof_per_replicate))
    for difference in sorted(errors):
        share = math.nan if measure == SCORE else difference / median_errors if median_errors else math.inf
        counts.append(_count(share, difference, difference, deviations, dof_per_replicate))
    return pd.DataFrame(counts)


def select_noisy_cells(cells: Sequence[Cell], measure: str) -> list[Cell]:
    """Return the cells whose runs show the noise of a difference of two temperatures."""
    return [cell for cell in cells if has_comparison(cell, measure)]


def count_noise_dof(cells: Sequence[Cell], measure: str) -> int:
    """Count the degrees of freedom of the noise of some cells together: with few of them it is hardly known."""
    dof = 0
    for cell in cells:
        if cell.is_paired:
            n_replicates, n_temperatures = cell.student_measures[measure].shape
            dof += (n_replicates - 1) * (n_temperatures - 1)
        else:
            dof += cell.describe_layout(measure).dof
    return dof


def _describe_missing_noise(cells: Sequence[Cell], measure: str, is_sweep: bool) -> str:
    """Say what no cell has enough of to estimate the noise, and how to get it."""
    if any(has_copies(cell, measure) for cell in cells):
        return COPIES
    if cells and not cells[0].is_paired:
        problem = "To estimate the noise, some setting must have two temperatures, one of them with two runs."
        more_runs = "Add more runs of each temperature to the table."
    else:
        problem = "To estimate the noise, some setting must have at least two replicates of two temperatures."
        more_runs = "Add runs with another seed to the table, at the same temperatures."
    has_temperatures = any(cell.student_measures[measure].shape[1] > 1 for cell in cells)
    has_replicates = any(cell.student_measures[measure].shape[0] > 1 for cell in cells)
    remedies = []
    if not has_replicates or has_temperatures:
        remedies.append("Train more replicates: `replicates: 3` in the sweep file." if is_sweep else more_runs)
    if not has_temperatures:
        more_temperatures = "Train more temperatures: `distill: {T: {grid_search: [1, 2, 4]}}` in the sweep file."
        remedies.append(more_temperatures if is_sweep else "Add runs at a second temperature to the table.")
    return " ".join([problem, *remedies])


def estimate_noise(cells: Sequence[Cell], measure: str) -> Array:
    """Estimate for each cell the standard deviation of the difference of two temperatures.

    The difference is that within one replicate, or that of two unpaired runs.
    """
    return np.array([math.sqrt(2 * estimate_variance(cell, measure)) for cell in cells])


def _count(
    share: float, errors: float, difference: float, deviations: Array, dof_per_replicate: int
) -> ReplicateCounts:
    """Count the replicates for a difference that has the units of the deviations (cells,)."""
    median, ninth_decile = np.quantile(deviations, [0.5, 0.9])
    return ReplicateCounts(
        difference=share,
        errors=errors,
        to_tell=replicates_to_detect(difference, median, dof_per_replicate=dof_per_replicate),
        to_tell_most=replicates_to_detect(difference, ninth_decile, dof_per_replicate=dof_per_replicate),
        to_bound=replicates_to_bound(difference, median, dof_per_replicate=dof_per_replicate),
        to_bound_most=replicates_to_bound(difference, ninth_decile, dof_per_replicate=dof_per_replicate),
    )
