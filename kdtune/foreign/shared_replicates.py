"""Refuse tables in which two runs have the same setting, T and replicate, and say what they may be."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from itertools import combinations
from typing import Any

import pandas as pd

from kdtune.analysis.option_texts import suggest_cell, suggest_map, suggest_rows
from kdtune.columns import (
    BASELINE,
    DONE,
    IDENTITY_COLUMNS,
    MODEL,
    REPLICATE,
    RESULT_COLUMNS,
    SCORE,
    STATUS,
    STUDENT,
    TEACHER,
    TEMP,
)
from kdtune.errors import RequestError
from kdtune.foreign.bookkeeping import holds_dates, is_iso_date, is_surely_bookkeeping
from kdtune.foreign.column_names import find_seeds, is_planned_name, split_words
from kdtune.foreign.mending import MendingError
from kdtune.foreign.options import NO_REPLICATE
from kdtune.foreign.own_names import get_own_name
from kdtune.foreign.role_remedies import guess_roles, write_roles_step
from kdtune.text import format_number, join_names, pluralize

_SHOWN_COLUMNS = 6  # in a message
_MAX_PAIRED = 6  # columns of which two together may name the settings


def refuse_shared_replicates(
    table: pd.DataFrame,
    whole_table: pd.DataFrame,
    cell_columns: list[str],
    other_measures: Sequence[str],
    labels: Sequence[str],
    own_columns: Collection[str],
    own_names: Mapping[str, str],
) -> None:
    """Raise RequestError if two students of one cell have the same T and replicate; say in which columns they differ.

    Parameters
    ----------
    table : The table that the analysis gets.
    whole_table : The same rows with the columns that are no settings.
    cell_columns : The columns that name a cell.
    other_measures : The columns of ``whole_table`` with results that T is not chosen by.
    labels : Its columns that name or date a run.
    own_columns : All columns as the table itself calls them.
    own_names : kdtune's name of a column -> the table's own, where they differ.
    """
    students = table[(table[MODEL] == STUDENT) & (table[STATUS] == DONE)]
    keys = [*cell_columns, TEMP, REPLICATE]
    if students[REPLICATE].isna().all():
        return
    is_shared = students.duplicated(keys, keep=False)
    if not is_shared.any():
        return
    first = students[is_shared].iloc[0]
    rows = students[is_shared]
    for name in keys:
        rows = rows[(rows[name] == first[name]) | (rows[name].isna() & pd.isna(first[name]))]
    shown = whole_table.loc[rows.index]
    measures = [name for name in (*RESULT_COLUMNS, SCORE, *other_measures) if name in shown.columns]
    differing = [name for name in shown.columns if name not in measures and shown[name].nunique(dropna=False) > 1]
    differing.sort(key=lambda name: _rank_label(name, shown, labels))
    _refuse_roles(whole_table.loc[students.index], differing, own_names)
    own_keys = [get_own_name(name, own_names) for name in keys]
    place = ", ".join(f"{name} {format_number(value)}" for name, value in zip(own_keys, first[keys], strict=True))
    same = join_names([*own_keys[-2:], "setting"] if cell_columns else own_keys[-2:])
    if differing:
        own_differing = [get_own_name(name, own_names) for name in differing]
        difference = f"differ in {join_names(own_differing, max_names=_SHOWN_COLUMNS)}"
    else:
        has_equal_results = not (shown[measures].nunique(dropna=False) > 1).any()
        difference = "have equal results" if has_equal_results else "have different results"
    candidates = [name for name in differing if name not in (*IDENTITY_COLUMNS, STATUS) and not find_seeds([name])]
    whole_students = whole_table.loc[students.index]
    once = whole_students.drop_duplicates([name for name in whole_table.columns if name not in labels])
    more = f"If they are more replicates, give each its own {own_keys[-1]}."
    if not students.loc[once.index].duplicated(keys).any():  # --repeats keep has kept rows that repeat others.
        remedies = [more, "If runs were exported or logged twice, write --repeats once instead: each counts once."]
    else:
        remedies = _list_remedies(students[keys], whole_students[candidates], own_names)
        remedies = remedies or [more, "If they are reruns, remove all but one of each from the table."]
        planned = [get_own_name(name, own_names) for name in differing if is_planned_name(name) and name in labels]
        if own_keys[-1] in own_columns:
            why = (
                f"{join_names(planned, max_names=_SHOWN_COLUMNS)} made them differ"
                if planned
                else "each is a run of its own"
            )
            remedies.append(
                f"If {why}, as in a random search, {own_keys[-1]} pairs no runs: "
                f"{suggest_map(REPLICATE, NO_REPLICATE)} leaves it out."
            )
    raise RequestError(
        f"{pluralize(int(is_shared.sum()), 'row')} have the same {same}, as at {place}, where they {difference}. "
        f"{' '.join(remedies)}"
    )


def _refuse_roles(students: pd.DataFrame, names: Sequence[str], own_names: Mapping[str, str]) -> None:
    """Raise RequestError if a column in which runs differ says that some are of teachers or baselines."""
    for name in names:
        roles = guess_roles(students, name)
        if len(set(roles.values())) > 1:
            own_name = get_own_name(name, own_names)
            listed = join_names([repr(str(value)) for value in roles])
            raise MendingError(
                f"runs of one T, replicate and setting differ in {own_name} ({listed}), which seems to say their "
                f"roles: {TEACHER}, {BASELINE} (trained on labels alone) or {STUDENT}. If so, say it with pandas: ",
                [write_roles_step(students, own_name, roles)],
            )


def _list_remedies(runs: pd.DataFrame, labels: pd.DataFrame, own_names: Mapping[str, str]) -> list[str]:
    """Return what to type if runs with equal keys differ in a label: one value is kept, or it names a setting.

    Parameters
    ----------
    runs : The setting, T and replicate of each run.
    labels : The columns in which some differ, of the same runs.
    """
    *cell_columns, _, _ = runs.columns
    n_runs = len(runs.drop_duplicates())
    pairs = combinations(labels.columns[:_MAX_PAIRED], 2)
    candidates = [[name] for name in labels.columns] + [list(pair) for pair in pairs]
    for names in candidates:
        groups = runs.groupby([labels[name] for name in names], dropna=False)[TEMP]
        is_told_apart = not pd.concat([runs, labels[names]], axis=1).duplicated().any()
        if not is_told_apart or groups.nunique().median() < 2:  # an id, or a time
            continue
        own_labels = [get_own_name(name, own_names) for name in names]
        setting = suggest_cell([*(get_own_name(column, own_names) for column in cell_columns), *own_labels])
        verb = "is a setting" if len(names) == 1 else "are settings"
        remedies = [f"If {join_names(own_labels)} {verb}: {setting}."]
        values, which = _list_newest_first(labels[names[0]])
        for value in values if len(names) == 1 else []:
            if len(runs[labels[names[0]] == value].drop_duplicates()) == n_runs:  # No run gets lost.
                return [f"If these are reruns, keep {which}: {suggest_rows(own_labels[0], [value])}.", *remedies]
        return ["If these are reruns, remove all but one of each from the table.", *remedies]
    return []


def _list_newest_first(column: pd.Series) -> tuple[list[Any], str]:
    """Return the values of a column, the newest first, and what to call the first one that is not left out.

    Of dates that do not sort as text does nobody knows which number is the month: the last in the table is the newest.
    """
    values = column.dropna().unique().tolist()
    if column.dtype.kind in "iufM" or (values and all(map(is_iso_date, values))):
        return sorted(values, reverse=True), "one" if column.dtype.kind in "iuf" else "the newest"
    return (values[::-1], "the last") if holds_dates(column) else (values, "one")


def _rank_label(name: str, shown: pd.DataFrame, labels: Sequence[str]) -> int:
    """Return how late a message names a column: what was planned first, ids and times last."""
    if name not in labels or is_planned_name(name):
        return 0
    column = shown[name]
    return 2 if is_surely_bookkeeping(split_words(name), column) or holds_dates(column) else 1
