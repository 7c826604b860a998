"""Find out which runs are replicates of each other, and which belong together as pairs."""

from __future__ import annotations

import shlex

import numpy as np
import numpy.typing as npt
import pandas as pd

from kdtune.analysis.cells import find_cell_columns
from kdtune.columns import DONE, MODEL, REPLICATE, STATUS, STUDENT, TEMP
from kdtune.errors import RequestError
from kdtune.foreign.column_names import find_seeds, find_weak_replicates
from kdtune.text import join_names, pluralize

Indices = npt.NDArray[np.int64]

_HOW_TO_PAIR = (
    "if runs of different T belong together, name the column that says which: --map replicate=NAME; "
    "if the n-th run of each T belongs to the n-th of the others, add --paired-by-order"
)
_MIN_COMPLETE = 0.5  # the share of runs that must have partners at most T; else runs are analyzed as unpaired


def name_replicates(table: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Rename the column of seeds to ``REPLICATE``; several that vary name the replicate together.

    Returns
    -------
    The table, and notes. Without such a column the table has no ``REPLICATE``.

    Raises
    ------
    RequestError
        If some distilled students have a seed and others have none.
    """
    # A row without T is a baseline, perhaps, of which one may be compared with all replicates.
    is_student = (table[MODEL] == STUDENT) & (pd.to_numeric(table[TEMP], errors="coerce") > 0)
    if STATUS in table.columns:
        is_student &= table[STATUS] == DONE
    students = table[is_student]
    seeds = find_seeds(table.columns)
    varying = [name for name in seeds if students[name].nunique() > 1]
    if REPLICATE in varying:
        varying = [REPLICATE]
    named = varying or [
        name for name in find_weak_replicates(table.columns) if _goes_through_temperatures(students, name)
    ]
    if not named:
        constants = [
            f"{name} is {students[name].iloc[0]} in all rows" for name in seeds if students[name].notna().any()
        ]
        notes = [f"{'; '.join(constants)}: it tells no runs apart."] if constants else []
        return table.drop(columns=REPLICATE, errors="ignore"), notes
    for name in named:
        _refuse_blanks(students[name])
    if len(named) > 1:
        joined = table[named].astype(str).agg("/".join, axis=1).where(table[named].notna().any(axis=1), None)
        note = (
            f"{join_names(named)} name the replicate together: runs that agree in all of them are one replicate; "
            f"to choose one, say --map {REPLICATE}={shlex.quote(named[0])}."
        )
        return table.drop(columns=named).assign(**{REPLICATE: joined}), [note]
    table = table.drop(columns=REPLICATE) if named != [REPLICATE] and REPLICATE in table.columns else table
    return table.rename(columns={named[0]: REPLICATE}), [f"{named[0]} names the replicate."]


def _goes_through_temperatures(students: pd.DataFrame, name: str) -> bool:
    """Return whether most values of a column occur at most of the temperatures, as those of a replicate do."""
    temperatures = students.groupby(name)[TEMP].nunique()
    return len(temperatures) > 1 and float(temperatures.median()) > max(1, students[TEMP].nunique() / 2)


def _refuse_blanks(column: pd.Series) -> None:
    """Raise RequestError if some runs have no replicate though others have one."""
    n_blank = int(column.isna().sum())
    if n_blank:
        name = str(column.name) if str(column.name).isidentifier() else f"`{column.name}`"
        raise RequestError(
            f"{column.name}: it names the replicate, but {pluralize(n_blank, 'row')} of distilled students have none; "
            f'fill them in, or leave these rows out: --where "{name} == {name}"'
        )


def pair_replicates(
    table: pd.DataFrame, cell_columns: list[str] | None, is_paired_by_order: bool
) -> tuple[pd.DataFrame, list[str]]:
    """Give each student its replicate, or null to all if the runs of different T do not belong together.

    Parameters
    ----------
    table : The table with ``MODEL``, ``STATUS`` and ``TEMP``; ``REPLICATE`` if a column names it.
    cell_columns : The columns that name a cell; None for the default.
    is_paired_by_order : Whether the n-th runs of all T belong together.

    Raises
    ------
    RequestError
        If runs shall be paired by their order, though replicates pair them.
    """
    is_student = table[MODEL] == STUDENT
    has_names = REPLICATE in table.columns and table.loc[is_student, REPLICATE].notna().any()
    notes: list[str] = []
    if has_names:
        table, notes = _unpair_if_needed(table, cell_columns)
    if is_paired_by_order:
        if has_names and table[REPLICATE].notna().any():
            raise RequestError(
                "--paired-by-order is for runs that no column pairs, but the replicates do; leave the option out"
            )
        return _number_by_order(table, cell_columns)
    if not has_names:
        table = table.assign(**{REPLICATE: pd.Series([None] * len(table), index=table.index, dtype=object)})
        if not _has_several_runs(table[is_student], cell_columns):
            return table, ["Each setting has one run per T: without replicates nothing can be told about noise."]
        return table, [f"No column names the replicate: the runs of each T are analyzed as unpaired; {_HOW_TO_PAIR}."]
    return table, notes


def _unpair_if_needed(table: pd.DataFrame, cell_columns: list[str] | None) -> tuple[pd.DataFrame, list[str]]:
    """Remove the replicates' names if they pair (almost) no runs: each run has a seed of its own."""
    students = table[(table[MODEL] == STUDENT) & (table[STATUS] == DONE)]
    columns = find_cell_columns(table) if cell_columns is None else cell_columns
    if students.empty:
        return table, []
    # Integers are combined and counted here, which for a million runs is several times as fast as grouping them.
    cell: Indices = np.zeros(len(students), np.int64)
    if columns:
        cell = np.asarray(students.groupby(columns, dropna=False, sort=False).ngroup(), np.int64)
    temperature, replicate = (pd.factorize(students[name])[0] for name in (TEMP, REPLICATE))
    _, cells_of_T = _number_pairs(cell, temperature)
    group, cells_of_group = _number_pairs(cell, replicate)  # the runs of one cell and replicate
    _, groups = _number_pairs(group, temperature)
    n_all = np.bincount(cells_of_T)[cells_of_group]  # temperatures of the group's cell
    n_temperatures = np.bincount(groups)  # and of the group itself
    if n_all.max() < 2 or len(cells_of_T) == len(students):
        return table, []
    paired = ["Runs of one replicate are paired: what it does to all T alike cancels."]
    is_alone = bool((n_temperatures == 1).all())
    is_mostly_alone = n_temperatures[n_temperatures > n_all / 2].sum() < _MIN_COMPLETE * n_temperatures.sum()
    if not is_alone and not is_mostly_alone:
        return table, paired
    reason = (
        "No replicate has two temperatures: each run has a seed (or another name) of its own"
        if is_alone
        else "Most replicates have only a few of the temperatures, so that pairs would leave out most runs"
    )
    unnamed = pd.Series([None] * len(table), index=table.index, dtype=object)
    return table.assign(**{REPLICATE: unnamed}), [f"{reason}; they are analyzed as unpaired."]


def _number_pairs(first: Indices, second: Indices) -> tuple[Indices, Indices]:
    """Give each distinct pair of numbers a number of its own.

    Returns
    -------
    The pair of each entry, and the first number of each pair.
    """
    n_second = int(second.max()) + 1
    number, keys = pd.factorize(first.astype(np.int64) * n_second + second)
    return number, np.asarray(keys) // n_second


def _has_several_runs(students: pd.DataFrame, cell_columns: list[str] | None) -> bool:
    """Return whether any cell and T has two runs."""
    columns = find_cell_columns(students.assign(**{REPLICATE: 0})) if cell_columns is None else cell_columns
    return bool(students.duplicated([*columns, TEMP]).any())


def _number_by_order(table: pd.DataFrame, cell_columns: list[str] | None) -> tuple[pd.DataFrame, list[str]]:
    """Give the runs of each cell and T numbers in the order of the rows."""
    table = table.drop(columns=REPLICATE, errors="ignore")
    if cell_columns is None:
        cell_columns = find_cell_columns(table.assign(**{REPLICATE: 0}))
    number = table.groupby([MODEL, TEMP, *cell_columns], dropna=False).cumcount()
    return table.assign(**{REPLICATE: number}), [
        "Runs are paired by the order of the rows: the n-th run of each T is replicate n."
    ]
