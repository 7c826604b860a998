"""Say what was understood of a table: its errors, its settings, and the columns that are none."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from kdtune.analysis.cells import list_settings
from kdtune.analysis.row_numbers import RowNumbers
from kdtune.analysis.suggestions import suggest_cell
from kdtune.columns import ID, MODEL, NUM_ERROR, REPLICATE, STUDENT, VAL_NUM_ERROR
from kdtune.foreign.bookkeeping import OtherColumns
from kdtune.foreign.options import ReadingOptions
from kdtune.foreign.own_names import get_own_name
from kdtune.text import join_names, pluralize

_SHOWN_VALUES = 6  # of a setting in a note


def describe_errors(table: pd.DataFrame, options: ReadingOptions) -> list[str]:
    """Say which columns have errors, if they are called so or the user says so."""
    if options.measure is not None:
        return []
    splits = {VAL_NUM_ERROR: "validation", NUM_ERROR: "test"}
    own_names = {name: options.column_map.get(name, name) for name in splits if name in table.columns}
    incomplete = [name for name in own_names if table[name].isna().any()]
    empty = [name for name in incomplete if table.loc[table[MODEL] == STUDENT, name].isna().all()]
    texts = [f"{own_names[name]} has the errors on the {splits[name]} split" for name in own_names if name not in empty]
    notes = [f"{'; '.join(texts)}."] if texts else []
    if texts and VAL_NUM_ERROR in empty:
        notes.append(
            f"{own_names[VAL_NUM_ERROR]} is empty in the rows of distilled students: T is chosen on the test split, by "
            f"{own_names[NUM_ERROR]}."
        )
    return notes


def describe_settings(rows: RowNumbers, cell_columns: list[str]) -> list[str]:
    """Say which columns name the settings, with their values."""
    if not cell_columns:
        return ["No column but T and the replicate varies: all rows are one setting."]
    is_student = rows.find_rows(MODEL, STUDENT)
    texts = []
    for name in cell_columns:
        values = sorted(rows.list_values(name, is_student), key=lambda value: (str(type(value)), value))
        listed = ", ".join(f"{value:g}" if isinstance(value, float) else str(value) for value in values[:_SHOWN_VALUES])
        more = f" and {len(values) - _SHOWN_VALUES} more" if len(values) > _SHOWN_VALUES else ""
        n_blank = int((rows.table[name].isna() & is_student).sum())
        blank = f", none in {pluralize(n_blank, 'row')}" if n_blank else ""
        texts.append(f"{name} ({listed}{more}{blank})")
    return [f"Settings: {', '.join(texts)}."]


def describe_equivalent_settings(rows: RowNumbers, cell_columns: list[str], own_names: Mapping[str, str]) -> list[str]:
    """Say which settings follow from those that name the settings, so that they are not listed apart."""
    settings = [name for name in list_settings(rows.table) if name not in cell_columns and rows.count_values(name) > 1]
    if not settings:
        return []
    combinations = rows.select_first([*cell_columns, *settings], rows.find_rows(MODEL, STUDENT))
    followers: dict[str, list[str]] = {}  # a column that names a setting -> those that change together with it
    for name in settings:
        count = combinations[name].nunique(dropna=False)
        for column in cell_columns:
            is_as_fine = combinations[column].nunique(dropna=False) == count > 1
            if is_as_fine and len(combinations[[name, column]].drop_duplicates()) == count:
                followers.setdefault(column, []).append(get_own_name(name, own_names))
                break
    return [
        f"{join_names(names, max_names=_SHOWN_VALUES)} {'changes' if len(names) == 1 else 'change'} together with "
        f"{get_own_name(column, own_names)} and {'is' if len(names) == 1 else 'are'} not listed apart."
        for column, names in followers.items()
    ]


def describe_others(others: OtherColumns, cell_columns: list[str], own_names: Mapping[str, str]) -> list[str]:
    """Say which columns are no settings, why, and what to type if one of them is a setting.

    Parameters
    ----------
    others : The columns that are no settings.
    cell_columns : The columns that name a setting.
    own_names : kdtune's name of a column -> the table's own, where they differ.
    """
    replicate = own_names.get(REPLICATE, REPLICATE)
    reasons = {
        "bookkeeping": others.bookkeeping,
        "other measures": others.measures,
        "a value of its own in nearly every row": others.unique,
        f"values that differ between runs with the same {replicate}": others.changing,
    }
    texts = [f"{', '.join(names)} ({reason})" for reason, names in reasons.items() if names]
    if not texts:
        return []
    note = f"Not settings: {'; '.join(texts)}."
    candidates = [name for name in (*others.bookkeeping, *others.changing) if name != ID and name not in cell_columns]
    if not candidates:
        return [note]
    own_settings = [get_own_name(name, own_names) for name in (*cell_columns, candidates[0])]
    return [f"{note} If {own_settings[-1]} is a setting, too: {suggest_cell(own_settings)}."]
