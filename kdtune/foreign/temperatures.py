"""Read the temperatures of a table: which rows have one, and which numbers are one temperature."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from kdtune.columns import BASELINE, DONE, HARD_WEIGHT, MODEL, STATUS, STUDENT, TEACHER, TEMP
from kdtune.errors import RequestError
from kdtune.foreign.column_names import split_words
from kdtune.text import pluralize

DIGITS = 6  # Numbers that agree to as many significant digits are one.
# Weights of the distillation loss: 0 means training on labels alone, as in most scripts.
_DISTILLATION_WEIGHTS = {"alpha", "kd alpha", "alpha kd", "distill alpha", "distillation alpha", "kd weight",
                         "distill weight", "distillation weight", "soft weight", "soft loss weight"}  # fmt: skip
# Weights of the labels: 1 means training on labels alone.
_LABEL_WEIGHTS = {"hard weight", "hard loss weight", "hard label weight"}
_MAX_DISTINCT = 100_000  # A column with more distinct numbers is no grid: many agree by chance.
_SHOWN_COLUMNS = 4  # of a row in a message


def read_temperatures(table: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Check the temperatures of distilled students; those without one are baselines if a weight says so.

    Teachers and baselines need no T: what they have that is none becomes null. So do runs that did not finish; without
    a T nobody knows which setting lacks them, and they are left out.

    Parameters
    ----------
    table : The table with the columns ``MODEL``, ``STATUS`` and ``TEMP``.

    Returns
    -------
    The table with T as numbers (float64), and notes.

    Raises
    ------
    RequestError
        If a distilled student has no T, and nothing says that it is a baseline, or its T is no positive number.
    """
    numbers = _to_numbers(table[TEMP])
    is_usable = (numbers > 0) & np.isfinite(numbers)
    is_student = table[MODEL] == STUDENT
    is_blank = table[TEMP].isna() | (numbers == 0)
    weights = _list_label_weights(table.columns)
    is_baseline = is_student & is_blank & _is_trained_on_labels(table, weights)
    notes = []
    if is_baseline.any():
        count = int(is_baseline.sum())
        verb = "is a baseline" if count == 1 else "are baselines"
        notes.append(
            f"{pluralize(count, 'row')} without T {verb}, trained on labels alone: "
            f"{' or '.join(f'{name} = {weight:g}' for name, weight in weights.items())} says so."
        )
        table = table.assign(**{MODEL: table[MODEL].where(~is_baseline, BASELINE)})
    is_refused = is_student & ~is_baseline & ~is_usable & (table[STATUS] == DONE)
    _refuse_wrong_values(table, is_refused & ~is_blank)
    _refuse_blanks(table, is_refused)
    table = table.assign(**{TEMP: numbers.where(is_usable)})
    is_placed = is_usable | ~is_student | is_baseline
    return table if is_placed.all() else table[is_placed].reset_index(drop=True), notes


def join_close_numbers(values: pd.Series) -> tuple[pd.Series, int]:
    """Make numbers one that agree to ``DIGITS`` significant digits: the one with the shortest text.

    Two numbers agree if they differ by half a unit of the last of these digits or less: 1.77828 is 1.7782794100389228,
    and 0.1 is 0.10000000149 (in single precision). Whole numbers agree only with themselves. Numbers are compared with
    the smallest of those that they join, so that no chain of close numbers becomes one.

    Parameters
    ----------
    values : A column. Only real numbers are joined, of which there are no more than 100,000.

    Returns
    -------
    The values, and how many distinct numbers disappeared.
    """
    if values.dtype.kind != "f":
        return values, 0
    distinct = np.sort(values.dropna().unique())
    distinct = distinct[np.isfinite(distinct)]
    with np.errstate(divide="ignore"):
        tolerances = 0.5 * 10.0 ** (np.floor(np.log10(np.abs(distinct))) - DIGITS + 1)
    is_close = np.diff(distinct) <= tolerances[:-1]
    if len(distinct) > _MAX_DISTINCT or not is_close.any():
        return values, 0
    is_candidate = np.append(is_close, False) | np.append(False, is_close)
    groups: list[list[float]] = []
    limit, has_whole = -np.inf, False
    for number, tolerance in zip(distinct[is_candidate].tolist(), tolerances[is_candidate].tolist(), strict=True):
        if number <= limit and not (has_whole and number.is_integer()):
            groups[-1].append(number)
            has_whole |= number.is_integer()
        else:
            groups.append([number])
            limit, has_whole = number + tolerance, number.is_integer()
    counts = values[values.isin(distinct[is_candidate])].value_counts()
    new_values: dict[float, float] = {}
    for group in groups:
        shortest = min(group, key=lambda number: (len(repr(number).removesuffix(".0")), -counts[number], number))
        new_values |= {number: shortest for number in group if number != shortest}
    return values.where(~values.isin(list(new_values)), values.map(new_values)), len(new_values)


def _to_numbers(column: pd.Series) -> pd.Series:
    """Return numbers; truths and text that is no number are NaN, and infinite values stay."""
    if column.dtype.kind == "b":
        return pd.Series(np.nan, index=column.index)
    numbers = pd.to_numeric(column, errors="coerce").astype(np.float64)
    if column.dtype.kind != "O":
        return numbers
    return numbers.mask(column.map(lambda value: isinstance(value, bool)))


def _list_label_weights(names: Sequence[str] | pd.Index) -> dict[str, float]:
    """Return the columns of the losses' weights, with the weight that means training on labels alone."""
    weights = {}
    for name in names:
        words = " ".join(split_words(name))
        if words in _DISTILLATION_WEIGHTS:
            weights[name] = 0.0
        elif words in _LABEL_WEIGHTS:
            weights[name] = 1.0
    return weights


def _is_trained_on_labels(table: pd.DataFrame, weights: dict[str, float]) -> pd.Series:
    """Return which rows have a weight of the losses that leaves the labels alone."""
    is_alone = pd.Series(False, index=table.index)
    for name, weight in weights.items():
        is_alone |= pd.to_numeric(table[name], errors="coerce") == weight
    return is_alone


def _refuse_wrong_values(table: pd.DataFrame, is_wrong: pd.Series) -> None:
    if not is_wrong.any():
        return
    value = table.loc[is_wrong, TEMP].tolist()[0]
    raise RequestError(
        f"{TEMP}: must be a positive number, not {value!r} ({_describe_rows(table, is_wrong)}); mend these rows, leave "
        f"them out with --where, or name another column of temperatures: --map {TEMP}=NAME"
    )


def _refuse_blanks(table: pd.DataFrame, is_blank: pd.Series) -> None:
    if not is_blank.any():
        return
    count = int(is_blank.sum())
    raise RequestError(
        f"{TEMP}: {pluralize(count, 'row')} of distilled students {'has' if count == 1 else 'have'} no temperature, or "
        f"0 ({_describe_rows(table, is_blank)}); for networks that were not distilled, say so in a column {MODEL}: "
        f"{BASELINE} for those trained on labels alone (baselines), {TEACHER} for teachers, {STUDENT} for the others "
        f"(alpha = 0 or {HARD_WEIGHT} = 1 says labels alone, too); else fill in T, or leave these rows out with --where"
    )


def _describe_rows(table: pd.DataFrame, is_described: pd.Series) -> str:
    """Describe rows by their number and the first of them, as in "3 rows, the first with width 10, num_error 178"."""
    rows = table[is_described]
    first = rows.iloc[0].dropna()
    shown = [name for name in first.index if name not in (TEMP, MODEL, STATUS)][:_SHOWN_COLUMNS]
    values = ", ".join(f"{name} {_format(first[name])}" for name in shown)
    count = pluralize(len(rows), "row")
    if not values:
        return count
    return f"{count}, {'with' if len(rows) == 1 else 'the first with'} {values}"


def _format(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
