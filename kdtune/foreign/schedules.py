"""Tell settings from schedules: in a log of epochs, the learning rate of each row follows from its epoch."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from kdtune.columns import MODEL, REPLICATE, TEMP
from kdtune.foreign.column_names import is_planned_name

_MOST = 0.9  # of the runs begin at the same epoch; a few may have been resumed or cut
_MANY_EPOCHS = 4  # so many different ones in each run are those of a log, whatever lies between them


def find_schedules(
    students: pd.DataFrame, run_columns: Sequence[str], epoch: str, labels: Sequence[str]
) -> tuple[list[str], list[str]]:
    """Return the columns that change with the epoch of a run, and the columns that name a run without them.

    Where they are taken for settings, each row of a log seems to be a run of its own. What a tracker calls a part of
    the configuration ("config/lr") is none of them.

    Parameters
    ----------
    students : The finished distilled students.
    run_columns : The columns that seem to name a run: its settings, T and replicate.
    epoch : The column that counts epochs or steps.
    labels : The columns that may hold ids of runs.

    Returns
    -------
    Two empty lists if the table has one row for each run.
    """
    keys = [name for name in run_columns if name in (MODEL, TEMP, REPLICATE)]
    settings = [name for name in run_columns if name not in keys and students[name].nunique(dropna=False) > 1]
    candidates = [name for name in settings if not is_planned_name(name)]
    if not candidates or students[epoch].isna().any() or not _is_log(students, keys, epoch):
        return [], []
    n_epochs = students[epoch].nunique()
    functions = [name for name in candidates if len(students[[epoch, name]].drop_duplicates()) == n_epochs]
    runs = [name for name in run_columns if name not in functions]
    if functions and _is_log(students, runs, epoch):
        return functions, runs
    for label in labels:  # Within each run of its own name a schedule changes, and T and the seed do not.
        if students[label].nunique() < len(students) and _has_one_value(students, label, keys):
            changing = [name for name in candidates if not _has_one_value(students, label, [name])]
            if changing and _has_single_epochs(students, [label], epoch) and _is_log(students, [label], epoch):
                return changing, [name for name in run_columns if name not in changing]
    if REPLICATE not in run_columns:
        return [], []
    for names in [*([name] for name in candidates), candidates]:
        schedules = [name for name in candidates if name in (*functions, *names)]
        runs = [name for name in run_columns if name not in schedules]
        if _has_single_epochs(students, runs, epoch) and _is_log(students, runs, epoch):
            return schedules, runs
    return [], []


def _is_log(students: pd.DataFrame, runs: list[str], epoch: str) -> bool:
    """Return whether the runs count their epochs from the same one on, which has as many rows as any other.

    The last epochs of finished runs do not: they differ where runs end as they like to. Where a scheduler stops the
    runs with some setting at one of a few epochs, as after 1, 3 and 9, two or three epochs are no log.
    """
    groups = students.groupby(runs, dropna=False)[epoch].agg(["min", "max", "nunique"])
    first = students[epoch].min()
    if ((groups["min"] == first) & (groups["nunique"] > 1)).mean() <= _MOST:
        return False
    counts = students[epoch].value_counts()
    if counts[first] < _MOST * counts.max():
        return False
    n_epochs = groups["nunique"].median()
    if n_epochs >= _MANY_EPOCHS:
        return True
    steps = students[epoch].drop_duplicates().sort_values().diff().dropna()
    is_even = bool((steps == steps.iloc[0]).all())
    return is_even and (n_epochs > 2 or (first <= 1 and steps.iloc[0] == 1))


def _has_single_epochs(students: pd.DataFrame, runs: list[str], epoch: str) -> bool:
    """Return whether no run has two rows of one epoch."""
    return not students.duplicated([*runs, epoch]).any()


def _has_one_value(students: pd.DataFrame, label: str, names: Sequence[str]) -> bool:
    """Return whether each value of a label goes with one value of each of some columns."""
    return len(students[[label, *names]].drop_duplicates()) == students[label].nunique(dropna=False)
