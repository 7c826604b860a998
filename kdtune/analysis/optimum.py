"""Find where the best temperature of one cell lies, on the split that T is chosen on."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from kdtune.analysis.cell import Cell
from kdtune.analysis.cell_minimum import find_cell_minimum
from kdtune.analysis.cell_noise import CellNoise
from kdtune.analysis.cell_statistics import has_comparison, has_copies
from kdtune.analysis.paired_runs import MIN_REPLICATES
from kdtune.columns import BALANCED_ERROR, N_PARAMS, SCORE, VAL_BALANCED_ERROR, VAL_NLL, VAL_NUM_ERROR
from kdtune.statistics.curve_minimum import align_with_tied
from kdtune.statistics.multiple_comparisons import Comparison
from kdtune.statistics.one_way_layout import count_values
from kdtune.statistics.standard_errors import Array

EDGE, FLAT, FEW_REPLICATES, INCOMPLETE = "edge", "flat", "few replicates", "incomplete"
LARGER_THAN_TEACHER, COPIED_REPLICATES = "larger than its teacher", "replicates are copies"
_SHARE_TOLERANCE = 1e-12


@dataclass(frozen=True)
class CellOptimum:
    """The best temperature of a cell: a row of ``t_opt``, beside the columns that name the cell."""

    T_opt: float  # the temperature with the lowest mean
    T_opt_continuous: float  # the minimum of the mean curve, which may lie between temperatures
    T_opt_low: float  # the lower end of the 95 % interval of that minimum; 0 if it has no lower bound
    T_opt_high: float  # the upper end; infinite if it has no upper bound
    tied: list[float]  # the temperatures that are statistically tied with the best
    good_enough: list[float]  # those that are, with 95 % confidence, within the margin of the best
    flags: list[str]  # what limits the result: ``EDGE``, ``FLAT``, ...
    left_out: list[str]  # the temperatures and replicates that are incomplete
    replicates: int  # of unpaired runs: the number at the temperature with the fewest
    temperatures: int
    failed_runs: list[int]  # of each temperature, in ascending order: its runs without a result
    planned_runs: list[int]  # of each temperature: all of its runs in the table
    T_second: float  # a temperature at which the curve has a second minimum; NaN if there is no significant one


def find_lowest_mean(cell: Cell, measure: str) -> int:
    """Return the index of the T with the lowest mean.

    Ties of errors and of balanced errors go to the lower validation nll, then to the lower T.
    """
    mean = cell.compute_means(measure)
    # Means of shares that are equal may differ in their last bits.
    tolerance = _SHARE_TOLERANCE if measure in (VAL_BALANCED_ERROR, BALANCED_ERROR) else 0.0
    lowest_indices = np.flatnonzero(mean <= mean.min() + tolerance)
    if measure in (VAL_NUM_ERROR, VAL_BALANCED_ERROR) and len(lowest_indices) > 1 and VAL_NLL in cell.student_measures:
        nll = cell.compute_means(VAL_NLL)[lowest_indices]
        if not np.isnan(nll).all():
            lowest_indices = lowest_indices[nll == np.nanmin(nll)]
    return int(lowest_indices[0])


def describe_optimum(
    cell: Cell,
    best_index: int,
    measure: str,
    comparison: Comparison,
    error_margin: float | None,
    noise: CellNoise | None,
) -> CellOptimum:
    """Describe the best temperature of a cell.

    Parameters
    ----------
    cell : The cell.
    best_index : The index of the temperature with the lowest mean.
    measure : The measure that T is chosen by.
    comparison : The comparison of all temperatures with the best one, in that measure.
    error_margin : The excess error that does not matter, as a share of the lowest mean; of a measure that the user
        names, in its own units. None if no excess is known not to matter.
    noise : The noise of the cell, from ``estimate_cell_noises``; None if it shows none, or runs are unpaired.
    """
    T = cell.temperatures
    x = np.log2(T)
    minimum = find_cell_minimum(cell, measure, noise)
    if len(T) > 1:
        minimum = align_with_tied(minimum, x, best_index, comparison.is_tied)
    good_enough = []
    if len(T) > 1 and error_margin is not None:
        unit = 1.0 if measure == SCORE else cell.compute_means(measure)[best_index]
        good_enough = T[comparison.upper_bounds <= error_margin * unit].tolist()
    return CellOptimum(
        T_opt=T[best_index],
        T_opt_continuous=_to_temperature(minimum.location, x, T),
        T_opt_low=_to_temperature(minimum.low, x, T),
        T_opt_high=_to_temperature(minimum.high, x, T),
        tied=T[comparison.is_tied].tolist(),
        good_enough=good_enough,
        flags=_list_flags(cell, measure, best_index, comparison, minimum.location in (x[0], x[-1])),
        left_out=cell.left_out,
        replicates=_count_replicates(cell, measure),
        temperatures=len(T),
        failed_runs=cell.failed_runs.tolist(),
        planned_runs=cell.planned_runs.tolist(),
        T_second=math.nan if minimum.second is None else _to_temperature(minimum.second, x, T),
    )


def _to_temperature(log2_T: float, x: Array, T: Array) -> float:
    """Return 2 ** log2_T, or exactly the grid's temperature if x has log2_T: 2 ** log2(5) is not quite 5."""
    on_grid = np.flatnonzero(x == log2_T)
    return float(T[on_grid[0]]) if len(on_grid) else float(2.0**log2_T)


def _list_flags(cell: Cell, measure: str, best_index: int, comparison: Comparison, is_smooth_edge: bool) -> list[str]:
    """Return the flags of what limits the result of a cell.

    Parameters
    ----------
    measure : The measure that T is chosen by.
    is_smooth_edge : Whether the smooth curve is lowest at an end of the grid.
    """
    flags = []
    if best_index in (0, len(cell.temperatures) - 1) or is_smooth_edge:
        flags.append(EDGE)
    if has_comparison(cell, measure) and comparison.is_tied.all():
        flags.append(FLAT)
    if _count_replicates(cell, measure) < MIN_REPLICATES:
        flags.append(FEW_REPLICATES)
    if _is_larger_than_teacher(cell):
        flags.append(LARGER_THAN_TEACHER)
    if cell.left_out:
        flags.append(INCOMPLETE)
    if has_copies(cell, measure):
        flags.append(COPIED_REPLICATES)
    return flags


def _count_replicates(cell: Cell, measure: str) -> int:
    """Count the replicates of a cell; of unpaired runs those of the temperature with the fewest."""
    return len(cell.replicates) if cell.is_paired else int(count_values(cell.student_measures[measure]).min())


def _is_larger_than_teacher(cell: Cell) -> bool:
    """Return whether a student has more parameters than a teacher of its replicate, or of its cell if unpaired."""
    if N_PARAMS not in cell.student_measures:
        return False
    student_sizes, teacher_sizes = cell.student_measures[N_PARAMS].T, cell.teacher_measures[N_PARAMS]
    if not cell.is_paired:
        student_sizes, teacher_sizes = student_sizes.reshape(-1, 1), teacher_sizes.reshape(1, -1)
    return bool((teacher_sizes < student_sizes).any())
