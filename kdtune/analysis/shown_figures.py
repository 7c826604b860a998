"""The figures on the test split that readers see, and that sentences and tables agree on."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace

import pandas as pd

from kdtune.analysis.student_answer import StudentAnswer

# The columns that other replicates choose T for, which are shown in place of those that are a little too good.
_CROSS_FITTED = {
    "student": "cross_fitted",
    **{
        f"{name}{end}": f"cross_fitted_{name}{end}"
        for name in ("minus_T1", "minus_baseline", "minus_teacher", "gap")
        for end in ("", "_low", "_high")
    },
    "gap_closed": "cross_fitted_gap_closed",
}


def prefer_cross_fitted(test: pd.DataFrame) -> pd.DataFrame:
    """Return ``test`` with the student's figures cross-fitted in the rows that have such, where others can choose T."""
    if "cross_fitted" not in test:
        return test
    has_others = test["cross_fitted"].notna()
    columns = {name: cross for name, cross in _CROSS_FITTED.items() if cross in test and name in test}
    return test.assign(**{name: test[cross].where(has_others, test[name]) for name, cross in columns.items()})


def agree_on_baseline(students: Iterable[StudentAnswer], test: pd.DataFrame) -> list[StudentAnswer]:
    """Return the answers, of which none says that distillation helps or harms where the table of its cell does not.

    A sentence speaks of the difference to labels alone as a share, whose interval is that of a ratio (by the delta
    method). The table has the difference itself. Where the interval of the table holds 0 and that of the share just
    does not, the latter is widened to the former.

    Parameters
    ----------
    students : The answers.
    test : One row per cell: ``baseline``, and ``minus_baseline`` with its ``_low`` and ``_high``, in errors; without
        them nothing changes.
    """
    if "minus_baseline_low" not in test:
        return list(students)
    return [_agree(each, test.iloc[each.cells[0]]) if len(each.cells) == 1 else each for each in students]


def _agree(student: StudentAnswer, figures: pd.Series) -> StudentAnswer:
    share = student.minus_baseline
    low, high, baseline = (float(figures[name]) for name in ("minus_baseline_low", "minus_baseline_high", "baseline"))
    if not student.left_out_values.is_empty:  # The table has them.
        return student
    if share is None or not baseline > 0 or not low <= 0 <= high or not math.isfinite(high - low):
        return student
    if share.high < 0:
        share = replace(share, high=high / baseline)
    elif share.low > 0:
        share = replace(share, low=low / baseline)
    return replace(student, minus_baseline=share)
