"""Say what was understood of a table: its errors, its settings, and the columns that are none."""

from __future__ import annotations

import pandas as pd

from kdtune.columns import MODEL, NUM_ERROR, STUDENT, TEMP, VAL_NUM_ERROR
from kdtune.foreign.bookkeeping import OtherColumns
from kdtune.foreign.options import ReadingOptions
from kdtune.text import pluralize

_SHOWN_VALUES = 6  # of a setting in a note


def describe_errors(table: pd.DataFrame, options: ReadingOptions) -> list[str]:
    """Say which columns have errors, if they are called so or the user says so."""
    splits = {VAL_NUM_ERROR: "validation", NUM_ERROR: "test"}
    texts = [
        f"{options.column_map.get(name, name)} has the errors on the {split} split"
        for name, split in splits.items()
        if name in table.columns and options.measure is None
    ]
    return [f"{'; '.join(texts)}."] if texts else []


def describe_infinite_values(table: pd.DataFrame, measures: list[str], notes: list[str]) -> None:
    """Say which runs have an infinite measure, as those that diverged: such a value counts as missing."""
    for name in measures:
        numbers = pd.to_numeric(table[name], errors="coerce")
        is_infinite = numbers.abs() == float("inf")
        if is_infinite.any():
            counts = table.loc[is_infinite, TEMP].value_counts().sort_index()
            places = ", ".join(f"{count} at T {T}" for T, count in counts.items())
            notes.append(
                f"{name} is infinite in {pluralize(int(is_infinite.sum()), 'row')} ({places}): runs that diverged, "
                f"say. They count as missing, so that a T at which runs diverge looks better than it is."
            )


def describe_settings(table: pd.DataFrame, cell_columns: list[str]) -> list[str]:
    """Say which columns name the settings, with their values."""
    students = table[table[MODEL] == STUDENT]
    if not cell_columns:
        return ["No column but T and the replicate varies: all rows are one setting."]
    texts = []
    for name in cell_columns:
        values = sorted(students[name].dropna().unique(), key=lambda value: (str(type(value)), value))
        listed = ", ".join(f"{value:g}" if isinstance(value, float) else str(value) for value in values[:_SHOWN_VALUES])
        more = f" and {len(values) - _SHOWN_VALUES} more" if len(values) > _SHOWN_VALUES else ""
        n_blank = int(students[name].isna().sum())
        blank = f", none in {pluralize(n_blank, 'row')}" if n_blank else ""
        texts.append(f"{name} ({listed}{more}{blank})")
    return [f"Settings: {', '.join(texts)}."]


def describe_others(others: OtherColumns) -> list[str]:
    """Say which columns are no settings, and why."""
    reasons = {
        "bookkeeping": others.bookkeeping,
        "other measures": others.measures,
        "a value of its own in nearly every row": others.unique,
        "values that change from run to run of one replicate": others.changing,
    }
    texts = [f"{', '.join(names)} ({reason})" for reason, names in reasons.items() if names]
    if not texts:
        return []
    return [f"Not settings: {'; '.join(texts)}. If one of them is a setting, name all settings with --cell."]
