"""Count the replicates that are needed to detect differences, from the noise in a table."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from kdtune.analysis.cell import Cell
from kdtune.analysis.cell_statistics import has_comparison, has_copies
from kdtune.analysis.neighbours import NeighbourPair, list_neighbours
from kdtune.analysis.paired_runs import MIN_REPLICATES
from kdtune.columns import SCORE
from kdtune.errors import RequestError
from kdtune.statistics.additive_fit import fit_additive
from kdtune.statistics.sample_size import replicates_to_bound, replicates_to_detect

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
    """Count the replicates that are needed to tell the neighbours of the best temperature from it, and to bound them.

    A neighbour is told apart where it leaves the set of temperatures that are statistically tied with the best: the
    rule, and the noise of that pair of temperatures, are those of ``compare_temperatures_with_best``.

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
    pairs = list_neighbours(usable_cells, measure)
    if not pairs:
        raise RequestError(COPIES)
    median_errors = float(np.median([cell.compute_means(measure).min() for cell in usable_cells]))
    counts = []
    for share in sorted(shares):
        counts.append(_count(share, share * median_errors, share, [pair.make_relative() for pair in pairs]))
    for difference in sorted(errors):
        share = math.nan if measure == SCORE else difference / median_errors if median_errors else math.inf
        counts.append(_count(share, difference, difference, pairs))
    return pd.DataFrame(counts)


def select_noisy_cells(cells: Sequence[Cell], measure: str) -> list[Cell]:
    """Return the cells whose runs show the noise of a difference of two temperatures."""
    return [cell for cell in cells if has_comparison(cell, measure)]


def count_noise_dof(cells: Sequence[Cell], measure: str) -> int:
    """Count the degrees of freedom of the noise of some cells together: with few of them it is hardly known."""
    dof = 0
    for cell in cells:
        if cell.is_paired:
            fit = fit_additive(cell.student_measures[measure])
            dof += round(fit.dof * (len(cell.temperatures) - 1))
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


def _count(share: float, errors: float, difference: float, pairs: Sequence[NeighbourPair]) -> ReplicateCounts:
    """Count the replicates for a difference that has the units of the pairs' deviations."""
    ranked = sorted(pairs, key=lambda pair: pair.standard_deviation * pair.find_critical_value(MIN_REPLICATES).value)
    middle = ranked[(len(ranked) - 1) // 2], ranked[len(ranked) // 2]
    variance = (middle[0].standard_deviation ** 2 + middle[1].standard_deviation ** 2) / 2
    median = replace(middle[1], standard_deviation=math.sqrt(variance))
    ninth_decile = ranked[math.ceil(0.9 * len(ranked)) - 1]

    def detect(pair: NeighbourPair) -> int | None:
        return replicates_to_detect(
            difference, pair.standard_deviation, pair.find_critical_value, noise_dof=pair.noise_dof
        )

    def bound(pair: NeighbourPair) -> int | None:
        return replicates_to_bound(difference, pair.standard_deviation, dof_per_replicate=1 if pair.is_paired else 2)

    return ReplicateCounts(
        difference=share,
        errors=errors,
        to_tell=detect(median),
        to_tell_most=detect(ninth_decile),
        to_bound=bound(median),
        to_bound_most=bound(ninth_decile),
    )
