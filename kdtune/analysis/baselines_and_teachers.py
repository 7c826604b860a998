"""Match distilled students with the networks that they are compared with: their baselines and their teachers."""

from __future__ import annotations

import numpy as np
import pandas as pd

from kdtune.analysis.column_values import MAX_MEASURE, varies
from kdtune.analysis.match_keys import list_descriptions, names_teacher
from kdtune.analysis.network_matches import CELL, Matches, match_by_settings, match_nothing
from kdtune.analysis.value_spellings import Integers
from kdtune.columns import BASELINE, ID, MODEL, REPLICATE, STUDENT, TEACHER, TEACHER_ID
from kdtune.statistics.standard_errors import Array
from kdtune.text import pluralize


def list_matching_columns(table: pd.DataFrame, baselines: pd.DataFrame, teachers: pd.DataFrame) -> list[str]:
    """Return the columns beside those that name cells which may tell what a student is compared with.

    Parameters
    ----------
    table : One row per network.
    baselines, teachers : Those of its rows that students are compared with.
    """
    is_student = table[MODEL] == STUDENT
    names = list_descriptions(baselines, BASELINE)
    if _has_teacher_ids(table[[name for name in (ID, TEACHER_ID) if name in table.columns]][is_student]):
        return names
    teacher_columns = [name for name in table.columns if names_teacher(name) and varies(table[name][is_student])]
    return [*names, *list_descriptions(teachers, TEACHER), *teacher_columns]


def match_baselines(
    students: pd.DataFrame, baselines: pd.DataFrame, columns: list[str], measures: list[str]
) -> Matches:
    """Match each student with the baseline that shares its settings: see ``match_by_settings``."""
    return match_by_settings(students, baselines, columns, measures, BASELINE)


def match_teachers(students: pd.DataFrame, teachers: pd.DataFrame, columns: list[str], measures: list[str]) -> Matches:
    """Match each student with its teacher by id, or without ids by the settings: see ``match_by_settings``."""
    if _has_teacher_ids(students):
        return _match_by_id(students, teachers, measures)
    return match_by_settings(students, teachers, columns, measures, TEACHER)


def _has_teacher_ids(students: pd.DataFrame) -> bool:
    """Return whether any student has the id of its teacher."""
    return ID in students and TEACHER_ID in students and bool(students[TEACHER_ID].notna().any())


def _match_by_id(students: pd.DataFrame, teachers: pd.DataFrame, measures: list[str]) -> Matches:
    """Match each student with the teacher that has the id in ``TEACHER_ID``."""
    if teachers.empty:
        return match_nothing(students, measures)
    rows = teachers[[ID, REPLICATE, *measures]].assign(_row=np.arange(len(teachers)))
    rows = rows.drop_duplicates([ID, *measures])
    notes: list[str] = []
    if rows[ID].is_unique:  # So it is in sweeps of kdtune.
        matches = students[[TEACHER_ID]].merge(rows, how="left", left_on=TEACHER_ID, right_on=ID)
    else:
        matches, notes = _average_by_id(students, rows, measures)
    has_result = students[measures].notna().any(axis=1).to_numpy()
    n_unmatched = int((~students[TEACHER_ID].isin(rows[ID]).to_numpy() & has_result).sum())
    if n_unmatched:
        students_text = pluralize(n_unmatched, "distilled student")
        verb = "is" if n_unmatched == 1 else "are"
        notes.append(
            f"{students_text} of {int(has_result.sum()):,} {verb} compared with no teacher: no teacher's row that is "
            f"done has in {ID} what their rows have in {TEACHER_ID}."
        )
    return Matches(to_arrays(matches, measures), notes, lambda: _list_rows(students, rows))


def _average_by_id(students: pd.DataFrame, rows: pd.DataFrame, measures: list[str]) -> tuple[pd.DataFrame, list[str]]:
    """Match students with teachers whose rows share ids, by the replicate where all have it; else with their means.

    Returns
    -------
    The measures, one row per student, and what is to be said.
    """
    own_keys, keys = [TEACHER_ID, REPLICATE], [ID, REPLICATE]
    by_replicate = rows.groupby(keys)[measures].mean().reset_index()
    matches = students[own_keys].merge(by_replicate, how="left", left_on=own_keys, right_on=keys)
    is_missing = matches[ID].isna().to_numpy() & students[TEACHER_ID].isin(rows[ID]).to_numpy()
    if not is_missing.any():
        return matches, [
            f"Students are compared with the teacher whose {ID} is their {TEACHER_ID}, in their replicate."
        ]
    means = rows.groupby(ID)[measures].mean().reset_index()
    matches = students[[TEACHER_ID]].merge(means, how="left", left_on=TEACHER_ID, right_on=ID)
    return matches, [f"Several rows of teachers have the same {ID}: students are compared with the mean over these."]


def _list_rows(students: pd.DataFrame, rows: pd.DataFrame) -> list[Integers]:
    """Return for each cell the rows of the teachers that its students have."""
    ids = students[[CELL, TEACHER_ID]].drop_duplicates()
    pairs = ids.merge(rows[[ID, "_row"]], left_on=TEACHER_ID, right_on=ID).sort_values([CELL, "_row"])
    counts = np.bincount(pairs[CELL].to_numpy(np.intp), minlength=int(students[CELL].max()) + 1)
    return list(np.split(pairs["_row"].to_numpy(np.intp), np.cumsum(counts)[:-1]))


def to_arrays(frame: pd.DataFrame, measures: list[str]) -> dict[str, Array]:
    """Return the columns of a frame by name, as arrays (rows,); null and what counts as infinite are NaN."""
    arrays = {name: frame[name].to_numpy(np.float64, na_value=np.nan) for name in measures}
    return {name: np.where(np.abs(values) <= MAX_MEASURE, values, np.nan) for name, values in arrays.items()}
