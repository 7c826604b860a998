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

MIN_REPLICATES = 3  # A cell with fewer replicates is flagged: they show little of the noise.
MEASURES = (VAL_NUM_ERROR, VAL_NLL, NUM_ERROR, ACCURACY, NLL, ECE, N_PARAMS)
_CELL, _FAILED = "_cell", "_failed"  # temporary columns


@dataclass(frozen=True)
class Cell:
    """The distilled students that differ only in T and replicate, with the networks that they are compared with."""

    settings: dict[str, Any]  # the columns that name the cell, with their values
    temperatures: Array  # (k,), ascending
    replicates: list[Any]  # (R,): the names of the replicates
    student_measures: dict[str, Array]  # measure name -> array (replicates, temperatures)
    baseline_measures: dict[str, Array]  # measure name -> array (replicates,), NaN where there is no baseline
    teacher_measures: dict[str, Array]  # measure name -> array (replicates,), NaN where there is no teacher
    left_out: list[str] = field(default_factory=list)  # the temperatures and replicates that are incomplete, in words
    data_seeds: frozenset[Any] = frozenset()  # the seeds of its students' data; empty if the table does not have them

    def describe(self) -> str:
        """Write the settings of the cell, as in "class_sep 0.2, width 50"."""
        return format_setting(list(self.settings), list(self.settings.values()))


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


def split_into_cells(table: pd.DataFrame, columns: Sequence[str], measure: str) -> list[Cell]:
    """Split a table into cells, each with the replicates and temperatures for which ``measure`` is complete.

    A cell in which nothing is complete has no replicates and no temperatures.

    Parameters
    ----------
    table : One row per network.
    columns : The columns that name a cell.
    measure : The measure that T is chosen by.

    Raises
    ------
    RequestError
        If two networks of one cell have the same T and replicate.
    """
    columns = list(columns)
    measures = [name for name in MEASURES if name in table.columns]
    used_columns = {*columns, *measures, MODEL, STATUS, REPLICATE, TEMP, ID, TEACHER_ID, DATA_SEED}
    table = table[[name for name in table.columns if name in used_columns]]  # Sorting all columns takes long.
    students = _sort_students(_number_cells(table[table[MODEL] == STUDENT], columns))
    students = _drop_failures(students, measures)
    arrays = _read_arrays(students, select_done(table), columns, measures)
    # The rows are sorted by cell, so a cell begins where the cell number changes and ends where the next one begins.
    starts = np.flatnonzero(np.diff(students[_CELL].to_numpy(), prepend=-1)).tolist()
    ends = [*starts, len(students)][1:]
    cells = []
    for settings, start, end in zip(_list_settings(students, columns, starts), starts, ends, strict=True):
        cells.append(_make_cell(settings, arrays.select_range(start, end), measure))
    return cells


def _number_cells(students: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
    """Add to each student the number of its cell, in the order of the columns' values."""
    if not columns:
        return students.assign(**{_CELL: 0})
    return students.assign(**{_CELL: students.groupby(columns, dropna=False, sort=True).ngroup()})


def _sort_students(students: pd.DataFrame) -> pd.DataFrame:
    """Sort students by cell, replicate and T; of the same cell, replicate and T those that failed come last."""
    keys = [_CELL, REPLICATE, TEMP]
    is_failed = students[STATUS] != DONE
    if is_failed.any():  # One key less sorts faster.
        keys.append(_FAILED)
    return students.assign(**{_FAILED: is_failed}).sort_values(keys, kind="stable")


def _drop_failures(students: pd.DataFrame, measures: list[str]) -> pd.DataFrame:
    """Drop failed students that were repeated, and remove the measures of the other failed students.

    Parameters
    ----------
    students : The students in the order of ``_sort_students``.
    """
    if not students[_FAILED].any():
        return students
    is_repeated = students.duplicated([_CELL, REPLICATE, TEMP])
    students = students[~(students[_FAILED] & is_repeated)]
    known_measures = {name: students[name].where(~students[_FAILED]) for name in measures}
    return students.assign(**known_measures)


def _read_arrays(students: pd.DataFrame, done: pd.DataFrame, columns: list[str], measures: list[str]) -> _StudentArrays:
    """Read the students' columns as arrays, and match each student with its baseline and its teacher."""
    data_seeds = students[DATA_SEED].to_numpy(object) if DATA_SEED in students.columns else None
    if data_seeds is not None and pd.isna(data_seeds).any():
        data_seeds = None
    return _StudentArrays(
        temperatures=students[TEMP].to_numpy(np.float64),
        replicates=students[REPLICATE].to_numpy(),
        student_measures=to_arrays(students, measures),
        baseline_measures=match_baselines(students, done[done[MODEL] == BASELINE], columns, measures),
        teacher_measures=match_teachers(students, done[done[MODEL] == TEACHER], columns, measures),
        data_seeds=data_seeds,
    )


def _list_settings(students: pd.DataFrame, columns: list[str], first_rows: list[int]) -> list[dict[str, Any]]:
    """Return the settings of each cell, from its first row; a null is None."""
    if not columns:
        return [{} for _ in first_rows]
    records = students[columns].iloc[first_rows].to_dict("records")
    return [{str(key): None if pd.isna(value) else value for key, value in record.items()} for record in records]


def _make_cell(settings: dict[str, Any], arrays: _StudentArrays, measure: str) -> Cell:
    """Arrange the students of one cell by replicate and temperature, without those that are incomplete."""
    T, temperature_index = np.unique(arrays.temperatures, return_inverse=True)
    replicates, first_rows, replicate_index = np.unique(arrays.replicates, return_index=True, return_inverse=True)
    if len(np.unique(replicate_index * len(T) + temperature_index)) < len(replicate_index):
        _refuse_duplicates(settings)
    all_measures = {}
    for name, values in arrays.student_measures.items():
        all_measures[name] = np.full((len(replicates), len(T)), np.nan)
        all_measures[name][replicate_index, temperature_index] = values
    complete_replicates, complete_temperatures = select_complete(all_measures[measure])
    complete_entries = np.ix_(complete_replicates, complete_temperatures)
    student_measures = {name: values[complete_entries] for name, values in all_measures.items()}
    left_out = [f"T {value:g}" for i, value in enumerate(T) if i not in complete_temperatures]
    left_out += [f"replicate {name}" for i, name in enumerate(replicates) if i not in complete_replicates]
    if NUM_ERROR in student_measures:
        left_out += _describe_test_gaps(replicates[complete_replicates], student_measures[NUM_ERROR])
    baselines, teachers = {}, {}
    for name, values in arrays.baseline_measures.items():
        baselines[name] = _take_first(values, first_rows, replicate_index)[complete_replicates]
    for name, values in arrays.teacher_measures.items():
        teachers[name] = _take_first(values, first_rows, replicate_index)[complete_replicates]
    return Cell(
        settings=settings,
        temperatures=T[complete_temperatures],
        replicates=[replicates[i] for i in complete_replicates],
        student_measures=student_measures,
        baseline_measures=baselines,
        teacher_measures=teachers,
        left_out=left_out,
        data_seeds=frozenset() if arrays.data_seeds is None else frozenset(arrays.data_seeds),
    )


def _take_first(values: Array, first_rows: npt.NDArray[np.int_], replicate_index: npt.NDArray[np.int_]) -> Array:
    """Return the first value of each replicate that is not NaN: the row of a failed student may lack its teacher.

    Parameters
    ----------
    values : (networks,): The values of a measure.
    first_rows : (R,): The index of each replicate's first network.
    replicate_index : (networks,): The index of each network's replicate.

    Returns
    -------
    (R,): The first values, NaN where a replicate has none.
    """
    first_values: Array = values[first_rows]
    is_known = ~np.isnan(values)
    if np.isnan(first_values).any() and is_known.any():
        known_replicates, first_known = np.unique(replicate_index[is_known], return_index=True)
        first_values[known_replicates] = values[is_known][first_known]
    return first_values


def _refuse_duplicates(settings: dict[str, Any]) -> NoReturn:
    """Raise RequestError: two networks of a cell have the same T and replicate."""
    setting = format_setting(list(settings), list(settings.values()))
    subject = f'Setting "{setting}"' if setting else "The table"
    raise RequestError(
        f"{subject} has two networks with the same T and replicate. "
        "Use --cell to name the column that distinguishes them."
    )


def select_complete(values: Array) -> tuple[list[int], list[int]]:
    """Select replicates and temperatures such that no NaN is left.

    As long as there is a NaN, drop the replicate or the temperature with the largest share of NaN:

    1. A temperature, if more than half of the replicates lack it.
    2. A temperature, if few replicates are left and it lacks at least as large a share as any replicate.
    3. Otherwise a replicate, because the temperature might be the best one.

    Parameters
    ----------
    values : (R, k): The values of R replicates at k temperatures.

    Returns
    -------
    The indices of the replicates and those of the temperatures. Both are empty if nothing is complete.
    """
    replicates, temperatures = list(range(values.shape[0])), list(range(values.shape[1]))
    is_gap = np.isnan(values)
    while replicates and temperatures:
        gaps = is_gap[np.ix_(replicates, temperatures)]
        if not gaps.any():
            return replicates, temperatures
        replicate_gaps, temperature_gaps = gaps.mean(axis=1), gaps.mean(axis=0)
        has_few_replicates = len(replicates) <= MIN_REPLICATES
        is_mostly_missing = temperature_gaps.max() > 0.5
        if is_mostly_missing or (has_few_replicates and temperature_gaps.max() >= replicate_gaps.max()):
            del temperatures[int(temperature_gaps.argmax())]
        else:
            del replicates[int(replicate_gaps.argmax())]
    return [], []


def _describe_test_gaps(replicates: npt.NDArray[Any], test_errors: Array) -> list[str]:
    """Name the replicates that lack some of their test errors (R, k): comparisons on the test split leave them out."""
    is_gap = np.isnan(test_errors)
    if is_gap.all():
        return []
    return [f"test errors of replicate {name}" for name in replicates[is_gap.any(axis=1)]]
