"""Find the columns that tell with which baselines and teachers a student is compared, and number their values."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import pandas as pd

from kdtune.analysis.value_spellings import BLANK, Integers, encode_values
from kdtune.columns import (
    BASELINE,
    BIAS_SHIFT,
    BIAS_START,
    DESCRIPTIVE_COLUMNS,
    ERRORS_ROW,
    HARD_WEIGHT,
    IDENTITY_COLUMNS,
    N_PARAMS,
    RESULT_COLUMNS,
    RUN_COLUMNS,
    SCALE_T2,
    SCORE,
    SEED,
    SHIFT_COLUMNS,
    TEACHER_ID,
    TEMP,
    TRAINING_COLUMNS,
    WIDTH,
)

# Settings of the loss and of the biases, which neither a baseline nor a teacher has.
_LOSS_SETTINGS = {HARD_WEIGHT, SCALE_T2.lower(), BIAS_START, BIAS_SHIFT, "alpha", "kd_weight", "soft_weight"}
_LOSS_SETTINGS |= {f"teacher_{name}" for name in ("weight", "alpha", "temperature", "temp", "t", "ratio", "forcing")}
# Settings of a network and of its training, in which a teacher mostly differs from its students.
_NETWORK_SETTINGS = {
    *TRAINING_COLUMNS, WIDTH, N_PARAMS, "depth", "hidden", "architecture", "arch", "backbone", "activation", "dropout",
    "channels", "kernel", "pool", "init_std", "max_norm", "layers", "n_layers", "num_layers", "hidden_size",
    "hidden_dim", "units", "params", "num_params", "parameters", "learning_rate",
}  # fmt: skip
# What may differ between the replicates of one network.
_RUN_COLUMNS = {SEED, SCORE, *RESULT_COLUMNS, *DESCRIPTIVE_COLUMNS, *SHIFT_COLUMNS, *RUN_COLUMNS, *IDENTITY_COLUMNS}
_RUN_COLUMNS |= {ERRORS_ROW}
_RUN_COLUMNS -= {TEACHER_ID}


class NumberedValues(NamedTuple):
    """The values of columns as numbers: equal values have equal numbers. A row's BLANK matches every value."""

    cells: Integers  # (cells, columns)
    rows: Integers  # (rows, columns): those of the baselines or teachers


def select_keys(cells: pd.DataFrame, networks: pd.DataFrame, columns: Iterable[str], role: str) -> list[str]:
    """Return the columns in which a student and its baseline or teacher must have the same value.

    These are the columns of which some value of the networks occurs among the students, or which some networks leave
    blank and others, that match no student, do not. A setting of the loss, or for teachers of the network and its
    training, is a key only if the students have several values of it and the networks have them all: a teacher of
    width 100 is not the teacher of the students of width 100 only.

    Parameters
    ----------
    cells : One row per cell.
    networks : The rows of the baselines or of the teachers.
    columns : The columns to choose from.
    role : Which they are: BASELINE or TEACHER.
    """
    return [name for name in columns if name in networks.columns and _is_key(cells, networks[name], name, role)]


def _is_key(cells: pd.DataFrame, network_values: pd.Series, name: str, role: str) -> bool:
    """Return whether a student and its baseline or teacher must have the same value of a column."""
    if role != BASELINE and f"teacher_{name}" in cells.columns:
        return False  # The students have a column about their teacher, so this one is about themselves.
    cell_numbers, row_numbers = encode_values(cells[name], network_values)
    values = np.unique(cell_numbers[cell_numbers != BLANK])
    is_shared = np.isin(values, row_numbers)
    if is_loss_setting(name, role) or (role != BASELINE and is_network_setting(name)):
        return len(values) > 1 and bool(is_shared.all())
    if is_shared.any() or _simplify_name(name) in TRAINING_COLUMNS:
        return bool(is_shared.any())
    return bool(len(values) and network_values.isna().any() and network_values.notna().any())


def is_loss_setting(name: str, role: str) -> bool:
    """Return whether a column says nothing about a baseline or teacher: it describes the loss, or the other network."""
    plain_name = _simplify_name(name)
    return plain_name in _LOSS_SETTINGS or plain_name.startswith("teacher" if role == BASELINE else "student_")


def names_teacher(name: str) -> bool:
    """Return whether a column of students says which teacher they have."""
    plain_name = _simplify_name(name)
    return plain_name.startswith("teacher") and plain_name not in _LOSS_SETTINGS and name not in _RUN_COLUMNS


def is_network_setting(name: str) -> bool:
    """Return whether a column describes a network or its training, in which teachers mostly differ from students."""
    return _simplify_name(name) in _NETWORK_SETTINGS


def _simplify_name(name: str) -> str:
    return name.strip().lower().replace(" ", "_").replace("-", "_").replace(".", "_")


def list_descriptions(networks: pd.DataFrame, role: str) -> list[str]:
    """Return the columns by which networks differ that are not replicates of one network."""
    return [name for name in list_labels(networks) if name != TEMP and not is_loss_setting(name, role)]


def list_labels(networks: pd.DataFrame) -> list[str]:
    """Return the columns that vary over networks, except those of measures, replicates, ids and marks of a run."""
    names = [name for name in networks.columns if name not in _RUN_COLUMNS]
    return [name for name in names if networks[name].nunique(dropna=False) > 1]


def encode_keys(cells: pd.DataFrame, networks: pd.DataFrame, keys: list[str]) -> NumberedValues:
    """Encode the values of keys as numbers. If students leave a key blank, a blank is a value of it like any other."""
    cell_numbers = np.empty((len(cells), len(keys)), np.intp)
    row_numbers = np.empty((len(networks), len(keys)), np.intp)
    for i, name in enumerate(keys):
        of_cells, of_rows = encode_values(cells[name], networks[name])
        if (of_cells == BLANK).any():
            of_cells, of_rows = of_cells + 1, of_rows + 1
        cell_numbers[:, i], row_numbers[:, i] = of_cells, of_rows
    return NumberedValues(cell_numbers, row_numbers)


def encode_rows(values: Integers) -> Integers:
    """Encode the rows of an array (rows, columns) as numbers in the order of their appearance, equal rows as one."""
    numbers = np.zeros(len(values), np.intp)
    for column in values.T:
        numbers = pd.factorize(numbers * (column.max(initial=BLANK) + 2) + column + 1)[0]
    return numbers
