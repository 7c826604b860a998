"""Say what was understood of a table: its errors, its settings, and the columns that are none."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from kdtune.analysis.cells import list_settings
from kdtune.analysis.option_texts import suggest_cell
from kdtune.analysis.row_numbers import RowNumbers, list_first_of_pairs
from kdtune.columns import DONE, ID, MODEL, NUM_ERROR, STATUS, STUDENT, TEMP, VAL_NUM_ERROR
from kdtune.foreign.bookkeeping import OtherColumns
from kdtune.foreign.mending import MendingNote
from kdtune.foreign.options import ReadingOptions
from kdtune.foreign.own_names import get_own_name
from kdtune.foreign.role_remedies import choose_role_column, find_separation
from kdtune.text import format_number, join_names, pluralize

_SHOWN_VALUES = 6  # of a setting in a note
_MAX_SINGLE = 0.5  # of the settings; where more have one temperature only, the answer itself says why


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
        listed = ", ".join(format_number(value) for value in values[:_SHOWN_VALUES])
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
    combinations = rows.select_combinations([*cell_columns, *settings], rows.find_rows(MODEL, STUDENT))
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


def describe_single_temperatures(rows: RowNumbers, cell_columns: list[str], own_names: Mapping[str, str]) -> list[str]:
    """Say which settings have a single temperature, where others have several: nothing can be chosen in them."""
    is_run = rows.find_rows(MODEL, STUDENT) & rows.find_rows(STATUS, DONE)
    if not cell_columns or not is_run.any():
        return []
    cells, temperatures = (rows.number_selected(names, is_run) for names in (cell_columns, [TEMP]))
    counts = np.bincount(list_first_of_pairs(cells, temperatures))  # temperatures of each cell
    n_single, n_cells = int((counts == 1).sum()), int((counts > 0).sum())
    if n_single == 0 or n_single > _MAX_SINGLE * n_cells:
        return []
    first = rows.table.iloc[int(np.flatnonzero(is_run)[np.isin(cells, np.flatnonzero(counts == 1))][0])]
    place = ", ".join(f"{get_own_name(name, own_names)} {format_number(first[name])}" for name in cell_columns)
    is_single = is_run.copy()
    is_single[is_run] = np.isin(cells, np.flatnonzero(counts == 1))
    separation = find_separation(rows.table[is_run], pd.Series(is_single[is_run], rows.table.index[is_run]), own_names)
    steps = [] if separation is None else [separation.write_step(choose_role_column(rows.table))]
    subject = "1 setting has" if n_single == 1 else f"{n_single:,} of {n_cells:,} settings have"
    note = (
        f"{subject} a single temperature, as {place} (T {format_number(first[TEMP])}): nothing can be chosen there. If "
        f"these are networks trained on labels alone, mark them in a column model: student for them, "
        f"distilled_student for the others"
    )
    return [MendingNote(f"{note}, with pandas: ", steps, ".") if steps else f"{note}."]


def describe_others(others: OtherColumns, cell_columns: list[str], own_names: Mapping[str, str]) -> list[str]:
    """Say which columns are no settings, why, and what to type if one of them is a setting.

    Parameters
    ----------
    others : The columns that are no settings.
    cell_columns : The columns that name a setting.
    own_names : kdtune's name of a column -> the table's own, where they differ.
    """
    reasons = {
        "bookkeeping": others.bookkeeping,
        "other measures": others.measures,
        "a value of its own in nearly every row": others.unique,
        "values that differ between the runs of one replicate": others.changing,
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


def describe_uncertain_settings(others: OtherColumns, cell_columns: list[str], own_names: Mapping[str, str]) -> str:
    """Say which columns may be settings though they were not taken for such; the empty text if none may."""
    names = [get_own_name(name, own_names) for name in others.uncertain if name not in cell_columns]
    if not names:
        return ""
    own_settings = [get_own_name(name, own_names) for name in cell_columns]
    return (
        f"The runs of all values of {join_names(names, max_names=_SHOWN_VALUES)} are taken together, though each value "
        f"has replicates of its own. If {names[0]} is a setting: {suggest_cell([*own_settings, names[0]])}."
    )
