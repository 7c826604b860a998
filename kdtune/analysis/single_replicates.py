"""Find a column that gives each replicate a setting of its own, so that nothing shows what chance does to results."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from kdtune.analysis.cell import Cell
from kdtune.analysis.cells import is_known_setting, is_main_column
from kdtune.analysis.option_texts import suggest_cell, suggest_map
from kdtune.analysis.row_numbers import RowNumbers
from kdtune.columns import DONE, MODEL, REPLICATE, STATUS, STUDENT, TEMP

_MIN_COUNT = 2  # A column with fewer values is no counter.
_MIN_SHARE = 0.8  # of the runs that a counter of repetitions has in a complete table


def describe_single_replicates(table: pd.DataFrame, columns: Sequence[str], cells: Sequence[Cell]) -> str:
    """Say which column leaves most cells with one replicate, and what mends it; empty if none does.

    Without such a column (the machine that trained all runs of a seed, or the part of the data that a seed draws) the
    cells have several replicates, and still no two runs with the same T and replicate, as they would have without a
    real setting.

    Parameters
    ----------
    table : One row per network.
    columns : The columns that name a cell.
    cells : All cells.
    """
    n_single = sum(len(cell.replicates) == 1 for cell in cells)
    candidates = [name for name in columns if not is_known_setting(name) and not is_main_column(name)]
    counters = [name for name in columns if name == "split" or name in candidates]
    if len(cells) < 2 or n_single <= len(cells) / 2 or not counters:
        return ""
    rows = RowNumbers(table[(table[MODEL] == STUDENT) & (table[STATUS] == DONE)])
    if rows.table[REPLICATE].isna().all():
        return _describe_counter(rows, columns, counters)
    n_runs = rows.count_combinations([*columns, TEMP, REPLICATE])
    for name in candidates:
        others = [other for other in columns if other != name]
        n_replicates = rows.count_combinations([*others, REPLICATE]) / rows.count_combinations(others)
        if n_replicates >= 2 and rows.count_combinations([*others, TEMP, REPLICATE]) == n_runs:
            remedy = "name those that are" if others else "all runs have the same settings"
            subject = "Each setting has" if n_single == len(cells) else f"{n_single:,} of {len(cells):,} settings have"
            return (
                f"{subject} one replicate only, because the column {name} has a value of its own for each replicate. "
                f"If it is no setting, {remedy}: {suggest_cell(others)}."
            )
    return ""


def _describe_counter(rows: RowNumbers, columns: Sequence[str], candidates: Sequence[str]) -> str:
    """Say which column seems to number the repetitions of each T: each of its values, 0, 1, 2, ..., has each T once."""
    if rows.has_duplicates([*columns, TEMP]):
        return ""
    for name in candidates:
        others = [other for other in columns if other != name]
        values = sorted(rows.list_values(name), key=str)
        is_counter = len(values) > _MIN_COUNT and set(map(str, values)) in (
            {str(number) for number in range(len(values))},
            {str(number) for number in range(1, len(values) + 1)},
        )
        n_full = rows.count_combinations([*others, TEMP]) * len(values)
        if is_counter and len(rows.table) >= _MIN_SHARE * n_full:
            return (
                f"Each setting has one run of each T, because the column {name} is taken for a setting. If it numbers "
                f"repetitions: {suggest_map(REPLICATE, name)}."
            )
    return ""
