"""Find out which runs are replicates of each other, and which belong together as pairs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from kdtune.analysis.column_values import has_several_values
from kdtune.analysis.option_texts import suggest_filled_rows, suggest_map
from kdtune.analysis.row_numbers import Mask, RowNumbers, list_first_of_pairs, number_pairs
from kdtune.columns import DONE, MODEL, REPLICATE, STATUS, STUDENT, TEMP
from kdtune.errors import RequestError
from kdtune.foreign.column_names import find_seeds, find_weak_replicates, split_words
from kdtune.text import join_names, pluralize

_UNNAMED = (
    "No column tells replicates apart, so runs are not paired and intervals are wider. If a column does: "
    "--map replicate=NAME. If the n-th runs of all T share a seed: --paired-by-order."
)
_SINGLE = (
    "Each setting has one run per T, so nothing shows how much results vary by chance. Train each T with several seeds."
)
_PAIRED = "Temperatures are compared within each replicate, so what a seed does to all T alike drops out."
_MIN_COMPLETE = 0.5  # the share of runs that must have partners at most T; else runs are analyzed as unpaired


def name_replicates(
    table: pd.DataFrame, own_names: Mapping[str, str], cell_columns: Sequence[str] = ()
) -> tuple[pd.DataFrame, list[str]]:
    """Rename the column of seeds to ``REPLICATE``; several that vary name the replicate together.

    Parameters
    ----------
    table : The table with ``MODEL`` and ``TEMP``.
    own_names : kdtune's name of a column -> the table's own, where they differ.
    cell_columns : The columns that the user names settings.

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
    students = table if is_student.all() else table[is_student]
    seeds = _drop_settings(find_seeds(table.columns), cell_columns)
    varying = [name for name in seeds if has_several_values(students[name])]
    if len(varying) > 1:  # Beside numbers, words ("pretrained" in a column init) are no further seeds.
        varying = [name for name in varying if _has_only_whole_numbers(students[name])] or varying
    if REPLICATE in varying:
        varying = [REPLICATE]
    named = varying or [
        name for name in find_weak_replicates(table.columns) if _goes_through_temperatures(students, name)
    ]
    if not named:
        first_values = {name: students[name].dropna().iloc[0] for name in seeds if students[name].notna().any()}
        notes = [
            f"{own_names.get(name, name)} has one value only among finished distilled students ({value}), so it tells "
            f"no replicates apart."
            for name, value in first_values.items()
        ]
        return table.drop(columns=REPLICATE, errors="ignore"), notes
    for name in named:
        _refuse_blanks(students[name], own_names.get(name, name))
    if len(named) > 1:
        joined = table[named].map(str).agg("/".join, axis=1).where(table[named].notna().any(axis=1), None)
        note = (
            f"{join_names(named)} name the replicate together: runs that agree in all of them are one replicate; "
            f"to choose one: {suggest_map(REPLICATE, named[0])}."
        )
        return table.drop(columns=named).assign(**{REPLICATE: joined}), [note]
    table = table.drop(columns=REPLICATE) if named != [REPLICATE] and REPLICATE in table.columns else table
    own_name = own_names.get(named[0], named[0])
    note = f"The replicate is the column {own_name}: runs with the same value there belong together."
    return table.rename(columns={named[0]: REPLICATE}), [note]


def _drop_settings(seeds: list[str], cell_columns: Sequence[str]) -> list[str]:
    """Return the columns of seeds that the user does not name settings; ``seed`` itself is none, whatever is said."""
    others = [name for name in seeds if name not in cell_columns]
    return others or [name for name in seeds if {"seed", "replicate"} & set(split_words(name))]


def _has_only_whole_numbers(column: pd.Series) -> bool:
    """Return whether a column has whole numbers, perhaps written as text, as seeds are."""
    if column.dtype.kind in "iu":
        return True
    numbers = pd.to_numeric(column.dropna(), errors="coerce")
    return column.dtype.kind != "b" and bool((numbers % 1 == 0).all())


def _goes_through_temperatures(students: pd.DataFrame, name: str) -> bool:
    """Return whether most values of a column occur at most of the temperatures, as those of a replicate do."""
    temperatures = students.groupby(name)[TEMP].nunique()
    return len(temperatures) > 1 and float(temperatures.median()) > max(1, students[TEMP].nunique() / 2)


def _refuse_blanks(column: pd.Series, own_name: str) -> None:
    """Raise RequestError if some runs have no replicate though others have one."""
    n_blank = int(column.isna().sum())
    if n_blank:
        verb = "has" if n_blank == 1 else "have"
        raise RequestError(
            f"{own_name}: it names the replicate, but {pluralize(n_blank, 'row')} of distilled students {verb} none; "
            f"fill them in, or leave these rows out: {suggest_filled_rows(own_name)}"
        )


def pair_replicates(
    rows: RowNumbers, cell_columns: list[str], is_paired_by_order: bool
) -> tuple[pd.DataFrame, list[str]]:
    """Give each student its replicate, or null to all if the runs of different T do not belong together.

    Parameters
    ----------
    rows : The table with ``MODEL``, ``STATUS`` and ``TEMP``; ``REPLICATE`` if a column names it.
    cell_columns : The columns that name a cell.
    is_paired_by_order : Whether the n-th runs of all T belong together.

    Raises
    ------
    RequestError
        If runs shall be paired by their order, though replicates pair them.
    """
    table = rows.table
    is_student = rows.find_rows(MODEL, STUDENT)
    has_names = REPLICATE in table.columns and bool((is_student & table[REPLICATE].notna()).any())
    notes: list[str] = []
    if has_names:
        table, notes = _unpair_if_needed(rows, cell_columns, is_student & rows.find_rows(STATUS, DONE))
    if is_paired_by_order:
        if has_names and table[REPLICATE].notna().any():
            raise RequestError(
                "--paired-by-order is for runs that no column pairs, but the replicates do; leave it out"
            )
        return _number_by_order(table, cell_columns)
    if not has_names:
        table = table.assign(**{REPLICATE: pd.Series([None] * len(table), index=table.index, dtype=object)})
        if not _has_several_runs(table[is_student], cell_columns):
            return table, [_SINGLE]
        return table, [_UNNAMED]
    return table, notes


def _unpair_if_needed(rows: RowNumbers, columns: list[str], is_run: Mask) -> tuple[pd.DataFrame, list[str]]:
    """Remove the replicates' names if they pair (almost) no runs: each run has a seed of its own.

    Parameters
    ----------
    rows : The table, and the numbers of its rows.
    columns : The columns that name a cell.
    is_run : Which rows are students that are done.
    """
    table = rows.table
    if not is_run.any():
        return table, []
    cell, temperature, replicate = (rows.number_selected(names, is_run) for names in (columns, [TEMP], [REPLICATE]))
    cells_of_T = list_first_of_pairs(cell, temperature)
    group, cells_of_group = number_pairs(cell, replicate)  # the runs of one cell and replicate
    groups_of_T = list_first_of_pairs(group, temperature)
    n_all = np.bincount(cells_of_T)[cells_of_group]  # temperatures of the group's cell
    n_temperatures = np.bincount(groups_of_T)  # and of the group itself
    if n_all.max() < 2 or len(cells_of_T) == len(cell):
        return table, []
    is_alone = bool((n_temperatures == 1).all())
    is_mostly_alone = n_temperatures[n_temperatures > n_all / 2].sum() < _MIN_COMPLETE * n_temperatures.sum()
    if not is_alone and not is_mostly_alone:
        return table, [_PAIRED]
    reason = (
        "No replicate has two temperatures: each run has a seed (or another name) of its own, so runs are not paired. "
        "To pair them, give runs of different T the same seed."
        if is_alone
        else "Most replicates have only a few of the temperatures. Runs are not paired, since pairs would leave out "
        "most of them. To pair them, train all T with the same seeds."
    )
    unnamed = pd.Series([None] * len(table), index=table.index, dtype=object)
    return table.assign(**{REPLICATE: unnamed}), [reason]


def _has_several_runs(students: pd.DataFrame, cell_columns: list[str]) -> bool:
    """Return whether any cell and T has two runs."""
    return bool(students.duplicated([*cell_columns, TEMP]).any())


def _number_by_order(table: pd.DataFrame, cell_columns: list[str]) -> tuple[pd.DataFrame, list[str]]:
    """Give the runs of each cell and T numbers in the order of the rows."""
    number = table.groupby([MODEL, TEMP, *cell_columns], dropna=False).cumcount()
    return table.assign(**{REPLICATE: number}), [
        "Runs are paired by the order of the rows: the n-th run of each T is replicate n."
    ]
