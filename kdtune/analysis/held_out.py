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
    found: dict[str, Any] = {"student": mean_of_known(student)}
    found["student_low"], found["student_high"] = interval(student)
    found["baseline"], found["teacher"] = mean_of_known(baseline), mean_of_known(teacher)
    unknown = np.full(len(test), np.nan)
    one = np.flatnonzero(cell.temperatures == 1)
    at_one = test[:, one[0]] if len(one) else unknown
    found["at_T1"] = mean_of_known(at_one)
    others = {"baseline": baseline, "teacher": teacher, "T1": unknown if best in one else at_one}
    crossed = cross_fitted(cell.students[decide], test)
    pairs = {f"minus_{name}": student - other for name, other in others.items()}
    pairs["cross_fitted_minus_T1"] = crossed - at_one
    for name, differences in pairs.items():
        found[name] = mean_of_known(differences)
        found[f"{name}_low"], found[f"{name}_high"] = interval(differences)
    found["gap_closed"], found["gap_low"], found["gap_high"] = fieller(baseline - student, baseline - teacher)
    found["cross_fitted"] = mean_of_known(crossed)
    means = test.mean(axis=0)  # what choosing on the test split would have claimed
    found["chosen_on_test"] = np.nan if np.isnan(means).all() else np.nanmin(means)
    for measure in (t.NLL, t.ECE):
        if measure in cell.students:
            found[measure] = mean_of_known(cell.students[measure][:, best])
            found[f"baseline_{measure}"] = mean_of_known(cell.baseline[measure])
            found[f"teacher_{measure}"] = mean_of_known(cell.teacher[measure])
    return found


def cross_fitted(decide: Array, test: Array) -> Array:
    """Test errors (replicates,) of each replicate at the T that is best on all others; NaN for one replicate."""
    count = len(decide)
    if count < 2:
        return np.full(count, math.nan)
    others = (decide.sum(axis=0) - decide) / (count - 1)
    found: Array = test[np.arange(count), others.argmin(axis=1)]
    return found


def interval(values: Array) -> tuple[Any, Any]:
    """Student's t for the mean of values (replicates, ...), those that are there; infinite for fewer than two."""
    values = _known(values)
    if len(values) < 2:
        nothing = np.full(values.shape[1:], math.inf if len(values) else math.nan)[()]
        return -nothing, nothing
    half = t_value(LEVEL, len(values) - 1) * values.std(axis=0, ddof=1) / math.sqrt(len(values))
    mean = values.mean(axis=0)
    return mean - half, mean + half


def fieller(part: Array, whole: Array) -> tuple[float, float, float]:
    """The ratio of the means of paired values (replicates,) with its interval: Fieller (1954), JRSS B 16.

    NaN where the mean of ``whole`` cannot be told from 0, or lies below it: there is no share of no gap.
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
    if first <= 0 or b <= 0:
        return math.nan, math.nan, math.nan
    root = math.sqrt(max(0.0, second**2 - first * third))
    return float(a / b), float((second - root) / first), float((second + root) / first)


def mean_of_known(values: Array) -> Any:
    """Over replicates (replicates, ...), those that are there; NaN for none."""
    values = _known(values)
    return values.mean(axis=0) if len(values) else np.full(values.shape[1:], math.nan)[()]


def _known(values: Array) -> Array:
    """Of values (replicates, ...) the replicates of which none is NaN."""
    missing = np.isnan(values)
    return values[~missing.reshape(len(values), -1).any(axis=1)] if missing.any() else values
