"""Find the twins of a factor: settings that change together with it, so that their effects cannot be told apart.

A factor is judged by cells that differ in it and in no other column that names cells. A twin differs between these
cells, too: it is one of the settings that name no cell, because they follow from those that do. Where no two cells
differ in the factor alone, the columns that change wherever it does are its twins as well.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain, combinations
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from kdtune.analysis.cell import Cell
from kdtune.analysis.cells import list_settings
from kdtune.analysis.column_values import varies
from kdtune.columns import (
    DATASET,
    DONE,
    MODEL,
    N_CLASSES,
    N_FEATURES,
    N_PARAMS,
    N_TEST,
    N_TRAIN,
    N_VAL,
    STATUS,
    STUDENT,
    TRANSFER,
    WIDTH,
)

# Columns that follow from a factor, or say the same in another way, and are no twins of it.
_NETWORK_SIZES = (N_PARAMS, "num_params", "params", "parameters", "flops")
_FOLLOWS_FROM = {
    **dict.fromkeys(_NETWORK_SIZES, (WIDTH, "depth", "hidden", "architecture", DATASET, N_FEATURES, N_CLASSES)),
    **dict.fromkeys((N_TRAIN, N_VAL, N_TEST), (DATASET, "n_samples", "split", TRANSFER)),
    **dict.fromkeys((N_FEATURES, N_CLASSES, "n_clusters_per_class"), (DATASET,)),
    "hidden": (WIDTH, "depth", "architecture"),
    "depth": ("hidden",),
    "teacher_hidden": ("teacher_width", "teacher_depth", "teacher_architecture"),
    "teacher_width": ("teacher_hidden",),
    "teacher_depth": ("teacher_hidden",),
}
MAX_INSEPARABLE = 2  # Where more columns than these change with a factor, all others count as its twins.

SideSettings = Mapping[tuple[Any, ...], dict[str, Any]]  # the values that name a cell -> its other settings


class Twins(NamedTuple):
    """The settings that change together with a factor."""

    full: tuple[str, ...] = ()  # they differ wherever the factor does
    partial: tuple[str, ...] = ()  # they differ between some of the cells that are compared, and are equal in others


def find_side_settings(table: pd.DataFrame, columns: Sequence[str]) -> SideSettings:
    """Return the settings of each cell that do not name it: those that vary, but not within any cell.

    Parameters
    ----------
    table : One row per network.
    columns : The columns that name a cell.
    """
    if not columns:
        return {}
    students = table[(table[MODEL] == STUDENT) & (table[STATUS] == DONE)]
    cell_number = students.groupby(list(columns), dropna=False, sort=False).ngroup().to_numpy()
    first_rows = np.unique(cell_number, return_index=True)[1]
    side_columns = []
    for name in list_settings(table):
        if name not in columns and varies(students[name]):
            codes = pd.factorize(students[name], use_na_sentinel=False)[0]
            if (codes == codes[first_rows][cell_number]).all():
                side_columns.append(name)
    if not side_columns:
        return {}
    keys = _to_records(students[list(columns)].iloc[first_rows])
    records = _to_records(students[side_columns].iloc[first_rows])
    return {tuple(key.values()): record for key, record in zip(keys, records, strict=True)}


def _to_records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the rows of a frame; a null is None."""
    rows = frame.to_dict("records")
    return [{str(name): None if pd.isna(value) else value for name, value in row.items()} for row in rows]


def find_twins(cells: Sequence[Cell], side_settings: SideSettings, factor: str) -> Twins:
    """Find the settings that change together with a factor.

    Parameters
    ----------
    cells : The cells that are compared.
    side_settings : Their settings that do not name them.
    factor : A column that names cells; any other factor has no twins.
    """
    rows = [{**cell.settings, **side_settings.get(tuple(cell.settings.values()), {})} for cell in cells]
    settings = pd.DataFrame(rows, dtype=object)
    if not rows or factor not in cells[0].settings:
        return Twins()
    codes = settings.apply(lambda column: pd.factorize(column, use_na_sentinel=False)[0])
    other_columns = [name for name in cells[0].settings if name != factor and codes[name].nunique() > 1]
    inseparable_columns = _find_inseparable(codes, other_columns, factor)
    shared_columns = [name for name in other_columns if name not in inseparable_columns]
    blocks = _number_blocks(codes, shared_columns, factor)
    is_compared = (blocks >= 0).to_numpy()
    is_text = settings[factor].map(lambda value: isinstance(value, str)).any()
    full: list[str] = []
    partial: list[str] = []
    for name in sorted(set(settings.columns) - {factor, *shared_columns}):
        # What only one optimizer or architecture has, such as a momentum, follows from its name.
        follows = factor in _FOLLOWS_FROM.get(name, ()) or (is_text and settings.loc[is_compared, name].isna().any())
        n_values = codes[name][is_compared].groupby(blocks[is_compared]).nunique()
        if follows or not (n_values > 1).any():
            continue
        pairs = codes[factor] * len(codes) + codes[name]
        n_pairs = pairs[is_compared].groupby(blocks[is_compared]).nunique()
        # With as many pairs as values, each value stands beside one value of the factor only.
        (full if (n_pairs == n_values).all() else partial).append(name)
    return Twins(tuple(full), tuple(partial))


def _number_blocks(codes: pd.DataFrame, shared_columns: Sequence[str], factor: str) -> pd.Series:
    """Return the number of each cell's block, whose cells share these columns; -1 if the factor is equal in it."""
    blocks = pd.Series(0, index=codes.index)
    if shared_columns:
        blocks = codes.groupby(list(shared_columns), sort=False).ngroup()
    return blocks.where(codes[factor].groupby(blocks).transform("nunique") > 1, -1)


def _find_inseparable(codes: pd.DataFrame, columns: Sequence[str], factor: str) -> set[str]:
    """Return the fewest columns that change wherever the factor does; none if two cells differ in the factor alone.

    Parameters
    ----------
    codes : One row per cell; equal numbers in a column stand for equal values.
    columns : The other columns that name cells.
    factor : The column that the cells are compared by.
    """
    for count in range(MAX_INSEPARABLE + 1):
        candidates = [
            dropped_columns
            for dropped_columns in combinations(columns, count)
            if (_number_blocks(codes, [name for name in columns if name not in dropped_columns], factor) >= 0).any()
        ]
        if candidates:
            return set(chain.from_iterable(candidates))
    return set(columns)
