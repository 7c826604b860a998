"""Split a table into cells as arrays of replicates by temperatures, which the statistics work on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt
import pandas as pd

from kdtune.analysis.baselines_and_teachers import match_baselines, match_teachers, to_arrays
from kdtune.analysis.cells import format_setting, select_done
from kdtune.columns import (
    ACCURACY,
    BASELINE,
    DATA_SEED,
    DONE,
    ECE,
    ID,
    MODEL,
    N_PARAMS,
    NLL,
    NUM_ERROR,
    REPLICATE,
    STATUS,
    STUDENT,
    TEACHER,
    TEACHER_ID,
    TEMP,
    VAL_NLL,
    VAL_NUM_ERROR,
)
from kdtune.errors import RequestError
from kdtune.statistics.standard_errors import Array

MIN_REPLICATES = 3  # Fewer replicates are flagged: they show little of the noise.
MEASURES = (VAL_NUM_ERROR, VAL_NLL, NUM_ERROR, ACCURACY, NLL, ECE, N_PARAMS)
_CELL, _FAILED = "_cell", "_failed"  # temporary columns


@dataclass(frozen=True)
class Cell:
    """The distilled students that differ in T and replicate alone, with the networks that they are compared with."""

    settings: dict[str, Any]  # the columns that name the cell, with their values
    temperatures: Array  # (k,), ascending
    replicates: list[Any]  # (R,)
    students: dict[str, Array]  # by measure (R, k)
    baseline: dict[str, Array]  # by measure (R,), NaN where there is none
    teacher: dict[str, Array]  # by measure (R,), NaN where there is none
    left_out: list[str] = field(default_factory=list)  # the temperatures and replicates that are incomplete, in words
    data_seeds: frozenset[Any] = frozenset()  # seeds of its students' data; none if the table does not say

    def describe(self) -> str:
        """Write the settings of the cell, as in "class_sep 0.2, width 50"."""
        return format_setting(list(self.settings), list(self.settings.values()))


@dataclass(frozen=True)
class _StudentArrays:
    """Distilled students, sorted by cell, replicate and T: one entry per network in each array."""

    temperatures: Array
    replicates: npt.NDArray[Any]
    students: dict[str, Array]  # by measure
    baseline: dict[str, Array]  # by measure: those of the student's baseline
    teacher: dict[str, Array]  # by measure: those of the student's teacher
    data_seeds: npt.NDArray[Any] | None  # None if any seed is unknown

    def slice(self, start: int, end: int) -> _StudentArrays:
        """Return the entries from ``start`` to ``end``."""
        part = slice(start, end)
        return _StudentArrays(
            self.temperatures[part],
            self.replicates[part],
            {name: values[part] for name, values in self.students.items()},
            {name: values[part] for name, values in self.baseline.items()},
            {name: values[part] for name, values in self.teacher.items()},
            None if self.data_seeds is None else self.data_seeds[part],
        )


def split_into_cells(table: pd.DataFrame, columns: Sequence[str], measure: str) -> list[Cell]:
    """Split a table into cells, each with the replicates and temperatures for which ``measure`` is complete.

    A cell of which nothing is complete has no replicates and no temperatures.

    Raises
    ------
    RequestError
        If two networks of one cell have the same T and replicate.
    """
    columns = list(columns)
    measures = [name for name in MEASURES if name in table.columns]
    used_columns = {*columns, *measures, MODEL, STATUS, REPLICATE, TEMP, ID, TEACHER_ID, DATA_SEED}
    table = table[[name for name in table.columns if name in used_columns]]  # Sorting whole rows takes long.
    students = _sort_students(table, columns, measures)
    arrays = _read_arrays(students, select_done(table), columns, measures)
    bounds = np.flatnonzero(np.diff(students[_CELL].to_numpy(), prepend=-1, append=-2)).tolist()
    starts, ends = bounds[:-1], bounds[1:]
    cells = []
    for settings, start, end in zip(_list_settings(students, columns, starts), starts, ends, strict=True):
        cells.append(_make_cell(settings, arrays.slice(start, end), measure))
    return cells


def _sort_students(table: pd.DataFrame, columns: list[str], measures: list[str]) -> pd.DataFrame:
    """Return the distilled students sorted by cell, replicate and T, with the number of their cell."""
    students = table[table[MODEL] == STUDENT]
    cell_number = pd.Series(0, students.index)
    if columns:
        cell_number = students.groupby(columns, dropna=False, sort=True).ngroup()
    students = students.assign(**{_CELL: cell_number}).sort_values([_CELL, REPLICATE, TEMP], kind="stable")
    return _drop_failures(students, measures)


def _drop_failures(students: pd.DataFrame, measures: list[str]) -> pd.DataFrame:
    """Take away the measures of networks that failed, and their rows where one of the same T and replicate is done."""
    is_failed = students[STATUS] != DONE
    if not is_failed.any():
        return students
    students = students.assign(**{_FAILED: is_failed})
    students = students.sort_values([_CELL, REPLICATE, TEMP, _FAILED], kind="stable")
    students = students[~(students[_FAILED] & students.duplicated([_CELL, REPLICATE, TEMP]))]
    known_measures = {name: students[name].where(~students[_FAILED]) for name in measures}
    return students.assign(**known_measures).drop(columns=_FAILED)


def _read_arrays(students: pd.DataFrame, done: pd.DataFrame, columns: list[str], measures: list[str]) -> _StudentArrays:
    data_seeds = students[DATA_SEED].to_numpy(object) if DATA_SEED in students.columns else None
    if data_seeds is not None and pd.isna(data_seeds).any():
        data_seeds = None
    return _StudentArrays(
        temperatures=students[TEMP].to_numpy(np.float64),
        replicates=students[REPLICATE].to_numpy(),
        students=to_arrays(students, measures),
        baseline=match_baselines(students, done[done[MODEL] == BASELINE], columns, measures),
        teacher=match_teachers(students, done[done[MODEL] == TEACHER], columns, measures),
        data_seeds=data_seeds,
    )


def _list_settings(students: pd.DataFrame, columns: list[str], first_rows: list[int]) -> list[dict[str, Any]]:
    """Return the settings of each cell, from its first row; a null is None."""
    if not columns:
        return [{} for _ in first_rows]
    records = students[columns].iloc[first_rows].to_dict("records")
    return [{str(key): None if pd.isna(value) else value for key, value in record.items()} for record in records]


def _make_cell(settings: dict[str, Any], arrays: _StudentArrays, measure: str) -> Cell:
    T, column = np.unique(arrays.temperatures, return_inverse=True)
    replicates, first_entries, row = np.unique(arrays.replicates, return_index=True, return_inverse=True)
    if len(np.unique(row * len(T) + column)) < len(row):
        _refuse_duplicates(settings)
    students = {}
    for name, values in arrays.students.items():
        students[name] = np.full((len(replicates), len(T)), np.nan)
        students[name][row, column] = values
    rows, columns = select_complete(students[measure])
    students = {name: values[np.ix_(rows, columns)] for name, values in students.items()}
    left_out = [f"T {value:g}" for i, value in enumerate(T) if i not in columns]
    left_out += [f"replicate {name}" for i, name in enumerate(replicates) if i not in rows]
    if NUM_ERROR in students:
        left_out += _describe_test_gaps(replicates[rows], students[NUM_ERROR])
    return Cell(
        settings=settings,
        temperatures=T[columns],
        replicates=[replicates[i] for i in rows],
        students=students,
        baseline={name: values[first_entries[rows]] for name, values in arrays.baseline.items()},
        teacher={name: values[first_entries[rows]] for name, values in arrays.teacher.items()},
        left_out=left_out,
        data_seeds=frozenset() if arrays.data_seeds is None else frozenset(arrays.data_seeds),
    )


def _refuse_duplicates(settings: dict[str, Any]) -> NoReturn:
    cell = format_setting(list(settings), list(settings.values()))
    owner = f"the setting {cell}" if cell else "the table"
    raise RequestError(
        f"two networks of {owner} have the same T and replicate; name the column in which they differ with --cell"
    )


def select_complete(values: Array) -> tuple[list[int], list[int]]:
    """Select rows (replicates) and columns (temperatures) of ``values`` such that no NaN is left.

    A temperature that most replicates lack goes first. Otherwise a replicate goes before a temperature, for
    that might be the best one; unless few replicates are left.
    """
    rows, columns = list(range(values.shape[0])), list(range(values.shape[1]))
    is_gap = np.isnan(values)
    while rows and columns:
        gaps = is_gap[np.ix_(rows, columns)]
        if not gaps.any():
            return rows, columns
        by_row, by_column = gaps.mean(axis=1), gaps.mean(axis=0)
        are_few = len(rows) <= MIN_REPLICATES
        if by_column.max() > 0.5 or (are_few and by_column.max() >= by_row.max()):
            del columns[int(by_column.argmax())]
        else:
            del rows[int(by_row.argmax())]
    return [], []


def _describe_test_gaps(replicates: npt.NDArray[Any], test_errors: Array) -> list[str]:
    """Name the replicates whose test errors (R, k) are known in part: comparisons on the test split leave them out."""
    is_gap = np.isnan(test_errors)
    if is_gap.all():
        return []
    return [f"test errors of replicate {name}" for name in replicates[is_gap.any(axis=1)]]
