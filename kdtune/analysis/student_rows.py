"""Number the rows of distilled students by cell, sort them, and remove those that failed."""

from __future__ import annotations

import pandas as pd

from kdtune.analysis.network_matches import CELL
from kdtune.columns import DONE, REPLICATE, STATUS, TEMP

_FAILED = "_failed"  # a temporary column, as is CELL


def number_cells(students: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
    """Add to each student the number of its cell, in the order of the columns' values."""
    if not columns:
        return students.assign(**{CELL: 0})
    return students.assign(**{CELL: students.groupby(columns, dropna=False, sort=True).ngroup()})


def sort_students(students: pd.DataFrame) -> pd.DataFrame:
    """Sort students by cell, replicate and T; of the same cell, replicate and T those that failed come last."""
    keys = [CELL, REPLICATE, TEMP]
    is_failed = students[STATUS] != DONE
    if is_failed.any():  # One key less sorts faster.
        keys.append(_FAILED)
    return students.assign(**{_FAILED: is_failed}).sort_values(keys, kind="stable")


def drop_failures(students: pd.DataFrame, measures: list[str]) -> pd.DataFrame:
    """Drop failed students that were repeated, and remove the measures of the other failed students.

    Parameters
    ----------
    students : The students in the order of ``sort_students``.
    """
    if not students[_FAILED].any():
        return students
    is_repeated = students.duplicated([CELL, REPLICATE, TEMP])
    students = students[~(students[_FAILED] & is_repeated)]
    known_measures = {name: students[name].where(~students[_FAILED]) for name in measures}
    return students.assign(**known_measures)


def sort_runs(students: pd.DataFrame, measures: list[str]) -> pd.DataFrame:
    """Sort unpaired students by cell, and remove the measures of those that failed."""
    students = students.sort_values(CELL, kind="stable")
    is_failed = students[STATUS] != DONE
    if not is_failed.any():
        return students
    return students.assign(**{name: students[name].mask(is_failed) for name in measures})
