"""Choose the measure that the best temperature has the lowest mean of."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from kdtune.columns import (
    BASELINE,
    DONE,
    FAILED,
    MODEL,
    NUM_ERROR,
    SCORE,
    SKIPPED,
    STATUS,
    STUDENT,
    TEACHER,
    VAL_NUM_ERROR,
)
from kdtune.errors import RequestError


@dataclass(frozen=True)
class Measure:
    """A measure that the user names, if T is not chosen by errors. The table has it as ``SCORE``."""

    name: str  # as the user's table calls it
    is_higher_better: bool

    @property
    def sign(self) -> int:
        """The factor from ``SCORE``, of which less is better, to the measure in its own units."""
        return -1 if self.is_higher_better else 1

    @property
    def direction(self) -> str:
        """What is better, in words: "the highest" or "the lowest"."""
        return "the highest" if self.is_higher_better else "the lowest"


def choose_selection_measure(table: pd.DataFrame) -> str:
    """Return the column that T is chosen by: ``SCORE``, else validation errors, else test errors.

    Raises
    ------
    RequestError
        If no distilled student has a value of any of them.
    """
    measures = [name for name in (SCORE, VAL_NUM_ERROR, NUM_ERROR) if name in table.columns]
    if not measures:
        raise RequestError(
            f"the table has no errors: it needs the column {VAL_NUM_ERROR}, or {NUM_ERROR} (--map num_error=NAME); "
            f"it has {', '.join(map(str, table.columns[:12]))}"
        )
    students = table[MODEL] == STUDENT
    if has_students(table):
        for measure in measures:
            if table.loc[students, measure].notna().any():
                return measure
    raise RequestError(f"the table has no distilled student with results{_describe_unknown_values(table)}")


def has_students(table: pd.DataFrame) -> bool:
    """Return whether any distilled student has results."""
    return bool(((table[MODEL] == STUDENT) & (table[STATUS] == DONE)).any())


def _describe_unknown_values(table: pd.DataFrame) -> str:
    """Describe a model or status column that has none of the values that kdtune reads; empty if both have one."""
    for column, required, valid_values in (
        (MODEL, STUDENT, {TEACHER, BASELINE, STUDENT}),
        (STATUS, DONE, {DONE, FAILED, SKIPPED}),
    ):
        values = sorted({str(value) for value in table[column].dropna()})
        if required not in values:
            listed_values = ", ".join(values[:5]) or "nothing"
            return f"; its column {column} has {listed_values}, where kdtune reads {', '.join(sorted(valid_values))}"
    return ""
