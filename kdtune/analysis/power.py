"""Count the replicates that are needed to detect differences, from the noise in a table."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from kdtune.analysis.cell_arrays import Cell
from kdtune.errors import RequestError
from kdtune.statistics.sample_size import replicates_to_bound, replicates_to_detect
from kdtune.statistics.standard_errors import Array, residual_variance


@dataclass(frozen=True)
class ReplicateCounts:
    """The numbers of replicates that a difference of mean errors requires; None if they exceed ``MAX_REPLICATES``."""

    difference: float  # as a share of a cell's lowest mean errors
    errors: float  # in errors, for the median cell
    to_tell: int | None  # to detect the difference with probability 0.8 in the median cell
    to_tell_most: int | None  # to detect it with probability 0.8 in nine of ten cells
    to_bound: int | None  # for an interval that is as wide as the difference in the median cell
    to_bound_most: int | None  # for an interval that is as wide in nine of ten cells


def count_replicates(
    cells: Sequence[Cell], measure: str, shares: Sequence[float], errors: Sequence[float] = ()
) -> pd.DataFrame:
    """Count the replicates that are needed to detect differences and to bound them.

    Parameters
    ----------
    cells : The cells. Those with one replicate or one temperature are left out.
    measure : The measure that T is chosen by.
    shares : The differences that are given as shares of a cell's lowest mean errors.
    errors : The differences that are given in errors.

    Returns
    -------
    Frame with one row per difference and the columns of ``ReplicateCounts``.

    Raises
    ------
    RequestError
        If no cell has two replicates and two temperatures.
    """
    usable_cells = [cell for cell in cells if min(cell.student_measures[measure].shape) > 1]
    if not usable_cells:
        raise RequestError(
            "at least two replicates of two temperatures are needed in some setting to estimate the noise"
        )
    deviations = estimate_noise(usable_cells, measure)
    if not deviations.any():
        raise RequestError("the replicates of every setting are copies of each other, so the noise cannot be estimated")
    lowest_errors = np.array([cell.student_measures[measure].mean(axis=0).min() for cell in usable_cells])
    median_errors = float(np.median(lowest_errors))
    relative_deviations = deviations / np.maximum(lowest_errors, 1e-12)
    counts = []
    for share in sorted(shares):
        counts.append(_count(share, share * median_errors, share, relative_deviations))
    for difference in sorted(errors):
        share = difference / median_errors if median_errors else math.inf
        counts.append(_count(share, difference, difference, deviations))
    return pd.DataFrame(counts)


def estimate_noise(cells: Sequence[Cell], measure: str) -> Array:
    """Estimate for each cell the standard deviation of the difference of two temperatures within one replicate."""
    return np.array([math.sqrt(2 * residual_variance(cell.student_measures[measure])) for cell in cells])


def _count(share: float, errors: float, difference: float, deviations: Array) -> ReplicateCounts:
    """Count the replicates for a difference that has the units of the deviations (cells,)."""
    median, ninth_decile = np.quantile(deviations, [0.5, 0.9])
    return ReplicateCounts(
        difference=share,
        errors=errors,
        to_tell=replicates_to_detect(difference, median),
        to_tell_most=replicates_to_detect(difference, ninth_decile),
        to_bound=replicates_to_bound(difference, median),
        to_bound_most=replicates_to_bound(difference, ninth_decile),
    )
