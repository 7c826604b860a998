"""What a temperature that was chosen on the validation split is worth on the test split. Pure."""

from __future__ import annotations

from typing import Any

import numpy as np

from kdtune.analysis.cell_arrays import Cell
from kdtune.columns import ECE, NLL, NUM_ERROR
from kdtune.statistics.intervals import cross_fit, fieller_interval, mean_of_known, t_interval


def evaluate_choice(cell: Cell, best: int, decide: str) -> dict[str, Any]:
    """Columns of a row about a cell whose T was chosen as ``cell.temperatures[best]``.

    Every difference is one of pairs: the same replicate's data, teacher and initial weights.
    """
    if NUM_ERROR not in cell.students:
        return {}
    test, baseline, teacher = (
        cell.students[NUM_ERROR],
        cell.baseline[NUM_ERROR],
        cell.teacher[NUM_ERROR],
    )
    student = test[:, best]
    found: dict[str, Any] = {"student": mean_of_known(student)}
    found["student_low"], found["student_high"] = t_interval(student)
    found["baseline"], found["teacher"] = mean_of_known(baseline), mean_of_known(teacher)
    unknown = np.full(len(test), np.nan)
    one = np.flatnonzero(cell.temperatures == 1)
    at_one = test[:, one[0]] if len(one) else unknown
    found["at_T1"] = mean_of_known(at_one)
    others = {"baseline": baseline, "teacher": teacher, "T1": unknown if best in one else at_one}
    crossed = cross_fit(cell.students[decide], test)
    pairs = {f"minus_{name}": student - other for name, other in others.items()}
    pairs["cross_fitted_minus_T1"] = crossed - at_one
    for name, differences in pairs.items():
        found[name] = mean_of_known(differences)
        found[f"{name}_low"], found[f"{name}_high"] = t_interval(differences)
    found["gap_closed"], found["gap_low"], found["gap_high"] = fieller_interval(baseline - student, baseline - teacher)
    found["cross_fitted"] = mean_of_known(crossed)
    means = test.mean(axis=0)  # what choosing on the test split would have claimed
    found["chosen_on_test"] = np.nan if np.isnan(means).all() else np.nanmin(means)
    for measure in (NLL, ECE):
        if measure in cell.students:
            found[measure] = mean_of_known(cell.students[measure][:, best])
            found[f"baseline_{measure}"] = mean_of_known(cell.baseline[measure])
            found[f"teacher_{measure}"] = mean_of_known(cell.teacher[measure])
    return found
