"""Which columns of a table name its cells, and which of those say what."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pandas as pd

from kdtune.columns import (
    CLASS_SEP,
    DATASET,
    DONE,
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
    SHIFT_COLUMNS,
    STATUS,
    STUDENT,
    TEMP,
    TRANSFER,
    WIDTH,
)

# A setting of the loss or of the teacher, which a baseline does not have.
_STUDENTS_ONLY = (HARD_WEIGHT, "scale_T2", "bias_start", "bias_shift")
_ALWAYS = (CLASS_SEP, P_INFORMATIVE, WIDTH)
# What other columns mostly say already; named where they do not.
_DERIVED = (N_TRAIN, "depth", "n_features", "n_classes", "teacher_depth", N_PARAMS)


def select_done(table: pd.DataFrame) -> pd.DataFrame:
    """The rows with figures."""
    finished = table[STATUS] == DONE
    return table if finished.all() else table[finished]


def find_cell_columns(table: pd.DataFrame) -> list[str]:
    """The columns that name a cell: settings that vary over the distilled students, but not T.

    Data quality and width are among them wherever they apply.
    """
    is_student = table[MODEL] == STUDENT
    apart = {TEMP, "seed", *RESULT_COLUMNS, *SHIFT_COLUMNS, *RUN_COLUMNS, *IDENTITY_COLUMNS}
    candidates = [name for name in table.columns if name not in apart]
    varying = [name for name in candidates if _varies(table[name]) and _varies(table[name][is_student])]
    varying = [name for name in varying if not table[name].is_unique]  # an index, in a table from elsewhere
    always = [name for name in _ALWAYS if name in table.columns and table[name][is_student].notna().any()]
    others = [name for name in varying if name not in (*always, *_DERIVED)]
    derived = [name for name in _DERIVED if name in varying]
    if not others and not derived:
        return always
    settings = table.loc[is_student, always + others + derived].drop_duplicates()
    found = always + _without_twins(settings, always, others)
    for name in derived:
        if not found or len(settings[[*found, name]].drop_duplicates()) > len(settings[found].drop_duplicates()):
            found.append(name)
    return found


def select_first_cells(table: pd.DataFrame, columns: Sequence[str], count: int) -> tuple[pd.DataFrame, int]:
    """The table with the distilled students of the first cells only, and how many cells were left out."""
    students = table[MODEL] == STUDENT
    if not columns:
        return table, 0
    grouped = table.loc[students & (table[STATUS] == DONE)].groupby(list(columns), dropna=False, sort=True)
    if grouped.ngroups <= count:
        return table, 0
    code = grouped.ngroup()
    kept = ~students
    kept[code.index[code < count]] = True
    return table[kept], grouped.ngroups - count


def _without_twins(settings: pd.DataFrame, kept: list[str], others: list[str]) -> list[str]:
    """Of settings that always change together one is enough: hidden says no more than width, lr than optimizer."""
    found: list[str] = []
    for name in sorted(others, key=lambda name: pd.api.types.is_numeric_dtype(settings[name])):  # words first
        count = settings[name].nunique(dropna=False)
        same = (other for other in kept + found if settings[other].nunique(dropna=False) == count)
        if not any(len(settings[[name, other]].drop_duplicates()) == count for other in same):
            found.append(name)
    return [name for name in others if name in found]


def _varies(column: pd.Series) -> bool:
    """Whether it has more than one value, null being one."""
    if column.empty or pd.isna(column.iloc[0]):
        return bool(column.notna().any())
    return not bool((column == column.iloc[0]).fillna(False).all())


def is_students_only(name: str) -> bool:
    """Whether a column is of the distilled alone: of their loss or their teacher."""
    return name in _STUDENTS_ONLY or name.startswith("teacher_")


def select_data_columns(columns: Sequence[str]) -> list[str]:
    """Those of the cell's columns that describe the data: the panels of a figure."""
    known = (DATASET, CLASS_SEP, P_INFORMATIVE, "n_samples", "n_features", "n_classes", "flip_y",
             "n_clusters_per_class", "split", "jitter", TRANSFER, N_TRAIN, N_VAL, N_TEST)  # fmt: skip
    return [name for name in columns if name in known]


def group_rows(frame: pd.DataFrame, names: Sequence[str]) -> Iterator[tuple[tuple[Any, ...], pd.DataFrame]]:
    """The rows of each combination of values, a null being None."""
    if not names:
        yield (), frame
        return
    for key, group in frame.groupby(list(names), dropna=False, sort=True):
        values: tuple[Any, ...] = key if isinstance(key, tuple) else (key,)
        yield tuple(None if pd.isna(value) else value for value in values), group


def format_setting(names: Sequence[str], values: Sequence[Any]) -> str:
    """T 3, hard_weight 0.7; what is null is left out."""
    said = []
    for name, value in zip(names, values, strict=True):
        if not pd.isna(value):
            short = {
                TEMP: "T",
                TRANSFER: "",
                "architecture": "",
                "teacher_architecture": "teacher",
            }.get(name, name)
            said.append(f"{short} {value:g}".strip() if isinstance(value, float) else f"{short} {value}".strip())
    return ", ".join(said)
