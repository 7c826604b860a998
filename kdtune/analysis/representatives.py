"""Choose the networks of a table that figures of single networks show.

Of each cell these are the students at its chosen temperature (by default that with the fewest mean errors on the
validation split), their baselines and their teachers, in one panel per data set and transfer set.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from kdtune.analysis.cells import (
    find_cell_columns,
    format_setting,
    group_rows,
    is_distillation_setting,
    select_data_columns,
    select_done,
    select_first_cells,
)
from kdtune.columns import BASELINE, ID, MODEL, STUDENT, TEACHER, TEACHER_ID, TEMP, VAL_NUM_ERROR

PANEL, SERIES = "panel", "series"
MAX_CELLS = 24  # The lines of more cells cannot be distinguished in a figure.


@dataclass(frozen=True)
class _SeriesColumns:
    """The columns that name a series in a panel, by the model of its networks."""

    teacher: list[str]
    baseline: list[str]
    student: list[str]


def choose_networks(table: pd.DataFrame, measure: str = VAL_NUM_ERROR) -> tuple[pd.DataFrame, int]:
    """Choose the networks to show; ``measure`` is the column that T is chosen by.

    Returns
    -------
    Their rows with ``panel`` and ``series`` in words, and how many cells were left out. In each panel teachers
    stand first, then baselines, then students. A teacher is in every panel in which it has students.
    """
    table = select_done(table)
    cell_columns = find_cell_columns(table)
    table, n_left_out = select_first_cells(table, cell_columns, MAX_CELLS)
    data_columns = select_data_columns(cell_columns)
    all_students = table[table[MODEL] == STUDENT]
    columns = _find_series_columns(table, all_students, [name for name in cell_columns if name not in data_columns])
    students = _select_best(all_students, cell_columns, measure)
    student_suffix = " (chosen)" if len(students) < len(all_students) else ""
    baselines = table[table[MODEL] == BASELINE]
    if n_left_out:
        baselines = _select_partners(baselines, students, [*data_columns, *columns.baseline])
    teachers = table[table[MODEL] == TEACHER]
    parts = []
    for values, networks in group_rows(pd.concat([baselines, students]), data_columns):
        panel = format_setting(data_columns, values)
        panel_teachers = teachers[teachers[ID].isin(networks[TEACHER_ID])]
        panel_baselines = networks[networks[MODEL] == BASELINE]
        panel_students = networks[networks[MODEL] == STUDENT]
        parts += _label_series(panel_teachers, "teacher", columns.teacher, panel)
        parts += _label_series(panel_baselines, "baseline", columns.baseline, panel)
        parts += _label_series(panel_students, "student", columns.student, panel, student_suffix)
    if not parts:
        return table.head(0).assign(**{PANEL: "", SERIES: ""}), n_left_out
    return pd.concat(parts), n_left_out


def _find_series_columns(table: pd.DataFrame, students: pd.DataFrame, columns: list[str]) -> _SeriesColumns:
    """Return the columns that distinguish the series of a panel: those that vary over the students."""
    varying_columns = [name for name in columns if students[name].nunique(dropna=False) > 1]
    teacher_columns = [name.removeprefix("teacher_") for name in varying_columns if name.startswith("teacher_")]
    return _SeriesColumns(
        teacher=[name for name in teacher_columns if name in table.columns],
        baseline=[name for name in varying_columns if not is_distillation_setting(name)],
        student=[*varying_columns, TEMP],
    )


def _select_partners(baselines: pd.DataFrame, students: pd.DataFrame, shared_columns: list[str]) -> pd.DataFrame:
    """Return the baselines that share their settings with some student."""
    if not shared_columns:
        return baselines
    return baselines.merge(students[shared_columns].drop_duplicates(), on=shared_columns)


def _label_series(
    networks: pd.DataFrame, model: str, columns: list[str], panel: str, suffix: str = ""
) -> list[pd.DataFrame]:
    """Return the networks of each series with its panel and its label."""
    series = []
    for values, rows in group_rows(networks, columns):
        settings = format_setting(columns, values) + suffix
        label = f"{model}, {settings}" if settings else model
        series.append(rows.assign(**{PANEL: panel, SERIES: label}))
    return series


def _select_best(students: pd.DataFrame, cell_columns: Sequence[str], measure: str) -> pd.DataFrame:
    """Return the students of each cell at its best temperature; of equally good temperatures the lowest."""
    best_students = []
    for _, cell in group_rows(students, cell_columns):
        errors = cell.groupby(TEMP)[measure].mean()
        best_students.append(cell[cell[TEMP] == errors.idxmin()] if errors.notna().any() else cell.head(0))
    return pd.concat(best_students) if best_students else students


def summarize_replicates(
    networks: pd.DataFrame, details: pd.DataFrame, x: str, measures: Sequence[str]
) -> pd.DataFrame:
    """Summarize each measure over the networks of a series, for each value of ``x``.

    Parameters
    ----------
    networks : The networks, from ``choose_networks``.
    details : One row per network (``id``) and value of ``x``, with the measures.
    x : The column that the measures depend on, such as the epoch.
    measures : The columns to summarize.

    Returns
    -------
    Frame of ``panel``, ``series``, ``x``, and for each measure its mean ``measure``, its lowest ``measure_low`` and
    its highest ``measure_high``.
    """
    aggregations: dict[str, Any] = {}
    for measure in measures:
        aggregations[measure] = (measure, "mean")
        aggregations[f"{measure}_low"] = (measure, "min")
        aggregations[f"{measure}_high"] = (measure, "max")
    joined = networks[[ID, PANEL, SERIES]].merge(details, on=ID)
    summary: pd.DataFrame = joined.groupby([PANEL, SERIES, x], sort=False).agg(**aggregations).reset_index()
    return summary


def has_replicates(networks: pd.DataFrame) -> bool:
    """Return whether any series has more than one network."""
    return bool(networks.groupby([PANEL, SERIES]).size().max() > 1)
