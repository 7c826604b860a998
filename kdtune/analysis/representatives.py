"""A few networks out of a table, in words: what figures of single networks show. Pure.

Of each cell the students at the temperature with the fewest mean errors on the validation split, their
baselines and their teachers, a panel for each data set and transfer set.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from kdtune.analysis.cells import (
    find_cell_columns,
    format_setting,
    group_rows,
    is_students_only,
    select_data_columns,
    select_done,
    select_first_cells,
)
from kdtune.columns import BASELINE, ID, MODEL, STUDENT, TEACHER, TEACHER_ID, TEMP, VAL_NUM_ERROR

PANEL, SERIES = "panel", "series"
MOST_CELLS = 24  # more could not be told apart in a figure


def choose_networks(table: pd.DataFrame) -> tuple[pd.DataFrame, int]:
    """The rows of those networks, ``panel`` and ``series`` in words, and how many cells were left out.

    In each panel teachers stand first, then baselines, then students.

    A teacher is in every panel in which it has students.
    """
    table = select_done(table)
    columns = find_cell_columns(table)
    data = select_data_columns(columns)
    table, left_out = select_first_cells(table, columns, MOST_CELLS)
    is_student = table[MODEL] == STUDENT
    own = [name for name in columns if name not in data and table[name][is_student].nunique(dropna=False) > 1]
    parts = []
    students = _best_on_validation(table[is_student], columns)
    several = len(students) < int(is_student.sum())  # temperatures, of which validation chose
    shared = [name for name in own if not is_students_only(name)]
    baselines = table[table[MODEL] == BASELINE]
    if left_out and (names := [*data, *shared]):  # theirs too
        baselines = baselines.merge(students[names].drop_duplicates(), on=names)
    teachers = table[table[MODEL] == TEACHER]
    for key, group in group_rows(pd.concat([baselines, students]), data):
        panel = format_setting(data, key)
        those = teachers[teachers[ID].isin(group[TEACHER_ID])]
        of_teacher = [name.removeprefix("teacher_") for name in own if name.startswith("teacher_")]
        for rows, who, settings in (
            (those, "teacher", [name for name in of_teacher if name in table.columns]),
            (group[group[MODEL] == BASELINE], "baseline", shared),
            (group[group[MODEL] == STUDENT], "student", [*own, TEMP]),
        ):
            for values, series in group_rows(rows, settings):
                said = format_setting(settings, values)
                if who == "student" and several:
                    said += " (chosen)"
                label = ", ".join(part for part in (who, said) if part)
                parts.append(series.assign(**{PANEL: panel, SERIES: label}))
    found = pd.concat(parts) if parts else table.head(0).assign(**{PANEL: "", SERIES: ""})
    return found, left_out


def _best_on_validation(students: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    """Of several temperatures with equally few errors the lowest."""
    kept = []
    for _, cell in group_rows(students, columns):
        errors = cell.groupby(TEMP)[VAL_NUM_ERROR].mean()
        kept.append(cell[cell[TEMP] == errors.idxmin()] if errors.notna().any() else cell.head(0))
    return pd.concat(kept) if kept else students


def summarize_replicates(
    networks: pd.DataFrame, details: pd.DataFrame, x: str, measures: Sequence[str]
) -> pd.DataFrame:
    """Mean, lowest and highest of each measure over the networks of a series, for each value of ``x``.

    Parameters
    ----------
    networks : of ``chosen``.
    details : rows of several networks (``id``) for each value of ``x``.

    Returns
    -------
    Frame of ``panel``, ``series``, ``x``, and ``measure``, ``measure_low``, ``measure_high`` for each measure.
    """
    joined = networks[[ID, PANEL, SERIES]].merge(details, on=ID)
    ends = {"": "mean", "_low": "min", "_high": "max"}
    columns: Any = {measure + end: (measure, how) for measure in measures for end, how in ends.items()}
    found: pd.DataFrame = joined.groupby([PANEL, SERIES, x], sort=False).agg(**columns).reset_index()
    return found


def has_replicates(networks: pd.DataFrame) -> bool:
    """Whether any kind of network is there more than once."""
    return bool(networks.groupby([PANEL, SERIES]).size().max() > 1)
