"""Refuse tables in which several rows are one run: those of several epochs, or of the same T and replicate."""

from __future__ import annotations

import pandas as pd

from kdtune.columns import DONE, MODEL, REPLICATE, RESULT_COLUMNS, SCORE, STATUS, STUDENT, TEMP
from kdtune.errors import RequestError
from kdtune.foreign.column_names import describe_columns, is_epoch_name, split_words
from kdtune.text import pluralize

_SPLIT_NAMES = {"split", "phase", "subset", "stage", "partition", "fold"}
_SPLITS = {"train", "training", "val", "valid", "validation", "dev", "test", "eval", "holdout"}


def refuse_epochs(table: pd.DataFrame, columns: list[str], id_columns: list[str]) -> None:
    """Raise RequestError if a table has a row for each epoch of each run.

    Parameters
    ----------
    table : The whole table, bookkeeping included.
    columns : The columns that name a run, T and replicate included where there is one.
    id_columns : The columns that may hold ids of runs.
    """
    id_columns = [name for name in id_columns if {"id", "name", "uuid"} & set(split_words(name))]
    epochs = [name for name in table.columns if is_epoch_name(split_words(name)) and name not in columns]
    checkpoints = [name for name in table.columns if split_words(name)[-1:] in (["checkpoint"], ["ckpt"])]
    epochs += [name for name in checkpoints if name not in columns]
    students = table[(table[MODEL] == STUDENT) & (table[STATUS] == DONE)]
    for name in epochs:
        if students[name].nunique() < 2:
            continue
        for id_column in id_columns:
            ids = students[id_column]
            if ids.notna().all() and not ids.is_unique and not students.duplicated([id_column, name]).any():
                _refuse_epochs(students, [id_column], name)
        # Every run, or every group of runs without names, has each epoch equally often.
        rows = students.groupby([*columns, name], dropna=False).size()
        is_even = bool((rows.groupby(level=list(range(len(columns))), dropna=False).nunique() == 1).all())
        rows_per_epoch = students.groupby(name).size()
        has_same_epochs = rows_per_epoch.nunique() == 1 and len(rows_per_epoch) > 2
        is_sequence = bool((rows == 1).all()) and REPLICATE in columns
        firsts = students.groupby(columns, dropna=False)[name].agg(["min", "nunique"])
        starts_alike = bool(((firsts["min"] == students[name].min()) & (firsts["nunique"] > 2)).mean() > 0.9)
        if students.duplicated(columns).any() and (is_sequence or (is_even and has_same_epochs) or starts_alike):
            _refuse_epochs(students, columns, name)


def refuse_splits(table: pd.DataFrame, columns: list[str] | None) -> None:
    """Raise RequestError if a table has a row for each split of each run, so that training errors count as results.

    Parameters
    ----------
    table : The whole table.
    columns : The columns that the user names settings; None for none.
    """
    for name in table.columns:
        if " ".join(split_words(name)) not in _SPLIT_NAMES or name in (columns or []) or table[name].dtype.kind != "O":
            continue
        values = {str(value).lower() for value in table[name].dropna().unique()}
        if len(values) > 1 and values <= _SPLITS:
            quoted = name if name.isidentifier() else f"`{name}`"
            raise RequestError(
                f"the table has several rows per run, one for each {name} ({', '.join(sorted(values))}); "
                f"select one: --where \"{quoted} == '{table[name].dropna().iloc[-1]}'\""
            )


def _refuse_epochs(students: pd.DataFrame, keys: list[str], name: str) -> None:
    last = students.groupby(keys, dropna=False)[name].max()
    if last.nunique() == 1:
        quoted = name if name.isidentifier() else f"`{name}`"
        remedy = f'keep the last row of each: --where "{quoted} == {last.iloc[0]}"'
    else:
        remedy = "export one row per run, with its final or best result"
    raise RequestError(
        f"the table has several rows per run, one for each {name} ({len(students):,} rows of "
        f"{pluralize(len(last), 'run')}); {remedy}; if {name} is a setting, name all settings: --cell ...,{name}"
    )


def refuse_shared_replicates(table: pd.DataFrame, whole_table: pd.DataFrame, cell_columns: list[str]) -> None:
    """Raise RequestError if two students of one cell have the same T and replicate; say in which columns they differ.

    Parameters
    ----------
    table : The table that the analysis gets.
    whole_table : The same rows with the columns that are no settings.
    cell_columns : The columns that name a cell.
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
    measures = {*RESULT_COLUMNS, SCORE}
    differing = [name for name in shown.columns if name not in measures and shown[name].nunique(dropna=False) > 1]
    place = ", ".join(f"{'T' if name == TEMP else name} {_format(first[name])}" for name in keys)
    if differing:
        remedy = (
            f"they differ in {describe_columns(differing, 6)}: name the column that distinguishes settings, as in "
            f"--cell {','.join([*cell_columns, differing[0]])}, or select rows with --where"
        )
    else:
        remedy = (
            "they differ in nothing but their results: if they are replicates, name the column that tells them apart "
            "(--map replicate=NAME); if it is a rerun, remove one of them"
        )
    raise RequestError(
        f"{pluralize(int(is_shared.sum()), 'row')} share T, replicate and setting, as at {place}; {remedy}"
    )


def _format(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
