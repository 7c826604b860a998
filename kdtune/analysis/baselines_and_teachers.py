"""Match distilled students with the networks that they are compared with: their baselines and their teachers."""

from __future__ import annotations

import numpy as np
import pandas as pd

from kdtune.analysis.match_keys import Integers
from kdtune.analysis.network_matches import CELL, Matches, match_by_settings, match_nothing
from kdtune.columns import BASELINE, ID, TEACHER, TEACHER_ID
from kdtune.statistics.standard_errors import Array
from kdtune.text import pluralize


def match_baselines(
    students: pd.DataFrame, baselines: pd.DataFrame, columns: list[str], measures: list[str]
) -> Matches:
    """Match each student with the baseline that shares its settings: see ``match_by_settings``."""
    return match_by_settings(students, baselines, columns, measures, BASELINE)


def match_teachers(students: pd.DataFrame, teachers: pd.DataFrame, columns: list[str], measures: list[str]) -> Matches:
    """Match each student with its teacher by id, or without ids by the settings: see ``match_by_settings``."""
    if ID in students and TEACHER_ID in students and students[TEACHER_ID].notna().any():
        return _match_by_id(students, teachers, measures)
    return match_by_settings(students, teachers, columns, measures, TEACHER)


def _match_by_id(students: pd.DataFrame, teachers: pd.DataFrame, measures: list[str]) -> Matches:
    """Match each student with the teacher that has the id in ``TEACHER_ID``."""
    if teachers.empty:
        return match_nothing(students, measures)
    by_id = teachers[[ID, *measures]].assign(_row=np.arange(len(teachers))).drop_duplicates(ID)
    matches = students[[TEACHER_ID]].merge(by_id, how="left", left_on=TEACHER_ID, right_on=ID)
    has_result = students[measures].notna().any(axis=1).to_numpy()
    n_unmatched = int((matches["_row"].isna().to_numpy() & has_result).sum())
    notes = []
    if n_unmatched:
        students_text = pluralize(n_unmatched, "distilled student")
        verb = "is" if n_unmatched == 1 else "are"
        notes.append(
            f"{students_text} of {int(has_result.sum()):,} {verb} compared with no teacher: no teacher's row that is "
            f"done has in {ID} what their rows have in {TEACHER_ID}."
        )
    return Matches(
        measures=to_arrays(matches, measures),
        notes=notes,
        list_rows=lambda: _list_rows(students[CELL].to_numpy(), matches["_row"].to_numpy(np.float64)),
    )


def _list_rows(student_cells: Integers, student_rows: Array) -> list[Integers]:
    """Return for each cell the rows that its students (students,) have; NaN is none."""
    is_known = ~np.isnan(student_rows)
    pairs = np.unique(np.column_stack([student_cells[is_known], student_rows[is_known].astype(np.intp)]), axis=0)
    n_cells = int(student_cells.max(initial=-1)) + 1
    ends = np.cumsum(np.bincount(pairs[:, 0], minlength=n_cells))[:-1]
    return list(np.split(pairs[:, 1], ends))


def to_arrays(frame: pd.DataFrame, measures: list[str]) -> dict[str, Array]:
    """Return the columns of a frame by name, as arrays (rows,); null is NaN."""
    return {name: frame[name].to_numpy(np.float64, na_value=np.nan) for name in measures}
