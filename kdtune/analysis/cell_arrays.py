"""Split a table into cells as arrays of replicates by temperatures, which the statistics work on.

Runs are paired where a column names their replicates: one replicate has a run of each temperature. Where no student of
the table has the name of a replicate they are unpaired: independent runs, any number of them at each temperature.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, NoReturn

import numpy as np
import numpy.typing as npt
import pandas as pd

from kdtune.analysis.baselines_and_teachers import list_matching_columns, match_baselines, match_teachers, to_arrays
from kdtune.analysis.cell import Cell
from kdtune.analysis.cells import format_setting, select_done
from kdtune.analysis.finite_sets import DATA_COLUMNS, FiniteData
from kdtune.analysis.network_matches import CELL, Matches
from kdtune.analysis.paired_runs import describe_test_gaps, take_first
from kdtune.analysis.student_rows import drop_failures, number_cells, sort_runs, sort_students
from kdtune.analysis.unpaired_runs import arrange_runs, count_runs, name_runs, sort_measures
from kdtune.columns import (
    ACCURACY,
    BALANCED_ERROR,
    BASELINE,
    DATA_SEED,
    ECE,
    ERRORS_ROW,
    ID,
    MODEL,
    N_PARAMS,
    NLL,
    NUM_ERROR,
    REPLICATE,
    SCORE,
    STATUS,
    STUDENT,
    TEACHER,
    TEACHER_ID,
    TEMP,
    VAL_BALANCED_ERROR,
    VAL_NLL,
    VAL_NUM_ERROR,
)
from kdtune.errors import RequestError
from kdtune.statistics.additive_fit import select_connected
from kdtune.statistics.standard_errors import Array

MEASURES = (
    SCORE, VAL_NUM_ERROR, VAL_NLL, VAL_BALANCED_ERROR, NUM_ERROR, ACCURACY, NLL, ECE, BALANCED_ERROR, N_PARAMS,
    ERRORS_ROW,
)  # fmt: skip


class CellTable(NamedTuple):
    """The cells of a table, with what was assumed about whom their students are compared with."""

    cells: list[Cell]
    notes: list[str]  # sentences for the user: first about baselines, then about teachers


@dataclass(frozen=True)
class _StudentArrays:
    """The distilled students, sorted by cell, replicate and T: one entry per network in each array."""

    temperatures: Array
    replicates: npt.NDArray[Any]
    student_measures: dict[str, Array]  # measure name -> array (networks,)
    baseline_measures: dict[str, Array]  # measure name -> array (networks,): the measures of the student's baseline
    teacher_measures: dict[str, Array]  # measure name -> array (networks,): the measures of the student's teacher
    data_seeds: npt.NDArray[Any] | None  # None if any seed is unknown

    def select_range(self, start: int, end: int) -> _StudentArrays:
        """Return the entries from ``start`` up to but not including ``end``."""
        entries = slice(start, end)
        return _StudentArrays(
            temperatures=self.temperatures[entries],
            replicates=self.replicates[entries],
            student_measures={name: values[entries] for name, values in self.student_measures.items()},
            baseline_measures={name: values[entries] for name, values in self.baseline_measures.items()},
            teacher_measures={name: values[entries] for name, values in self.teacher_measures.items()},
            data_seeds=None if self.data_seeds is None else self.data_seeds[entries],
        )


def split_into_cells(
    table: pd.DataFrame, columns: Sequence[str], measure: str, finite_data: FiniteData | None = None
) -> CellTable:
    """Split a table into cells, each with the replicates and temperatures that have ``measure``.

    A cell without any has no replicates and no temperatures.

    Parameters
    ----------
    table : One row per network.
    columns : The columns that name a cell.
    measure : The measure that T is chosen by.
    finite_data : The data sets that exist once; None if nothing is known of them.

    Raises
    ------
    RequestError
        If two networks of one cell have the same T and replicate.
    """
    columns = list(columns)
    measures = [name for name in MEASURES if name in table.columns]
    done = select_done(table[table[MODEL] != STUDENT])
    baselines, teachers = done[done[MODEL] == BASELINE], done[done[MODEL] == TEACHER]
    used_columns = {*columns, *measures, *DATA_COLUMNS, MODEL, STATUS, REPLICATE, TEMP, ID, TEACHER_ID, DATA_SEED}
    used_columns |= {*list_matching_columns(table, baselines, teachers)}
    table = table[[name for name in table.columns if name in used_columns]]  # Sorting all columns takes long.
    students = number_cells(table[table[MODEL] == STUDENT], columns)
    is_paired = bool(students[REPLICATE].notna().any())
    students = drop_failures(sort_students(students), measures) if is_paired else sort_runs(students, measures)
    baseline_matches = match_baselines(students, baselines, columns, measures)
    teacher_matches = match_teachers(students, teachers, columns, measures)
    arrays = _read_arrays(students, baseline_matches, teacher_matches, measures)
    baseline_arrays, teacher_arrays = to_arrays(baselines, measures), to_arrays(teachers, measures)
    # The rows are sorted by cell, so a cell begins where the cell number changes and ends where the next one begins.
    starts = np.flatnonzero(np.diff(students[CELL].to_numpy(), prepend=-1)).tolist()
    ends = [*starts, len(students)][1:]
    cells = []
    for number, settings in enumerate(_list_settings(students, columns, starts)):
        arrays_of_cell = arrays.select_range(starts[number], ends[number])
        if is_paired:
            cells.append(_make_cell(settings, arrays_of_cell, measure))
        else:
            baselines_of_cell = _select_rows(baseline_arrays, baseline_matches.rows_of_cell[number])
            teachers_of_cell = _select_rows(teacher_arrays, teacher_matches.rows_of_cell[number])
            cells.append(_make_unpaired_cell(settings, arrays_of_cell, measure, baselines_of_cell, teachers_of_cell))
    if finite_data is not None:
        data_columns = [name for name in DATA_COLUMNS if name in students.columns]
        first_students = _list_settings(students, data_columns, starts)
        finite_sets = [
            finite_data.describe_cell(student, len(cell.data_seeds))
            for student, cell in zip(first_students, cells, strict=True)
        ]
        cells = [replace(cell, finite_set=finite_set) for cell, finite_set in zip(cells, finite_sets, strict=True)]
    return CellTable(cells, [*baseline_matches.notes, *teacher_matches.notes])


def _read_arrays(
    students: pd.DataFrame, baseline_matches: Matches, teacher_matches: Matches, measures: list[str]
) -> _StudentArrays:
    """Read the students' columns, and those of the networks that they are compared with, as arrays."""
    data_seeds = students[DATA_SEED].to_numpy(object) if DATA_SEED in students.columns else None
    if data_seeds is not None and pd.isna(data_seeds).any():
        data_seeds = None
    return _StudentArrays(
        temperatures=students[TEMP].to_numpy(np.float64),
        replicates=_make_comparable(students[REPLICATE].to_numpy()),
        student_measures=to_arrays(students, measures),
        baseline_measures=baseline_matches.measures,
        teacher_measures=teacher_matches.measures,
        data_seeds=data_seeds,
    )


def _make_comparable(replicates: Array) -> Array:
    """Return the names of replicates as text if numbers and text are mixed, which cannot be sorted."""
    if replicates.dtype != object or len(set(map(type, replicates))) < 2:
        return replicates
    return np.array([str(replicate) for replicate in replicates], object)


def _list_settings(students: pd.DataFrame, columns: list[str], first_rows: list[int]) -> list[dict[str, Any]]:
    """Return the settings of each cell, from its first row; a null is None."""
    if not columns:
        return [{} for _ in first_rows]
    records = students[columns].iloc[first_rows].to_dict("records")
    return [{str(key): None if pd.isna(value) else value for key, value in record.items()} for record in records]


def _select_rows(measures: dict[str, Array], rows: Any) -> dict[str, Array]:
    """Return the values of each measure (networks,) in these rows."""
    return {name: values[rows] for name, values in measures.items()}


def _make_cell(settings: dict[str, Any], arrays: _StudentArrays, measure: str) -> Cell:
    """Arrange the students of one cell by replicate and temperature, with NaN where a run is missing."""
    T, temperature_index = np.unique(arrays.temperatures, return_inverse=True)
    replicates, first_rows, replicate_index = np.unique(arrays.replicates, return_index=True, return_inverse=True)
    if len(np.unique(replicate_index * len(T) + temperature_index)) < len(replicate_index):
        _refuse_duplicates(settings)
    is_failed = np.isnan(arrays.student_measures[measure])
    all_measures = {}
    for name, values in arrays.student_measures.items():
        all_measures[name] = np.full((len(replicates), len(T)), np.nan)
        all_measures[name][replicate_index, temperature_index] = values
    is_seen = ~np.isnan(all_measures[measure])
    used_replicates, used_temperatures = select_connected(is_seen)
    used_entries = np.ix_(used_replicates, used_temperatures)
    student_measures = {name: values[used_entries] for name, values in all_measures.items()}
    left_out = [f"T {value:g}" for i, value in enumerate(T) if i not in used_temperatures]
    left_out += [f"replicate {name}" for i, name in enumerate(replicates) if i not in used_replicates]
    left_out += name_runs(T[used_temperatures], (~is_seen[used_entries]).sum(axis=0))
    if NUM_ERROR in student_measures:
        left_out += describe_test_gaps(replicates[used_replicates], student_measures[NUM_ERROR], is_seen[used_entries])
    baselines, teachers = {}, {}
    for name, values in arrays.baseline_measures.items():
        baselines[name] = take_first(values, first_rows, replicate_index)[used_replicates]
    for name, values in arrays.teacher_measures.items():
        teachers[name] = take_first(values, first_rows, replicate_index)[used_replicates]
    return Cell(
        settings=settings,
        temperatures=T[used_temperatures],
        replicates=[replicates[i] for i in used_replicates],
        student_measures=student_measures,
        baseline_measures=baselines,
        teacher_measures=teachers,
        left_out=left_out,
        planned_runs=np.bincount(temperature_index, minlength=len(T))[used_temperatures],
        failed_runs=np.bincount(temperature_index[is_failed], minlength=len(T))[used_temperatures],
        data_seeds=frozenset() if arrays.data_seeds is None else frozenset(arrays.data_seeds),
    )


def _make_unpaired_cell(
    settings: dict[str, Any],
    arrays: _StudentArrays,
    measure: str,
    baseline_measures: dict[str, Array],
    teacher_measures: dict[str, Array],
) -> Cell:
    """Arrange the students of one cell by temperature, without those that lack the measure that T is chosen by."""
    runs = arrange_runs(arrays.temperatures, arrays.student_measures, measure)
    is_failed = np.isnan(arrays.student_measures[measure])
    return Cell(
        settings=settings,
        temperatures=runs.temperatures,
        replicates=list(range(len(runs.measures[measure]))),
        student_measures=runs.measures,
        baseline_measures=sort_measures(baseline_measures),
        teacher_measures=sort_measures(teacher_measures),
        left_out=runs.left_out,
        planned_runs=count_runs(arrays.temperatures, runs.temperatures),
        failed_runs=count_runs(arrays.temperatures[is_failed], runs.temperatures),
        is_paired=False,
    )


def _refuse_duplicates(settings: dict[str, Any]) -> NoReturn:
    """Raise RequestError: two networks of a cell have the same T and replicate."""
    setting = format_setting(list(settings), list(settings.values()))
    subject = f'Setting "{setting}"' if setting else "The table"
    raise RequestError(
        f"{subject} has two networks with the same T and replicate. "
        "Use --cell to name the column that distinguishes them."
    )
