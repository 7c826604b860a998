"""Find a column that gives each replicate a setting of its own, so that nothing shows what chance does to results."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from kdtune.analysis.cell_arrays import Cell
from kdtune.analysis.cells import is_known_setting, is_main_column
from kdtune.analysis.option_texts import suggest_cell
from kdtune.analysis.row_numbers import RowNumbers
from kdtune.columns import DONE, MODEL, REPLICATE, STATUS, STUDENT, TEMP


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
    if len(cells) < 2 or n_single <= len(cells) / 2 or not candidates:
        return ""
    rows = RowNumbers(table[(table[MODEL] == STUDENT) & (table[STATUS] == DONE)])
    if rows.table[REPLICATE].isna().all():
        return ""
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
