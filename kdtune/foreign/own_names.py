"""Give columns kdtune's names, and remember the table's own, which messages and the user's options have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from kdtune.columns import MODEL, REPLICATE, RUN_COLUMNS, STATUS, TEMP, WIDTH
from kdtune.errors import RequestError
from kdtune.foreign.column_names import find_width
from kdtune.foreign.options import ReadingOptions
from kdtune.foreign.replicates import name_replicates
from kdtune.foreign.roles import SETTING_SUFFIX
from kdtune.foreign.unclear_columns import choose_temperature


def get_own_name(name: str, own_names: Mapping[str, str]) -> str:
    """Return what the table itself calls a column."""
    name = name.removesuffix(SETTING_SUFFIX)
    return own_names.get(name, name)


def suggest_replicates(replicate: str | None, own_names: Mapping[str, str]) -> str:
    """Return what to do if rows that repeat others are replicates: where a column names these, it must tell them apart.

    Parameters
    ----------
    replicate : The column that names the replicate; None if there is none.
    own_names : kdtune's name of a column -> the table's own, where they differ.
    """
    if replicate is None:
        return "if they are replicates, add --repeats keep"
    return f"if they are replicates, give each its own value in {get_own_name(replicate, own_names)}"


def rename_known_columns(
    table: pd.DataFrame, options: ReadingOptions, own_names: dict[str, str], notes: list[str]
) -> tuple[pd.DataFrame, list[str] | None]:
    """Rename the columns of T and of the student's width; return the columns that name a cell by their new names.

    The table's own names of the two are added to ``own_names``.
    """
    new_names = {}
    temperature = choose_temperature(table, options)
    notes.append(f"The temperature is the column {own_names.setdefault(TEMP, temperature)}.")
    if temperature != TEMP:
        new_names[temperature] = TEMP
        if TEMP in table.columns:  # a temperature of something else, as that of the machine
            new_names[TEMP] = f"{TEMP}{SETTING_SUFFIX}"
    width = find_width(table.columns)
    if width not in (None, WIDTH):
        new_names[str(width)] = WIDTH
        own_names[WIDTH] = str(width)
        notes.append(f"The student's width is the column {width}.")
    cell = options.cell
    return table.rename(columns=new_names), None if cell is None else [new_names.get(name, name) for name in cell]


def rename_replicates(
    table: pd.DataFrame, own_names: dict[str, str], cell_columns: Sequence[str] = ()
) -> tuple[pd.DataFrame, list[str]]:
    """Name the replicates, and add the table's own name of their column to ``own_names``, or those of several."""
    named, notes = name_replicates(table, own_names, cell_columns)
    renamed = [name for name in table.columns if name not in named.columns]
    if REPLICATE in named.columns and renamed:
        own_names[REPLICATE] = "/".join(renamed)  # as their values are joined
    return named, notes


def rename_reserved(table: pd.DataFrame, cell_columns: list[str] | None) -> tuple[pd.DataFrame, list[str] | None]:
    """Rename the settings that are called as a sweep calls something else, such as ``device``."""
    new_names = {name: f"{name}{SETTING_SUFFIX}" for name in table.columns if name in RUN_COLUMNS and name != STATUS}
    cell = None if cell_columns is None else [new_names.get(name, name) for name in cell_columns]
    return table.rename(columns=new_names), cell


def rename_model(table: pd.DataFrame, cell_columns: list[str] | None) -> list[str] | None:
    """Return the columns that name a cell, with the new name of a setting that is called ``model``."""
    if cell_columns is None or MODEL not in cell_columns:
        return cell_columns
    setting = f"{MODEL}{SETTING_SUFFIX}"
    if setting not in table.columns:
        raise RequestError(f"--cell: {MODEL} cannot name a setting: it says which networks are teachers and baselines")
    return [setting if name == MODEL else name for name in cell_columns]
