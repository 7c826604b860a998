"""What a temperature that was chosen on the validation split is worth on the test split. Pure."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from kdtune import table as t
from kdtune.analysis.curves import Array, t_value
from kdtune.analysis.layout import Cell

LEVEL = 0.95


def report(cell: Cell, best: int, decide: str) -> dict[str, Any]:
    """Columns of a row about a cell whose T was chosen as ``cell.temperatures[best]``.

    Every difference is one of pairs: the same replicate's data, teacher and initial weights.
    """
    if t.NUM_ERROR not in cell.students:
        return {}
    test, baseline, teacher = cell.students[t.NUM_ERROR], cell.baseline[t.NUM_ERROR], cell.teacher[t.NUM_ERROR]
    student = test[:, best]
    found: dict[str, Any] = {"student": student.mean()}
    found["student_low"], found["student_high"] = interval(student)
    found["baseline"], found["teacher"] = mean_of_known(baseline), mean_of_known(teacher)
    one = np.flatnonzero(cell.temperatures == 1)
    at_one = test[:, one[0]] if len(one) else np.full(len(test), np.nan)
    found["at_T1"] = mean_of_known(at_one)
    for name, other in {"baseline": baseline, "teacher": teacher, "T1": at_one}.items():
        found[f"minus_{name}"] = mean_of_known(student - other)
        found[f"minus_{name}_low"], found[f"minus_{name}_high"] = interval(student - other)
    found["gap_closed"], found["gap_low"], found["gap_high"] = fieller(baseline - student, baseline - teacher)
    found["cross_fitted"] = cross_fitted(cell.students[decide], test)
    found["chosen_on_test"] = test.mean(axis=0).min()  # what choosing on the test split would have claimed
    for measure in (t.NLL, t.ECE):
        if measure in cell.students:
            found[measure] = cell.students[measure][:, best].mean()
            found[f"baseline_{measure}"], found[f"teacher_{measure}"] = (
                mean_of_known(others[measure]) for others in (cell.baseline, cell.teacher)
            )
    return found


def cross_fitted(decide: Array, test: Array) -> float:
    """Mean test errors (replicates, k) of each replicate at the T that is best on all others; NaN for one replicate."""
    count = len(decide)
    if count < 2:
        return math.nan
    others = (decide.sum(axis=0) - decide) / (count - 1)
    return float(test[np.arange(count), others.argmin(axis=1)].mean())


def interval(values: Array) -> tuple[Any, Any]:
    """Student's t for the mean of values (replicates, ...), those that are there; infinite for fewer than two."""
    values = values[~np.isnan(values.reshape(len(values), -1)).any(axis=1)]
    if len(values) < 2:
        nothing = np.full(values.shape[1:], math.inf if len(values) else math.nan)[()]
        return -nothing, nothing
    half = t_value(LEVEL, len(values) - 1) * values.std(axis=0, ddof=1) / math.sqrt(len(values))
    mean = values.mean(axis=0)
    return mean - half, mean + half


def fieller(part: Array, whole: Array) -> tuple[float, float, float]:
    """The ratio of the means of paired values (replicates,) with its interval: Fieller (1954), JRSS B 16.

    NaN where the mean of ``whole`` cannot be told from 0: the ratio is then undefined.
    """
    both = ~(np.isnan(part) | np.isnan(whole))
    part, whole = part[both], whole[both]
    count = len(part)
    if count < 2:
        return math.nan, math.nan, math.nan
    (aa, ab), (_, bb) = np.cov(part, whole) * t_value(LEVEL, count - 1) ** 2 / count
    a, b = part.mean(), whole.mean()
    # The ratios r with (a - r b)^2 <= aa - 2 r ab + r^2 bb.
    first, second, third = b**2 - bb, a * b - ab, a**2 - aa
    if first <= 0:
        return math.nan, math.nan, math.nan
    root = math.sqrt(max(0.0, second**2 - first * third))
    return float(a / b), float((second - root) / first), float((second + root) / first)


def mean_of_known(values: Array) -> Any:
    """Over replicates (replicates, ...), those that are there; NaN for none."""
    values = values[~np.isnan(values.reshape(len(values), -1)).any(axis=1)]
    return values.mean(axis=0) if len(values) else np.full(values.shape[1:], math.nan)[()]
