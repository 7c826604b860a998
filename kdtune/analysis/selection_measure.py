"""Choose the measure that the best temperature has the lowest mean of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from kdtune.columns import (
    BALANCED_ERROR,
    BASELINE,
    DONE,
    ID,
    MODEL,
    NLL,
    NUM_ERROR,
    SCORE,
    STATUS,
    STUDENT,
    TEACHER,
    TEACHER_ID,
    VAL_NUM_ERROR,
    VALIDATION_MEASURES,
)
from kdtune.errors import RequestError
from kdtune.text import describe_value, join_names, pluralize

# What sentences call the measures that T may be chosen by, and what titles do.
MEASURE_NAMES = {NUM_ERROR: "errors", NLL: "nll", BALANCED_ERROR: "balanced error"}
MEASURE_TITLES = {NUM_ERROR: "Errors", NLL: "Cross-entropy (nll)", BALANCED_ERROR: "Balanced error"}
MEASURE_DEFINITIONS = {
    NLL: "It is the mean of -log p of the right class, in nats.",
    BALANCED_ERROR: "It is the mean over the classes of the share of errors in each.",
}


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


def choose_selection_measure(table: pd.DataFrame, reading_notes: Sequence[str] = (), select: str = NUM_ERROR) -> str:
    """Return the column that T is chosen by: ``SCORE``, else the measure on the validation split, else on the test one.

    Parameters
    ----------
    table : One row per network.
    reading_notes : How the table was understood; they say which rows were left out.
    select : The measure: a key of ``VALIDATION_MEASURES``.

    Raises
    ------
    RequestError
        If no distilled student has a value of any of them.
    """
    check_select(select)
    measures = [name for name in (SCORE, VALIDATION_MEASURES[select], select) if name in table.columns]
    if not measures and select != NUM_ERROR:
        raise make_missing_select_error(table, select)
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
    problem = _describe_missing_results(table, students, measures, reading_notes)
    if select != NUM_ERROR and has_students(table):
        problem += f". {_suggest_another_measure(select)}"
    raise RequestError(problem)


def check_select(select: Any) -> None:
    """Raise RequestError if T cannot be chosen by a measure of this name."""
    if not isinstance(select, str) or select not in VALIDATION_MEASURES:
        raise RequestError(
            f"--select: must be {join_names(list(VALIDATION_MEASURES), 'or')}, not {describe_value(select)}"
        )


def make_missing_select_error(table: pd.DataFrame, select: str) -> RequestError:
    """Return the error for a table without the measure that T is to be chosen by."""
    names = f"{VALIDATION_MEASURES[select]}, or {select}"
    if {ID, TEACHER_ID} <= set(table.columns):
        return RequestError(f"the table has no column {names}. {_suggest_another_measure(select)}")
    return RequestError(
        f"--select {select}: the table needs the column {names} "
        f"(--map {select}=NAME); it has {', '.join(map(str, table.columns[:12]))}"
    )


def _suggest_another_measure(select: str) -> str:
    """Say how a sweep of kdtune comes to have a measure that its students lack, or does without."""
    remedy = f"choose T by another measure, as in --select {NUM_ERROR}"
    if select != BALANCED_ERROR:
        return f"{remedy[0].upper()}{remedy[1:]}"
    return f"Rows of earlier versions have no balanced error: train them again with --fresh, or {remedy}"


def find_test_measure(selection_measure: str) -> str:
    """Return the column of the test split for the column that T is chosen by; errors for ``SCORE``."""
    for test_measure, validation_measure in VALIDATION_MEASURES.items():
        if selection_measure in (test_measure, validation_measure):
            return test_measure
    return NUM_ERROR


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
