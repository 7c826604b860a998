"""Know the weights of the losses that leave the labels alone, so that T has no effect: such rows are baselines."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
import pandas as pd

from kdtune.columns import BASELINE, DONE, MODEL, STATUS, STUDENT, TEMP
from kdtune.foreign.column_names import split_words
from kdtune.text import pluralize

# Weights of the distillation loss: 0 means training on labels alone, as in most scripts.
_DISTILLATION_WEIGHTS = {"alpha", "kd alpha", "alpha kd", "distill alpha", "distillation alpha", "kd weight",
                         "distill weight", "distillation weight", "soft weight", "soft loss weight"}  # fmt: skip
# Weights of the labels: 1 means training on labels alone.
_LABEL_WEIGHTS = {"hard weight", "hard loss weight", "hard label weight"}
_PLACEHOLDER = 1.0  # the T of rows whose T nobody uses, where the weight alone would not be clear enough


def read_idle_temperatures(table: pd.DataFrame, cell_columns: Collection[str]) -> tuple[pd.DataFrame, list[str]]:
    """Take distilled students for baselines whose weight leaves the labels alone and that all have one T.

    Some call alpha the weight of the labels: then alpha = 0 leaves the soft targets alone, and T matters. So the rows
    stay as they are if they have several T, if the others have not, or if others of one weight have a single T as well
    (a study of alpha at one T). Where the weight is one of the labels, which some add to the whole soft loss, T must
    be 1.

    Parameters
    ----------
    table : The table with ``MODEL``, ``STATUS`` and ``TEMP`` as numbers.
    cell_columns : The columns that the user names settings: they are none of these weights.

    Returns
    -------
    The table and notes.
    """
    notes = []
    for name, weight in list_label_weights(table.columns).items():
        if name in cell_columns:
            continue
        is_student = (table[MODEL] == STUDENT) & (table[STATUS] == DONE) & table[TEMP].notna()
        weights = pd.to_numeric(table[name], errors="coerce")
        is_alone = is_student & (weights == weight)
        temperatures = table[TEMP][is_alone].unique()
        counts = table[TEMP][is_student & ~is_alone].groupby(weights).nunique()
        if len(temperatures) != 1 or counts.empty or counts.min() < 2:
            continue
        T = float(temperatures[0])
        if weight != 0 and T != _PLACEHOLDER:
            continue
        is_baseline = (table[MODEL] == STUDENT) & (weights == weight)
        table = table.assign(
            **{MODEL: table[MODEL].where(~is_baseline, BASELINE), TEMP: table[TEMP].where(~is_baseline, np.nan)}
        )
        count = int(is_baseline.sum())
        noun = "is a baseline" if count == 1 else "are baselines"
        notes.append(
            f"{pluralize(count, 'row')} with {name} = {weight:g} {noun}, trained on labels alone: their T, always "
            f"{T:g}, has no effect. If {name} means something else, add a column {MODEL} with '{STUDENT}' in all rows."
        )
    return table, notes


def list_label_weights(names: Sequence[str] | pd.Index) -> dict[str, float]:
    """Return the columns of the losses' weights, with the weight that means training on labels alone."""
    weights = {}
    for name in names:
        words = " ".join(split_words(name))
        if words in _DISTILLATION_WEIGHTS:
            weights[name] = 0.0
        elif words in _LABEL_WEIGHTS:
            weights[name] = 1.0
    return weights


def is_trained_on_labels(table: pd.DataFrame, weights: dict[str, float]) -> pd.Series:
    """Return which rows have a weight of the losses that leaves the labels alone."""
    is_alone = pd.Series(False, index=table.index)
    for name, weight in weights.items():
        is_alone |= pd.to_numeric(table[name], errors="coerce") == weight
    return is_alone
