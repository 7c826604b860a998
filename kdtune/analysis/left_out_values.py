"""Leave out single values of the comparison with labels alone that are so far off that they would decide it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from kdtune.analysis.broken_runs import BrokenRun, find_broken_runs, find_broken_values
from kdtune.analysis.cell import Cell


@dataclass(frozen=True)
class LeftOutValues:
    """The networks that look broken, and are left out of what others cost and of what distillation adds."""

    baselines: list[BrokenRun] = field(default_factory=list)  # trained on labels alone; their T is NaN
    test: list[BrokenRun] = field(default_factory=list)  # students that look broken on the test split alone

    @property
    def is_empty(self) -> bool:
        """Whether no network is left out."""
        return not self.baselines and not self.test


def leave_out_values(cells: Sequence[Cell], measure: str, test_measure: str) -> tuple[list[Cell], LeftOutValues]:
    """Return cells without the baselines that look broken, and the students that do on the test split alone.

    Parameters
    ----------
    cells : The cells of a student; those in which nothing is left out are returned as they are.
    measure : The measure that T is chosen by.
    test_measure : The measure on the test split.
    """
    left_out, cleaned = LeftOutValues(), []
    for cell in cells:
        without_baselines = cell
        for name in dict.fromkeys((test_measure, measure)):
            without_baselines = _leave_out_baselines(without_baselines, name, left_out.baselines)
        cleaned.append(_leave_out_test_values(without_baselines, measure, test_measure, left_out.test))
    return cleaned, left_out


def _leave_out_baselines(cell: Cell, name: str, found: list[BrokenRun]) -> Cell:
    """Return a cell without the values of baselines in a measure that look broken, and add those to a list."""
    if name not in cell.baseline_measures:
        return cell
    values = cell.baseline_measures[name]
    is_broken = find_broken_values(values)
    if not is_broken.any():
        return cell
    typical_value = float(np.nanmedian(values[~is_broken]))
    for index in np.flatnonzero(is_broken):
        replicate = str(cell.replicates[index]) if cell.is_paired else ""
        if replicate not in [run.replicate for run in found] or not replicate:
            found.append(BrokenRun(cell.describe(), math.nan, replicate, float(values[index]), typical_value))
    measures = {**cell.baseline_measures, name: np.where(is_broken, np.nan, values)}
    return replace(cell, baseline_measures=measures)


def _leave_out_test_values(cell: Cell, measure: str, test_measure: str, found: list[BrokenRun]) -> Cell:
    """Return a cell without the test values that look broken where the measure that T is chosen by does not."""
    if test_measure == measure:
        return cell
    places = {(run.T, run.replicate) for run in find_broken_runs(cell, measure)}
    runs = [run for run in find_broken_runs(cell, test_measure) if (run.T, run.replicate) not in places]
    if not runs:
        return cell
    values, names = cell.student_measures[test_measure].copy(), [str(name) for name in cell.replicates]
    for run in runs:
        values[names.index(run.replicate), np.searchsorted(cell.temperatures, run.T)] = np.nan
    found.extend(runs)
    return replace(cell, student_measures={**cell.student_measures, test_measure: values})
