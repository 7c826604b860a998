"""Find baselines of one setting and seed that are too different to be one network: a teacher may be among them."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from kdtune.columns import (
    BASELINE,
    DESCRIPTIVE_COLUMNS,
    DONE,
    MODEL,
    NUM_ERROR,
    REPLICATE,
    RESULT_COLUMNS,
    SCORE,
    STATUS,
    STUDENT,
    TEACHER,
    TEMP,
    VAL_NUM_ERROR,
)
from kdtune.text import format_number, pluralize

# The mean of rows that differ by a quarter is off by an eighth of their errors, as much as distillation often gains.
_MIN_SHARE = 0.25
# Standard deviations of students of one T: two equal networks differ by six, or 4.2 times the standard deviation of
# such a difference, in 3 of 100,000 tables.
_MIN_DEVIATIONS = 6
_NO_KEYS = {MODEL, TEMP, STATUS, SCORE, *RESULT_COLUMNS, *DESCRIPTIVE_COLUMNS}


def describe_unlike_baselines(table: pd.DataFrame, cell_columns: Sequence[str]) -> str:
    """Say that baselines of one setting and seed have very different results; the empty text if none have.

    Parameters
    ----------
    table : The standard table: one row per network.
    cell_columns : The columns that name a setting.
    """
    is_baseline = (table[MODEL] == BASELINE) & (table[STATUS] == DONE)
    measure = next((name for name in (NUM_ERROR, VAL_NUM_ERROR) if name in table.columns), None)
    if measure is None or is_baseline.sum() < 2:
        return ""
    baselines = table[is_baseline].dropna(subset=[measure])
    keys = [name for name in table.columns if name not in _NO_KEYS and baselines[name].notna().any()]
    values = baselines[measure].astype(float)
    groups = values.groupby([baselines[name] for name in keys] or [baselines[MODEL]], dropna=False)
    spans = pd.DataFrame({"low": groups.min(), "high": groups.max(), "mean": groups.mean()})
    limit = _MIN_DEVIATIONS * _find_deviation(table, measure, cell_columns)
    sizes = spans["high"] - spans["low"]
    unlike = spans[(sizes > _MIN_SHARE * spans["mean"]) & (sizes > limit)]
    if unlike.empty:
        return ""
    first = unlike.iloc[0]
    what = "setting and seed" if REPLICATE in keys else "setting"
    n_groups = int((groups.size() > 1).sum())
    low, high = (format_number(float(first[end])) for end in ("low", "high"))
    return (
        f"Baselines of one {what} have very different errors ({low} and {high}; so it is in {len(unlike):,} of "
        f"{pluralize(n_groups, 'case')}): they may be different networks, a teacher among them, and what is said here "
        f"of labels alone is about their mean. Write '{TEACHER}' as the role of teachers, and give different baselines "
        f"a column that tells them apart."
    )


def _find_deviation(table: pd.DataFrame, measure: str, cell_columns: Sequence[str]) -> float:
    """Return the standard deviation of the results of students of one setting and T; 0 if nothing tells it."""
    students = table[(table[MODEL] == STUDENT) & (table[STATUS] == DONE)]
    groups = students[measure].astype(float).groupby([students[name] for name in (*cell_columns, TEMP)], dropna=False)
    dof = (groups.count() - 1).clip(lower=0)
    if not dof.sum():
        return 0.0
    return float(((groups.var().fillna(0) * dof).sum() / dof.sum()) ** 0.5)
