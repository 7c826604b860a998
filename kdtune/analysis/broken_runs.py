"""Find runs that are so far off that they have hardly trained: one or several of a setting, at one T or at many."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from kdtune.analysis.cell import Cell
from kdtune.statistics.additive_fit import fit_additive, select_connected
from kdtune.statistics.standard_errors import Array

MIN_RUNS = 3  # of replicates and of temperatures: of two runs, which is the odd one cannot be told
MAX_SHARE = 1 / 3  # of the runs of a setting: where more are far off, none is odd
# How far off a broken run is: a factor of what is typical, and a number of robust standard deviations. Chance accuracy
# is far more errors than those of a good classifier, but with many classes hardly twice as many as those of a poor one.
CRITERIA = ((3.0, 8.0), (1.5, 15.0))
MIN_DEVIATION = 0.05  # of the median: few values may be nearly equal by chance
MAD_TO_DEVIATION = 1.4826  # of the median absolute deviation of normal values

_Run = TypeVar("_Run", bound="BrokenRun")
_Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class BrokenRun:
    """A run that is far from the others of its cell."""

    setting: str  # its cell, in words; empty if the table has one cell only
    T: float
    replicate: str  # its name
    value: float  # in the measure that T is chosen by
    typical_value: float  # what the other runs of its T and of its replicate suggest

    def change_sign(self: _Run, sign: int) -> _Run:
        """Return the run with its values times 1, or times -1 for a measure of which more is better."""
        return replace(self, value=sign * self.value, typical_value=sign * self.typical_value)


def find_broken_runs(cell: Cell, measure: str) -> list[BrokenRun]:
    """Find all runs of a cell that are far worse than its others, by a factor and in units of their spread.

    First a run must be a factor above the median of all runs, and other runs of its T must not be. Then it must be so
    above what the others of its T and of its replicate suggest (``fit_additive``), by many robust standard deviations
    of these (Rousseeuw and Croux 1993, JASA 88). So a T at which all runs are bad has no broken run.

    Parameters
    ----------
    cell : The cell; unpaired runs have no broken ones.
    measure : A measure of which less is better.
    """
    y = cell.student_measures.get(measure)
    if y is None or not cell.is_paired or min(y.shape) < MIN_RUNS or np.isnan(y).all():
        return []
    for factor, n_deviations in CRITERIA:
        is_far = _find_far(y, factor, n_deviations)
        if is_far.any():
            typical_values = _fit_others(y, is_far)
            return [
                BrokenRun(
                    setting=cell.describe(),
                    T=float(cell.temperatures[column]),
                    replicate=str(cell.replicates[row]),
                    value=float(y[row, column]),
                    typical_value=float(typical_values[row, column]),
                )
                for column, row in np.argwhere(is_far.T)
            ]
    return []


def find_broken_values(values: Array) -> _Mask:
    """Return which of the values (R,) of one kind of networks, such as baselines, are far above their median.

    None is where the values may be counts of a few errors, whose noise is a large share of them.
    """
    others, is_far = values[~np.isnan(values)], np.zeros(len(values), bool)
    if len(others) <= MIN_RUNS:
        return is_far
    median = float(np.median(others))
    deviation = MAD_TO_DEVIATION * max(float(np.median(abs(others - median))), MIN_DEVIATION * abs(median))
    for factor, n_deviations in CRITERIA:
        is_far |= _exceeds(values, np.full(len(values), median), factor) & (values - median > n_deviations * deviation)
    if bool((others == others.round()).all()):
        is_far &= values - median > CRITERIA[0][1] * np.sqrt(abs(median))
    return is_far if is_far.sum() <= MAX_SHARE * len(others) else np.zeros(len(values), bool)


def leave_out_runs(cell: Cell, measure: str, runs: Sequence[BrokenRun]) -> Cell | None:
    """Return a cell without some of its runs; None if the others are then no longer connected."""
    names = [str(name) for name in cell.replicates]
    is_left_out = np.zeros(cell.student_measures[measure].shape, bool)
    for run in runs:
        is_left_out[names.index(run.replicate), np.searchsorted(cell.temperatures, run.T)] = True
    y = np.where(is_left_out, np.nan, cell.student_measures[measure])
    if not _is_connected(~np.isnan(y)):
        return None
    measures = {name: np.where(is_left_out, np.nan, values) for name, values in cell.student_measures.items()}
    return replace(cell, student_measures=measures)


def _find_far(y: Array, factor: float, n_deviations: float) -> _Mask:
    """Return which values (R, k) are far above the others, by a factor and by standard deviations."""
    nothing = np.zeros(y.shape, bool)
    is_far = _exceeds(y, np.full(y.shape, np.nanmedian(y)), factor)
    is_far &= (~is_far & ~np.isnan(y)).any(axis=0)  # Where no other run of a T is better, that T is bad.
    while is_far.any():
        is_seen = ~np.isnan(y) & ~is_far
        if is_far.sum() > MAX_SHARE * (~np.isnan(y)).sum() or not _is_connected(is_seen):
            return nothing
        typical_values, others = _fit_others(y, is_far), np.where(is_seen, y, np.nan)
        residuals = (others - typical_values)[is_seen]
        n_free = len(residuals) - sum(y.shape) + 1
        if n_free < 1:
            return nothing
        deviation = MAD_TO_DEVIATION * float(np.median(abs(residuals))) * np.sqrt(len(residuals) / n_free)
        stays = is_far & _exceeds(y, typical_values, factor) & (y - typical_values > n_deviations * deviation)
        if (stays == is_far).all():
            return is_far
        is_far = stays
    return nothing


def _fit_others(y: Array, is_far: _Mask) -> Array:
    """Return what the other runs suggest for all values (R, k)."""
    fit = fit_additive(np.where(is_far, np.nan, y))
    return np.asarray(fit.levels[:, np.newaxis] + fit.means)


def _exceeds(values: Array, references: Array, factor: float) -> _Mask:
    """Return which values are worse by a factor: above positive references, or closer to zero than negative ones."""
    bounds = np.where(references > 0, references * factor, references / factor)
    return np.asarray((values > bounds) & (references != 0))


def _is_connected(is_seen: _Mask) -> bool:
    """Return whether all replicates and temperatures can be compared by runs that are seen."""
    replicates, temperatures = select_connected(is_seen)
    return (len(replicates), len(temperatures)) == is_seen.shape
