"""Take the split of the measures from a column that names it, where all rows are of one split."""

from __future__ import annotations

from typing import NamedTuple

import pandas as pd

from kdtune.analysis.column_values import list_first_values
from kdtune.foreign.column_names import split_words

VALIDATION_SPLITS = frozenset({"val", "valid", "validation", "dev"})
TRAINING_SPLITS = frozenset({"train", "training"})
SPLITS = VALIDATION_SPLITS | TRAINING_SPLITS | {"test", "testing", "eval", "evaluation", "holdout"}
OTHER_MODES = frozenset({"teacher", "bn", "batchnorm", "norm", "dropout", "student", "transfer"})  # may be in training


class FixedSplit(NamedTuple):
    """The one split that all rows are of."""

    column: str
    value: str

    @property
    def is_validation(self) -> bool:
        """Whether it is a validation split."""
        return self.value.strip().lower() in VALIDATION_SPLITS

    def describe(self) -> str:
        """Say where the split of the measures is known from."""
        kind = "validation" if self.is_validation else "training"
        return f"{self.column} is {self.value!r} in all rows: measures whose names say no split are {kind} ones."


def find_fixed_split(table: pd.DataFrame) -> FixedSplit | None:
    """Return the split that a column names, if it is that of all rows and no test split; None if no column does."""
    for name in table.columns:
        column = table[name]
        if column.dtype.kind != "O" or OTHER_MODES & set(split_words(name)) or column.isna().any():
            continue
        values = list_first_values(column).unique()
        if len(values) != 1 or str(values[0]).strip().lower() not in VALIDATION_SPLITS | TRAINING_SPLITS:
            continue
        if column.nunique() == 1:
            return FixedSplit(name, str(values[0]))
    return None
