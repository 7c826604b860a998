"""Read the temperatures of a table: which rows have one, and which numbers are one temperature."""

from __future__ import annotations

import numpy as np
import pandas as pd

from kdtune.columns import BASELINE, DONE, HARD_WEIGHT, MODEL, STATUS, STUDENT, TEACHER, TEMP
from kdtune.errors import RequestError
from kdtune.foreign.column_names import split_words
from kdtune.text import pluralize

DIGITS = 6  # Numbers that agree to as many significant digits are one.
# The weight of the distillation loss, or of the labels, that means training on labels alone.
_LABELS_ALONE = {"alpha": 0.0, "kd alpha": 0.0, "distill alpha": 0.0, "hard weight": 1.0}


def read_temperatures(table: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Check the temperatures of distilled students; those without one are baselines if a weight says so.

    Parameters
    ----------
    table : The table with the columns ``MODEL``, ``STATUS`` and ``TEMP``. Runs that did not finish may lack T.

    Raises
    ------
    RequestError
        If a distilled student has no T, and nothing says that it is a baseline, or its T is no positive number.
    """
    numbers = _to_numbers(table[TEMP])
    is_student = (table[MODEL] == STUDENT) & (table[STATUS] == DONE)
    is_blank = is_student & (table[TEMP].isna() | (numbers == 0))
    is_baseline = is_blank & _is_trained_on_labels(table)
    notes = []
    if is_baseline.any():
        notes.append(
            f"{pluralize(int(is_baseline.sum()), 'row')} without T are baselines: "
            f"their weights say that they were trained on labels alone."
        )
        table = table.assign(**{MODEL: table[MODEL].where(~is_baseline, BASELINE)})
    _refuse_blanks(table, is_blank & ~is_baseline)
    is_wrong = is_student & ~is_blank & ~((numbers > 0) & np.isfinite(numbers))
    if is_wrong.any():
        raise RequestError(
            f"{TEMP}: must be a positive number, not {table.loc[is_wrong, TEMP].tolist()[0]!r} "
            f"({pluralize(int(is_wrong.sum()), 'row')}); mend these rows, or leave them out with --where"
        )
    return table.assign(**{TEMP: numbers}), notes


def join_close_numbers(values: pd.Series) -> tuple[pd.Series, int]:
    """Make numbers one that agree to ``DIGITS`` significant digits: the one with the shortest text.

    Returns
    -------
    The values, and how many distinct numbers disappeared.
    """
    distinct = np.sort(values.dropna().unique().astype(np.float64))
    if len(distinct) < 2:
        return values, 0
    # The first number of each group is more than the tolerance above the first of the group before.
    groups: list[list[float]] = []
    for number in distinct.tolist():
        if groups and abs(number - groups[-1][0]) <= 10.0**-DIGITS * max(abs(number), abs(groups[-1][0])):
            groups[-1].append(number)
        else:
            groups.append([number])
    if len(groups) == len(distinct):
        return values, 0
    shortest = [min(group, key=lambda value: (len(repr(value)), value)) for group in groups]
    new_values = {number: value for group, value in zip(groups, shortest, strict=True) for number in group}
    return values.map(new_values), len(distinct) - len(groups)


def _to_numbers(column: pd.Series) -> pd.Series:
    """Return numbers; text that is none is NaN, and infinite values stay."""
    return pd.to_numeric(column, errors="coerce").astype(np.float64)


def _is_trained_on_labels(table: pd.DataFrame) -> pd.Series:
    """Return which rows have a weight of the losses that leaves the labels alone."""
    is_alone = pd.Series(False, index=table.index)
    for name in table.columns:
        weight = _LABELS_ALONE.get(" ".join(split_words(name)))
        if weight is not None:
            is_alone |= pd.to_numeric(table[name], errors="coerce") == weight
    return is_alone


def _refuse_blanks(table: pd.DataFrame, is_blank: pd.Series) -> None:
    if not is_blank.any():
        return
    raise RequestError(
        f"{TEMP}: {pluralize(int(is_blank.sum()), 'row')} of distilled students have no temperature, or 0 (the first "
        f"is row {int(np.flatnonzero(is_blank)[0]) + 1}); if they were trained on labels alone, say so in a column "
        f"{MODEL}: {BASELINE} for baselines, {TEACHER} for teachers, {STUDENT} for the others; "
        f"{HARD_WEIGHT} = 1 says it, too; else fill in T, or leave these rows out with --where"
    )
