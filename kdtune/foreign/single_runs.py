"""Refuse tables in which several rows are one run: those of several epochs, or of several splits."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import pandas as pd

from kdtune.analysis.column_values import list_first_values
from kdtune.analysis.option_texts import suggest_cell, suggest_rows, suggest_where, write_column
from kdtune.columns import DONE, MODEL, REPLICATE, STATUS, STUDENT, TEMP, VAL_NUM_ERROR
from kdtune.errors import RequestError
from kdtune.foreign.column_names import is_epoch_name, split_words
from kdtune.foreign.fixed_splits import OTHER_MODES, SPLITS
from kdtune.foreign.measure_names import is_accuracy_name, is_error_name, is_validation_name
from kdtune.foreign.mending import MendingError
from kdtune.foreign.own_names import get_own_name
from kdtune.foreign.schedules import find_schedules
from kdtune.text import join_names, pluralize

_SHOWN_COLUMNS = 4  # in a message


def refuse_epochs(
    table: pd.DataFrame,
    columns: list[str],
    id_columns: list[str],
    own_columns: Collection[str],
    own_names: Mapping[str, str],
) -> None:
    """Raise RequestError if a table has a row for each epoch of each run.

    Parameters
    ----------
    table : The whole table, bookkeeping included, with several rows for some runs.
    columns : The columns that name a run, T and replicate included where there is one.
    id_columns : The columns that may hold ids of runs.
    own_columns : All columns as the table itself calls them.
    own_names : kdtune's name of a column -> the table's own, where they differ.
    """
    id_columns = [name for name in id_columns if {"id", "name", "uuid"} & set(split_words(name))]
    students, filled = _keep_validated(table[(table[MODEL] == STUDENT) & (table[STATUS] == DONE)], own_columns)
    checkpoints = [name for name in table.columns if split_words(name)[-1:] in (["checkpoint"], ["ckpt"])]
    checkpoints = [name for name in checkpoints if name not in columns and students[name].nunique() > 1]
    for name in [*_list_epochs(students, columns), *checkpoints]:
        own_settings = _list_own_settings(students, columns, own_names)
        for id_column in id_columns:
            ids = students[id_column]
            if ids.notna().all() and not ids.is_unique and not students.duplicated([id_column, name]).any():
                command = _write_last_rows(students, [id_column], name, [id_column])
                _refuse_epochs(students, [id_column], name, own_settings, command, filled)
        # Every run, or every group of runs without names, has each epoch equally often.
        rows = students.groupby([*columns, name], dropna=False).size()
        is_even = bool((rows.groupby(level=list(range(len(columns))), dropna=False).nunique() == 1).all())
        rows_per_epoch = students.groupby(name).size()
        has_same_epochs = rows_per_epoch.nunique() == 1 and len(rows_per_epoch) > 2
        is_sequence = bool((rows == 1).all()) and REPLICATE in columns
        firsts = students.groupby(columns, dropna=False)[name].agg(["min", "nunique"])
        starts_alike = bool(((firsts["min"] == students[name].min()) & (firsts["nunique"] > 2)).mean() > 0.9)
        if students.duplicated(columns).any() and (is_sequence or (is_even and has_same_epochs) or starts_alike):
            command = _write_command(students, columns, name, own_columns, own_names)
            _refuse_epochs(students, columns, name, own_settings, command, filled)


def refuse_schedules(
    table: pd.DataFrame,
    columns: list[str],
    labels: list[str],
    own_columns: Collection[str],
    own_names: Mapping[str, str],
) -> None:
    """Raise RequestError if a table has a row for each epoch of each run, and a column that changes with the epoch.

    The parameters are those of ``refuse_epochs``; ``labels`` may hold ids of runs. Each row may seem to be a run.
    """
    students, filled = _keep_validated(table[(table[MODEL] == STUDENT) & (table[STATUS] == DONE)], own_columns)
    for name in _list_epochs(students, columns):
        schedules, runs = find_schedules(students, columns, name, [label for label in labels if label != name])
        if schedules:
            own_schedules = [get_own_name(schedule, own_names) for schedule in schedules]
            command = _write_command(students, runs, name, own_columns, own_names)
            command += f".drop(columns={own_schedules!r})" if command else ""
            own_settings = _list_own_settings(students, runs, own_names)
            _refuse_epochs(students, runs, name, own_settings, command, filled, schedules, own_schedules)


def _keep_validated(students: pd.DataFrame, own_columns: Collection[str]) -> tuple[pd.DataFrame, str]:
    """Return the rows with a result on the validation split, and its column where other rows have none.

    Loggers write the results on each split into rows of their own; the last row of a run may be that of a final test.
    """
    has_value = students[VAL_NUM_ERROR].notna() if VAL_NUM_ERROR in students.columns else pd.Series(dtype=bool)
    names = [
        name for name in own_columns if is_validation_name(name) and (is_accuracy_name(name) or is_error_name(name))
    ]
    if not has_value.any() or has_value.all() or not names:
        return students, ""
    return students[has_value], names[0]


def _list_epochs(students: pd.DataFrame, columns: Collection[str]) -> list[str]:
    """Return the columns that count epochs or steps and have several values; none of those that name a run."""
    names = [name for name in students.columns if is_epoch_name(split_words(name)) and name not in columns]
    return [name for name in names if students[name].dtype.kind in "iuf" and students[name].nunique() > 1]


def _list_own_settings(students: pd.DataFrame, columns: list[str], own_names: Mapping[str, str]) -> list[str]:
    """Return the settings that vary, as the table itself calls them."""
    settings = [name for name in columns if name not in (MODEL, TEMP, REPLICATE)]
    return [get_own_name(name, own_names) for name in settings if students[name].nunique(dropna=False) > 1]


def _write_command(
    students: pd.DataFrame, columns: list[str], name: str, own_columns: Collection[str], own_names: Mapping[str, str]
) -> str:
    """Return how pandas keeps the last row of each run that is named by columns; nothing if it cannot."""
    own_keys = [get_own_name(key, own_names) for key in columns if key != MODEL or MODEL in own_columns]
    can_be_named = REPLICATE in columns and set(own_keys) <= set(own_columns)
    return _write_last_rows(students, columns, name, own_keys) if can_be_named else ""


def refuse_splits(table: pd.DataFrame, columns: list[str] | None) -> None:
    """Raise RequestError if a table has a row for each split of each run, so that training errors count as results.

    Parameters
    ----------
    table : The whole table.
    columns : The columns that the user names settings; None for none.
    """
    for name in table.columns:
        if name in (columns or []) or table[name].dtype.kind != "O" or OTHER_MODES & set(split_words(name)):
            continue
        if not _list_texts(list_first_values(table[name])) <= SPLITS:
            continue
        values = _list_texts(table[name].dropna())
        if len(values) > 1 and values <= SPLITS:
            raise RequestError(
                f"the table has several rows per run, one for each {name} ({', '.join(sorted(values))}); "
                f"select one: {suggest_rows(name, [_choose_split(table[name])])}"
            )


def _choose_split(column: pd.Series) -> object:
    """Return the value that names a validation split, else a test split."""
    values = sorted(column.dropna().unique(), key=str)
    return min(values, key=lambda value: ("train" in value.lower(), "test" in value.lower()))


def _list_texts(column: pd.Series) -> set[str]:
    """Return the different values of a column in lower case."""
    return {str(value).lower() for value in column.unique()}


def _write_last_rows(students: pd.DataFrame, keys: list[str], name: str, own_keys: list[str]) -> str:
    """Return how pandas keeps the last row of each run; nothing if a run has two rows of one epoch, or text for it."""
    if students[name].dtype.kind not in "iuf" or students.duplicated([*keys, name]).any():
        return ""
    return f"frame = frame.sort_values({name!r}).groupby({own_keys!r}, dropna=False).tail(1)"


def _refuse_epochs(
    students: pd.DataFrame,
    keys: list[str],
    name: str,
    own_settings: list[str],
    command: str,
    filled: str,
    schedules: Sequence[str] = (),
    own_schedules: Sequence[str] = (),
) -> None:
    last = students.groupby(keys, dropna=False)[name].max()
    rows = students.groupby([*keys, name], dropna=False).size()
    n_runs = rows.groupby(level=list(range(len(keys))), dropna=False).max().sum()  # keys may name several runs
    is_last = students[name] == last.iloc[0]
    steps: list[str] = []
    if last.nunique() == 1 and is_last.sum() == n_runs:
        more = f" and {write_column(filled)} == {write_column(filled)}" if filled else ""
        remedy = f"keep the last row of each: {suggest_where(name, f'== {last.iloc[0]}{more}')}"
        if any(students.loc[is_last, schedule].nunique() > 1 for schedule in schedules):
            remedy += f" {suggest_cell(own_settings)}"  # else the last value of a schedule would be a setting
    elif command:
        command = command.replace("frame.", f"frame.dropna(subset=[{filled!r}]).", 1) if filled else command
        remedy = "some runs end earlier than others; keep the last row of each with pandas: "
        steps.append(command)
    else:
        remedy = f"some runs end earlier than others; keep only the row of each run with the last {name}"
    changes, setting = "", ""
    if own_schedules:
        subject = join_names(own_schedules, max_names=_SHOWN_COLUMNS)
        is_one = len(own_schedules) == 1
        changes = f", and {subject} {'changes' if is_one else 'change'} with it, as in a schedule"
        verb = "is a setting" if is_one else "are settings"
        setting = f"; if {subject} {verb}: {suggest_cell([*own_settings, *own_schedules])}"
    start = (
        f"the table has several rows per run, one for each {name} ({len(students):,} rows of "
        f"{pluralize(len(last), 'run')}, baselines and teachers not counted){changes}; {remedy}"
    )
    raise MendingError(start, steps, f"{setting}; if {name} is a setting: {suggest_cell([*own_settings, name])}")
