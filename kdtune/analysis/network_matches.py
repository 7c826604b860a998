"""Match students with the baselines or the teachers that share their settings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from kdtune.analysis.match_keys import encode_keys, encode_rows, names_teacher, select_keys
from kdtune.analysis.match_notes import describe_matches
from kdtune.analysis.network_pools import Booleans, compare_replicates, find_differences, make_pools
from kdtune.analysis.pool_matches import PoolMatches
from kdtune.analysis.value_spellings import Integers
from kdtune.columns import BASELINE, DATA_SEED, ID, REPLICATE, TEACHER_ID
from kdtune.statistics.standard_errors import Array

CELL = "_cell"  # the column of students with the number of their cell


@dataclass(frozen=True)
class Matches:
    """The networks of one role that students are compared with: their baselines or their teachers."""

    measures: dict[str, Array]  # measure name -> array (students,): those of each student's network, NaN without one
    notes: list[str]  # what was matched or left out, in sentences; empty where all is as in a sweep of kdtune
    list_rows: Callable[[], list[Integers]]

    @cached_property
    def rows_of_cell(self) -> list[Integers]:
        """The positions of the rows that the students of each cell are compared with, over all replicates.

        Where rows repeat a network, as for each T, one of them stands for all.
        """
        return self.list_rows()


def match_nothing(students: pd.DataFrame, measures: list[str]) -> Matches:
    """Return that the students are compared with no network."""
    n_cells = len(_find_first_rows(students))
    unknown_measures = {name: np.full(len(students), np.nan) for name in measures}
    return Matches(unknown_measures, [], lambda: [np.empty(0, np.intp)] * n_cells)


def match_by_settings(
    students: pd.DataFrame, networks: pd.DataFrame, columns: list[str], measures: list[str], role: str
) -> Matches:
    """Match each student with the network that has the same keys, and the same replicate where it has all of them.

    Where a network lacks replicates of its students, the mean over its rows is compared with each of them. Different
    networks are never averaged: a cell that matches several is compared with none.

    Parameters
    ----------
    students : One row per student, sorted by ``CELL``, with the columns that name a cell and ``REPLICATE``. Any other
        columns tell apart several networks that match a cell.
    networks : One row per baseline or teacher that is done.
    columns : The columns that name a cell.
    measures : The columns of measures.
    role : BASELINE or TEACHER.
    """
    if networks.empty or students.empty:
        return match_nothing(students, measures)
    cells = students.iloc[_find_first_rows(students)]
    teacher_columns = [] if role == BASELINE else _list_teacher_columns(students, cells)
    keys = select_keys(cells, networks, dict.fromkeys([*columns, *teacher_columns]), role)
    matches = _match_by_keys(students, cells, networks, columns, keys, measures, role)
    other_columns = [name for name in matches.differences if name not in columns and _is_of_cells(students, name)]
    other_keys = select_keys(cells, networks, other_columns, role)
    if other_keys:
        matches = _match_by_keys(students, cells, networks, columns, [*keys, *other_keys], measures, role)
    return Matches(
        measures=matches.read_measures(students[CELL].to_numpy(), measures),
        notes=describe_matches(matches, measures),
        list_rows=lambda: matches.list_rows(measures),
    )


def _match_by_keys(
    students: pd.DataFrame,
    cells: pd.DataFrame,
    networks: pd.DataFrame,
    columns: list[str],
    keys: list[str],
    measures: list[str],
    role: str,
) -> PoolMatches:
    """Match cells with the networks that have the same keys, and find out what is against comparing them."""
    pools = make_pools(encode_keys(cells, networks, keys))
    student_pools = pools.of_cells[students[CELL].to_numpy()]
    replicates = compare_replicates(student_pools, students[REPLICATE], networks[REPLICATE], pools)
    teacher_columns = [] if role == BASELINE else _list_teacher_columns(students, cells)
    other_teacher_columns = [name for name in teacher_columns if name not in keys]
    return PoolMatches(
        role=role,
        columns=columns,
        keys=keys,
        cells=cells,
        networks=networks,
        pools=pools,
        replicates=replicates,
        differences=find_differences(networks, pools, replicates, keys, measures, role),
        teacher_columns=other_teacher_columns,
        has_unknown_teacher=_have_unknown_teacher(cells, pools.of_cells, other_teacher_columns),
        is_sweep=_is_sweep(students),
    )


def _find_first_rows(students: pd.DataFrame) -> Integers:
    """Return the positions of the first student of each cell."""
    return np.flatnonzero(np.diff(students[CELL].to_numpy(), prepend=-1))


def _list_teacher_columns(students: pd.DataFrame, cells: pd.DataFrame) -> list[str]:
    """Return the columns that name the students' teacher and have one value in each cell, but not in all."""
    names = [name for name in cells.columns if names_teacher(name) and cells[name].nunique(dropna=False) > 1]
    return [name for name in names if _is_of_cells(students, name)]


def _is_of_cells(students: pd.DataFrame, name: str) -> bool:
    """Return whether students have a column that has one value in each cell."""
    if name not in students.columns:
        return False
    numbers = pd.factorize(students[name], use_na_sentinel=False)[0]
    return bool((numbers == numbers[_find_first_rows(students)][students[CELL].to_numpy()]).all())


def _have_unknown_teacher(cells: pd.DataFrame, cell_pools: Integers, teacher_columns: list[str]) -> Booleans:
    """Return for each cell whether its students have another teacher than other students of the same pool.

    Parameters
    ----------
    cells : One row per cell.
    cell_pools : (cells,): The pool of each cell.
    teacher_columns : The columns that name the students' teacher, in which the rows of teachers say nothing.
    """
    if not teacher_columns:
        return np.zeros(len(cells), bool)
    teachers = encode_rows(np.column_stack([_encode_values(cells[name]) for name in teacher_columns]))
    pool_numbers = encode_rows(cell_pools[:, None])
    first_teachers = teachers[np.unique(pool_numbers, return_index=True)[1]]
    differs = teachers != first_teachers[pool_numbers]
    return (cell_pools >= 0) & (np.bincount(pool_numbers[differs], minlength=len(first_teachers)) > 0)[pool_numbers]


def _encode_values(values: pd.Series) -> Integers:
    return np.asarray(pd.factorize(values, use_na_sentinel=False)[0])


def _is_sweep(students: pd.DataFrame) -> bool:
    """Return whether students are of a sweep of kdtune: a baseline that lacks a replicate has failed or is to come."""
    names = (ID, TEACHER_ID, DATA_SEED, REPLICATE)
    return all(name in students.columns and bool(students[name].notna().any()) for name in names)
