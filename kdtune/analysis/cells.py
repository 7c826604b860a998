"""Find the columns of a table that name its cells, and classify them: data, student or distillation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pandas as pd

from kdtune.analysis.column_values import varies
from kdtune.analysis.row_numbers import RowNumbers
from kdtune.columns import (
    CLASS_SEP,
    DATASET,
    DESCRIPTIVE_COLUMNS,
    DONE,
    ERRORS_ROW,
    HARD_WEIGHT,
    IDENTITY_COLUMNS,
    MODEL,
    N_PARAMS,
    N_TEST,
    N_TRAIN,
    N_VAL,
    P_INFORMATIVE,
    RESULT_COLUMNS,
    RUN_COLUMNS,
    SCORE,
    SHIFT_COLUMNS,
    STATUS,
    STUDENT,
    TEMP,
    TRAINING_COLUMNS,
    TRANSFER,
    WIDTH,
)
from kdtune.text import format_number

# Settings of the loss and of the biases, which a baseline does not have.
_DISTILLATION_SETTINGS = (HARD_WEIGHT, "scale_T2", "bias_start", "bias_shift")
# Columns that name a cell wherever they apply, whether they vary or not.
_MAIN_COLUMNS = (CLASS_SEP, P_INFORMATIVE, WIDTH)
# Columns that mostly follow from others; they name a cell only where they do not.
_DERIVED_COLUMNS = (N_TRAIN, "depth", "n_features", "n_classes", "teacher_depth", N_PARAMS)
_DATA_COLUMNS = (
    DATASET, CLASS_SEP, P_INFORMATIVE, "n_samples", "n_features", "n_classes", "flip_y", "n_clusters_per_class",
    "split", "jitter", TRANSFER, N_TRAIN, N_VAL, N_TEST,
)  # fmt: skip
# The name of a column in front of its value; some values need no name.
_SHORT_NAMES = {TEMP: "T", TRANSFER: "", "architecture": "", "teacher_architecture": "teacher"}


def select_done(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of networks that are done."""
    is_done = table[STATUS] == DONE
    return table if is_done.all() else table[is_done]


def find_cell_columns(table: pd.DataFrame, rows: RowNumbers | None = None) -> list[str]:
    """Return the columns that name a cell: the settings that vary over the distilled students, except T.

    Data quality and width are among them wherever they apply.

    Parameters
    ----------
    table : The table, with ``MODEL``.
    rows : The numbers of its rows, if they are there already.
    """
    rows = RowNumbers(table) if rows is None else rows
    is_student = rows.find_rows(MODEL, STUDENT)
    students = table if is_student.all() else table[is_student]
    settings = list_settings(table)
    varying_columns = [name for name in settings if varies(students[name])]
    # A table from elsewhere may have an index, which is no setting.
    varying_columns = [name for name in varying_columns if rows.count_values(name) < len(table)]
    main_columns = [name for name in _MAIN_COLUMNS if name in table.columns and students[name].notna().any()]
    free_columns = [name for name in varying_columns if name not in (*main_columns, *_DERIVED_COLUMNS)]
    derived_columns = [name for name in _DERIVED_COLUMNS if name in varying_columns]
    if not free_columns and not derived_columns:
        return main_columns
    combinations = rows.select_combinations(main_columns + free_columns + derived_columns, is_student)
    columns = main_columns + _drop_equivalent(combinations, main_columns, free_columns)
    for name in derived_columns:
        if not columns or _count_combinations(combinations, [*columns, name]) > _count_combinations(
            combinations, columns
        ):
            columns.append(name)
    return columns


def list_settings(table: pd.DataFrame) -> list[str]:
    """Return the columns that are settings, except T: those that are no results, seeds, ids or marks of a run."""
    other_columns = {TEMP, "seed", SCORE, *RESULT_COLUMNS, *DESCRIPTIVE_COLUMNS, *SHIFT_COLUMNS, *RUN_COLUMNS}
    other_columns |= {ERRORS_ROW, *IDENTITY_COLUMNS}
    return [name for name in table.columns if name not in other_columns]


def select_first_cells(table: pd.DataFrame, columns: Sequence[str], count: int) -> tuple[pd.DataFrame, int]:
    """Return the table with the distilled students of the first ``count`` cells only, and how many cells were left out.

    Rows of other models stay.
    """
    is_student = table[MODEL] == STUDENT
    if not columns:
        return table, 0
    cells = table.loc[is_student & (table[STATUS] == DONE)].groupby(list(columns), dropna=False, sort=True)
    if cells.ngroups <= count:
        return table, 0
    cell_number = cells.ngroup()
    is_selected = ~is_student
    is_selected[cell_number.index[cell_number < count]] = True
    return table[is_selected], cells.ngroups - count


def _count_combinations(combinations: pd.DataFrame, columns: list[str]) -> int:
    return len(combinations[columns].drop_duplicates())


def _drop_equivalent(combinations: pd.DataFrame, main_columns: list[str], candidates: list[str]) -> list[str]:
    """Return one of each group of candidates that always change together, such as ``hidden`` and ``width``.

    Text comes before numbers: the optimizer names a cell better than its learning rate.
    """
    selected_columns: list[str] = []
    for name in sorted(candidates, key=lambda name: pd.api.types.is_numeric_dtype(combinations[name])):
        count = combinations[name].nunique(dropna=False)
        is_equivalent = any(
            combinations[column].nunique(dropna=False) == count
            and _count_combinations(combinations, [name, column]) == count
            for column in main_columns + selected_columns
        )
        if not is_equivalent:
            selected_columns.append(name)
    return [name for name in candidates if name in selected_columns]


def is_distillation_setting(name: str) -> bool:
    """Return whether a column describes only distilled students: their loss, their biases or their teacher."""
    return name in _DISTILLATION_SETTINGS or name.startswith("teacher_")


def is_main_column(name: str) -> bool:
    """Return whether a column names a cell wherever it applies: data quality and the student's width."""
    return name in _MAIN_COLUMNS


def is_known_setting(name: str) -> bool:
    """Return whether a column has the name of a setting of kdtune, which no other column of a table has."""
    network_columns = (WIDTH, "architecture", "hidden", "depth", "dropout", "activation")
    return is_distillation_setting(name) or name in (*_DATA_COLUMNS, *network_columns, *TRAINING_COLUMNS)


def select_data_columns(columns: Sequence[str]) -> list[str]:
    """Return the columns that describe the data: figures have one panel for each combination of their values."""
    return [name for name in columns if name in _DATA_COLUMNS]


def group_rows(frame: pd.DataFrame, names: Sequence[str]) -> Iterator[tuple[tuple[Any, ...], pd.DataFrame]]:
    """Yield each combination of values of these columns, a null as None, with its rows."""
    if not names:
        yield (), frame
        return
    for key, group in frame.groupby(list(names), dropna=False, sort=True):
        values: tuple[Any, ...] = key if isinstance(key, tuple) else (key,)
        yield tuple(None if pd.isna(value) else value for value in values), group


def format_setting(names: Sequence[str], values: Sequence[Any]) -> str:
    """Write settings with their values, as in "T 3, hard_weight 0.7"; a null is left out."""
    parts = []
    for name, value in zip(names, values, strict=True):
        if pd.isna(value):
            continue
        parts.append(f"{_SHORT_NAMES.get(name, name)} {format_number(value)}".strip())
    return ", ".join(parts)
