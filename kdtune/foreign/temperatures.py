"""Read the temperatures of a table: which rows have one, and which numbers are one temperature."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np
import numpy.typing as npt
import pandas as pd

from kdtune.columns import BASELINE, DONE, MODEL, STATUS, STUDENT, TEMP, TEMP_RANGE
from kdtune.foreign.idle_temperatures import is_trained_on_labels, list_label_weights
from kdtune.foreign.wrong_temperatures import refuse_blanks, refuse_wrong_values
from kdtune.text import join_names, pluralize

DIGITS = 6  # Numbers that agree to as many significant digits are one.
NEAR_DIGITS = 4  # Temperatures that agree to as many are probably one, but who knows.
_MAX_DISTINCT = 100_000  # A column with more distinct numbers is no grid: many agree by chance.
_SHOWN_PAIRS = 3  # of temperatures in a note
Numbers = npt.NDArray[np.float64]


def read_temperatures(
    table: pd.DataFrame, own_names: Mapping[str, str] = MappingProxyType({}), merged: Sequence[str] = ()
) -> tuple[pd.DataFrame, list[str]]:
    """Check the temperatures of distilled students; those without one are baselines if a weight says so.

    Teachers and baselines need no T: what they have that is none becomes null. So do runs that did not finish; without
    a T nobody knows which setting lacks them, and they are left out.

    Parameters
    ----------
    table : The table with the columns ``MODEL``, ``STATUS`` and ``TEMP``.
    own_names : kdtune's name of a column -> the table's own, where they differ; for messages.
    merged : The columns that look like merged cells of a spreadsheet, if T does; for messages.

    Returns
    -------
    The table with T as numbers (float64), and notes.

    Raises
    ------
    RequestError
        If a distilled student has no T, and nothing says that it is a baseline, or its T is out of ``TEMP_RANGE``.
    """
    numbers = _to_numbers(table[TEMP])
    is_usable = numbers.between(*TEMP_RANGE)
    if is_usable.all():
        return table.assign(**{TEMP: numbers}), []
    is_student = table[MODEL] == STUDENT
    is_blank = table[TEMP].isna() | (numbers == 0)
    weights = list_label_weights(table.columns)
    is_baseline = is_student & is_blank & is_trained_on_labels(table, weights)
    notes = []
    if is_baseline.any():
        count = int(is_baseline.sum())
        verb = "is a baseline" if count == 1 else "are baselines"
        notes.append(
            f"{pluralize(count, 'row')} without T {verb}, trained on labels alone: "
            f"{' or '.join(f'{name} = {weight:g}' for name, weight in weights.items())} says so."
        )
        table = table.assign(**{MODEL: table[MODEL].where(~is_baseline, BASELINE)})
    is_refused = is_student & ~is_baseline & ~is_usable
    if is_refused.any():
        is_refused &= table[STATUS] == DONE
        refuse_wrong_values(table, is_refused & ~is_blank, own_names)
        refuse_blanks(table, is_refused, own_names, merged)
    table = table.assign(**{TEMP: numbers.where(is_usable)})
    is_placed = is_usable | ~is_student | is_baseline
    return table if is_placed.all() else table[is_placed].reset_index(drop=True), notes


def join_close_numbers(values: pd.Series, distinct_values: pd.Series | None = None) -> tuple[pd.Series, int]:
    """Make numbers one that agree to ``DIGITS`` significant digits: the one with the shortest text.

    Two numbers agree if they differ by half a unit of the last of these digits or less: 1.77828 is 1.7782794100389228,
    and 0.1 is 0.10000000149 (in single precision). Whole numbers agree only with themselves. Numbers are compared with
    the smallest of those that they join, so that no chain of close numbers becomes one.

    Parameters
    ----------
    values : A column. Only real numbers are joined, of which there are no more than 100,000.
    distinct_values : Each of its values once, if they are known already.

    Returns
    -------
    The values, and how many distinct numbers disappeared.
    """
    if values.dtype.kind != "f":
        return values, 0
    distinct = np.sort((values.drop_duplicates() if distinct_values is None else distinct_values).dropna().to_numpy())
    distinct = distinct[np.isfinite(distinct)]
    tolerances = _half_units(distinct, DIGITS)
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


def describe_near_temperatures(temperatures: pd.Series, n_runs: int) -> list[str]:
    """Say which temperatures agree to ``NEAR_DIGITS`` digits but not to ``DIGITS``, as from two exports of one grid.

    Parameters
    ----------
    temperatures : Each T of distilled students once, those that agree to ``DIGITS`` digits joined.
    n_runs : How many students there are.
    """
    if len(temperatures) > n_runs / 2:
        return []  # They were drawn at random, and some are near each other by chance.
    values = np.sort(temperatures.to_numpy(np.float64))
    is_near = np.diff(values) <= _half_units(values[:-1], NEAR_DIGITS)
    is_near &= (values[:-1] % 1 > 0) | (values[1:] % 1 > 0)
    if not is_near.any():
        return []
    pairs = [f"{low:.10g} and {high:.10g}" for low, high in zip(values[:-1][is_near], values[1:][is_near], strict=True)]
    return [
        f"T {join_names(pairs, max_names=_SHOWN_PAIRS, conjunction='as well as')} agree to {NEAR_DIGITS} digits but "
        f"not to {DIGITS}: they are analyzed as different temperatures. If one of the two is rounded, write the same "
        f"number for both in the table, and read it again."
    ]


def _half_units(numbers: Numbers, digits: int) -> Numbers:
    """Return half a unit of the last of some significant digits of numbers that are not 0."""
    with np.errstate(divide="ignore"):
        return np.asarray(0.5 * 10.0 ** (np.floor(np.log10(np.abs(numbers))) - digits + 1), np.float64)


def _to_numbers(column: pd.Series) -> pd.Series:
    """Return numbers; truths and text that is no number are NaN, and infinite values stay."""
    if column.dtype.kind == "b":
        return pd.Series(np.nan, index=column.index)
    numbers = pd.to_numeric(column, errors="coerce").astype(np.float64)
    if column.dtype.kind != "O":
        return numbers
    return numbers.mask(column.map(lambda value: isinstance(value, bool)))
