"""Choose the measure that the best temperature has the lowest mean of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from kdtune.columns import (
    BASELINE,
    DONE,
    MODEL,
    NUM_ERROR,
    SCORE,
    STATUS,
    STUDENT,
    TEACHER,
    VAL_NUM_ERROR,
)
from kdtune.errors import RequestError
from kdtune.text import join_names, pluralize


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


def choose_selection_measure(table: pd.DataFrame, reading_notes: Sequence[str] = ()) -> str:
    """Return the column that T is chosen by: ``SCORE``, else validation errors, else test errors.

    Parameters
    ----------
    table : One row per network.
    reading_notes : How the table was understood; they say which rows were left out.

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
    students = table[table[MODEL] == STUDENT]
    if has_students(table):
        for measure in measures:
            if students[measure].notna().any():
                return measure
    raise RequestError(_describe_missing_results(table, students, measures, reading_notes))


def has_students(table: pd.DataFrame) -> bool:
    """Return whether any distilled student has results."""
    return bool(((table[MODEL] == STUDENT) & (table[STATUS] == DONE)).any())


def _describe_missing_results(
    table: pd.DataFrame, students: pd.DataFrame, measures: Sequence[str], reading_notes: Sequence[str]
) -> str:
    """Say why no distilled student has a result: none is there, their measures are empty, or none finished."""
    if students.empty:
        roles = sorted({str(value) for value in table[MODEL].dropna()})
        return (
            f"the table has no distilled student: the roles of its networks are "
            f"{join_names(roles, max_names=5) or 'empty'}, where kdtune reads {STUDENT}, {BASELINE} (a baseline) and "
            f"{TEACHER}"
        )
    if students[list(measures)].isna().all(axis=None):
        names = ["the measure" if name == SCORE else name for name in measures]
        verb = "is" if len(names) == 1 else "are"
        return f"no distilled student has a result: {join_names(names)} {verb} empty in their rows"
    left_out = " ".join(note for note in reading_notes if note.startswith("Left out: "))
    if left_out:
        return f"no distilled student has a result. {left_out}"
    counts = [f"{count:,} {state}" for state, count in students[STATUS].value_counts().items()]
    return f"no distilled student has a result: of {pluralize(len(students), 'row')}, {join_names(counts)}"
