"""A table's cells as arrays, replicates by temperatures: what the statistics work on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from kdtune.analysis.cells import is_students_only, select_data_columns, select_done
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
    TRAINING_COLUMNS,
    VAL_NLL,
    VAL_NUM_ERROR,
)
from kdtune.errors import RequestError
from kdtune.statistics.smooth_minimum import Array

FEW_REPLICATES = 3  # replicates: fewer show little
MEASURES = (
    VAL_NUM_ERROR,
    VAL_NLL,
    NUM_ERROR,
    ACCURACY,
    NLL,
    ECE,
    N_PARAMS,
)


@dataclass(frozen=True)
class Cell:
    """The distilled students that differ in T and replicate alone, and who they are compared with."""

    names: dict[str, Any]  # the columns that name it
    temperatures: Array  # (k,), ascending
    replicates: list[Any]  # (R,)
    students: dict[str, Array]  # of each measure (R, k)
    baseline: dict[str, Array]  # of each measure (R,), NaN where there is none
    teacher: dict[str, Array]
    left_out: list[str] = field(default_factory=list)  # what was incomplete, in words
    data_seeds: frozenset[Any] = frozenset()  # of its students' data; none if the table does not say


def split_into_cells(table: pd.DataFrame, columns: Sequence[str], decide: str) -> Iterator[Cell]:
    """Each cell in turn, with the replicates and temperatures for which the measure ``decide`` is complete.

    Raises
    ------
    RequestError
        If two networks of one cell have the same T and replicate.
    """
    measures = [name for name in MEASURES if name in table.columns]
    keys = list(columns)
    used = {
        *keys,
        *measures,
        MODEL,
        STATUS,
        REPLICATE,
        TEMP,
        ID,
        TEACHER_ID,
        DATA_SEED,
    }
    table = table[[name for name in table.columns if name in used]]  # sorting whole rows takes long
    good = select_done(table)
    students = table[table[MODEL] == STUDENT]
    code = students.groupby(keys, dropna=False, sort=True).ngroup() if keys else pd.Series(0, students.index)
    students = students.assign(_cell=code).sort_values(["_cell", REPLICATE, TEMP], kind="stable")
    students = _without_failures(students, measures)
    others = {model: _of_others(good, students, keys, measures, model) for model in (BASELINE, TEACHER)}
    bounds = np.flatnonzero(np.diff(students["_cell"].to_numpy(), prepend=-1, append=-2))
    values = {name: students[name].to_numpy(np.float64, na_value=np.nan) for name in measures}
    temperatures, replicates = students[TEMP].to_numpy(np.float64), students[REPLICATE].to_numpy()
    seeds = students[DATA_SEED].to_numpy(object) if DATA_SEED in students.columns else None
    if seeds is not None and pd.isna(seeds).any():
        seeds = None
    named: list[dict[str, Any]] = [{} for _ in bounds[:-1]]
    if keys:
        named = students[keys].iloc[bounds[:-1]].to_dict("records")  # type: ignore[assignment]
    for names, start, end in zip(named, bounds, bounds[1:], strict=False):
        own = slice(start, end)
        T, column = np.unique(temperatures[own], return_inverse=True)
        which, first, row = np.unique(replicates[own], return_index=True, return_inverse=True)
        if len(np.unique(row * len(T) + column)) < end - start:
            raise RequestError(
                f"two networks of {f'the cell {words(names)}' if names else 'the table'} have the same T and "
                f"replicate; name the column that tells them apart with --cell"
            )
        arrays = {}
        for name in measures:
            arrays[name] = np.full((len(which), len(T)), np.nan)
            arrays[name][row, column] = values[name][own]
        rows, kept = select_complete(arrays[decide])
        baseline, teacher = (
            {name: array[start + first[rows]] for name, array in others[model].items()} for model in others
        )
        yield Cell(
            {key: None if pd.isna(value) else value for key, value in names.items()},
            T[kept],
            [which[i] for i in rows],
            {name: array[np.ix_(rows, kept)] for name, array in arrays.items()},
            baseline,
            teacher,
            _left_out(T, which, rows, kept) + _unknown(which[rows], arrays.get(NUM_ERROR), rows, kept),
            frozenset() if seeds is None else frozenset(seeds[own]),
        )


def _without_failures(students: pd.DataFrame, measures: list[str]) -> pd.DataFrame:
    """Networks that failed have no figures; where one of the same T and replicate is done, they are not there."""
    failed = students[STATUS] != DONE
    if not failed.any():
        return students
    again = students.assign(_failed=failed).sort_values(["_cell", REPLICATE, TEMP, "_failed"], kind="stable")
    again = again[~(again["_failed"] & again.duplicated(["_cell", REPLICATE, TEMP]))]
    return again.assign(**{name: again[name].where(~again["_failed"]) for name in measures}).drop(columns="_failed")


def select_complete(values: Array) -> tuple[list[int], list[int]]:
    """Rows (replicates) and columns (temperatures) of a part without gaps.

    A temperature that most replicates lack goes. Otherwise a replicate goes before a temperature, for
    that might be the best one; unless few are left.
    """
    rows, columns = list(range(values.shape[0])), list(range(values.shape[1]))
    gaps = np.isnan(values)
    while len(rows) and len(columns) and (inside := gaps[np.ix_(rows, columns)]).any():
        by_row, by_column = inside.mean(axis=1), inside.mean(axis=0)
        if by_column.max() > 0.5 or (len(rows) <= FEW_REPLICATES and by_column.max() >= by_row.max()):
            del columns[int(by_column.argmax())]
        else:
            del rows[int(by_row.argmax())]
    return (rows, columns) if rows and columns else ([], [])


def _left_out(T: Array, replicates: Any, rows: list[int], columns: list[int]) -> list[str]:
    said = [f"T {value:g}" for i, value in enumerate(T) if i not in columns]
    return said + [f"replicate {name}" for i, name in enumerate(replicates) if i not in rows]


def _unknown(replicates: Any, test: Array | None, rows: list[int], columns: list[int]) -> list[str]:
    """Replicates of which the test split knows a part only: what needs the rest is compared without them."""
    if test is None:
        return []
    gaps = np.isnan(test[np.ix_(rows, columns)])
    return [] if gaps.all() else [f"test errors of replicate {name}" for name in replicates[gaps.any(axis=1)]]


def _of_others(
    good: pd.DataFrame, students: pd.DataFrame, keys: list[str], measures: list[str], model: str
) -> dict[str, Array]:
    """For each student, the measures of its baseline or teacher in the same replicate; NaN where there is none."""
    rows = good[good[MODEL] == model]
    if model == TEACHER and {ID, TEACHER_ID} <= {*students} and students[TEACHER_ID].notna().any():
        found = students[[TEACHER_ID]].merge(
            rows[[ID, *measures]].drop_duplicates(ID),
            how="left",
            left_on=TEACHER_ID,
            right_on=ID,
        )
        return {name: found[name].to_numpy(np.float64, na_value=np.nan) for name in measures}
    # A setting of the teacher or of the distilled alone tells baselines apart no further; of a teacher only data do.
    shared = select_data_columns(keys) if model == TEACHER else [key for key in keys if not is_students_only(key)]
    unknown = model == TEACHER and any(key.startswith("teacher_") for key in keys)  # several, and no ids
    if rows.empty or unknown:
        return {name: np.full(len(students), np.nan) for name in measures}
    shared = [key for key in shared if _applies(rows[key], students[key])]
    shared += [REPLICATE] if rows[REPLICATE].notna().any() or not shared else []
    means = rows.groupby(shared, dropna=False)[measures].mean().reset_index()
    found = students[shared].merge(means, how="left", on=shared)
    return {name: found[name].to_numpy(np.float64, na_value=np.nan) for name in measures}


def _applies(theirs: pd.Series, own: pd.Series) -> bool:
    """Whether a setting tells baselines apart: not if they have none, or if the distilled train in another way."""
    trained_otherwise = theirs.name in TRAINING_COLUMNS and not theirs.isin(own).any()
    return bool(theirs.notna().any()) and not trained_otherwise


def words(names: dict[str, Any]) -> str:
    """A cell in words: class_sep 0.2, width 50."""
    said = ((name, value) for name, value in names.items() if value is not None and not pd.isna(value))
    return ", ".join(f"{name} {value:g}" if isinstance(value, float) else f"{name} {value}" for name, value in said)
