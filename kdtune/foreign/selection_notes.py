"""Say by which column T is chosen, where the user or the sweep asks for another measure than errors."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from kdtune.analysis.selection_measure import MEASURE_NAMES
from kdtune.columns import BALANCED_ERROR, DONE, MODEL, NUM_ERROR, STATUS, STUDENT, VALIDATION_MEASURES
from kdtune.text import pluralize


def describe_selection(table: pd.DataFrame, select: str, own_names: Mapping[str, str], is_sweep: bool) -> list[str]:
    """Say by which column T is chosen, and how many finished students have no value there.

    Parameters
    ----------
    table : A standard table.
    select : The measure that T is chosen by: a key of ``VALIDATION_MEASURES``.
    own_names : kdtune's name of a column -> the table's own, where they differ.
    is_sweep : Whether a sweep of kdtune wrote the table, whose columns need no explanation.
    """
    if select == NUM_ERROR:
        return []
    students = table[(table[MODEL] == STUDENT) & (table[STATUS] == DONE)]
    columns = [name for name in (VALIDATION_MEASURES[select], select) if name in table.columns]
    column = next((name for name in columns if students[name].notna().any()), None)
    if column is None:
        return []  # The analysis says why it cannot be made.
    own_name = own_names.get(column, column)
    split = "test" if column == select else "validation"
    notes = []
    if not is_sweep:
        notes.append(
            f"T is chosen by {own_name}, the {MEASURE_NAMES[select]} on the {split} split, of which less is better."
        )
    elif split == "test":
        notes.append(
            f"T is chosen by {own_name}, on the test split, since no student has a {VALIDATION_MEASURES[select]}."
        )
    n_missing = int(students[column].isna().sum())
    if n_missing:
        reason = ", which rows of earlier versions do not have" if is_sweep and select == BALANCED_ERROR else ""
        notes.append(f"Left out: {pluralize(n_missing, 'distilled student')} without a value of {own_name}{reason}.")
    return notes
