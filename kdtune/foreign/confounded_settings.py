"""Find columns with another value for each T, so that nobody can tell which of the two makes a difference."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence

import pandas as pd

from kdtune.analysis.cells import format_setting
from kdtune.analysis.row_numbers import RowNumbers
from kdtune.columns import TEMP
from kdtune.foreign.column_names import split_words
from kdtune.foreign.own_names import get_own_name
from kdtune.text import format_number, join_names

_MIN_TEMPERATURES = 3  # of fewer any two values are those of some formula
_MIN_RUNS = 2  # of each T on average: of a single one every value goes with its T
_MAX_NAMES = 3  # of columns in the sentence
_MAX_VALUES = 5  # of T in the sentence
_POWERS = (1.0, 2.0, -1.0, -2.0, 0.5, -0.5)  # in which T is written again, as T^2 for the weight of a loss
_TOLERANCE = 0.01  # of such a power, which may be rounded
_TEMPERATURE_WORDS = {"t", "t2", "temp", "temps", "temperature", "temperatures", "tau", "kdt"}
# Words of what is set beside T: even a power of T in such a column is a setting of its own.
_SETTING_WORDS = {"lr", "learning", "rate", "epochs", "batch", "bs", "decay", "wd", "momentum", "dropout", "warmup",
                  "optim", "optimizer", "scheduler"}  # fmt: skip
_NUMBER = re.compile(r"\d+(?:\.\d+)?")


def describe_confounded_settings(
    students: pd.DataFrame, candidates: Sequence[str], cell_columns: Sequence[str], own_names: Mapping[str, str]
) -> str:
    """Say which columns change with T, so that a difference may be theirs; the empty text if none does.

    Parameters
    ----------
    students : The rows of distilled students that are done, with all columns.
    candidates : The columns that may be settings, though they were not taken for such.
    cell_columns : The columns that name a setting.
    own_names : kdtune's name of a column -> the table's own, where they differ.
    """
    rows = RowNumbers(students)
    keys = [*(name for name in cell_columns if name in students.columns), TEMP]
    if students[TEMP].nunique() < _MIN_TEMPERATURES or len(students) < _MIN_RUNS * rows.count_combinations(keys):
        return ""
    names = [name for name in candidates if _goes_with_temperature(rows, name, keys) and not _is_copy(students, name)]
    if not names:
        return ""
    own = [get_own_name(name, own_names) for name in names]
    listed, values = join_names(own, max_names=_MAX_NAMES), _list_values(students, names[0], keys)
    if len(names) == 1:
        finding = f"{listed} changes with T ({values}): which of the two makes the difference cannot be told"
    else:
        finding = (
            f"{listed} change with T ({own[0]}: {values}): whether T or one of them makes the difference cannot be told"
        )
    return f"{finding}. Train every T with the same {listed}."


def _goes_with_temperature(rows: RowNumbers, name: str, keys: Sequence[str]) -> bool:
    """Return whether all runs of one T and setting have one value of a column, and those of other T have others."""
    settings = [key for key in keys if key != TEMP]
    n_values = rows.count_combinations([*settings, name])
    return rows.count_combinations([*keys, name]) == rows.count_combinations(keys) and n_values > (
        rows.count_combinations(settings) if settings else 1
    )


def _is_copy(students: pd.DataFrame, name: str) -> bool:
    """Return whether a column is only T again: its name or its text says so, or it is a power of T, or its rank."""
    words = set(split_words(name))
    if words & _TEMPERATURE_WORDS:
        return True
    pairs = students[[TEMP, name]].drop_duplicates().sort_values(TEMP)
    temperatures, values = pairs[TEMP].tolist(), pairs[name].tolist()
    if any(isinstance(value, str) for value in values):
        named = [[float(number) for number in _NUMBER.findall(str(value))] for value in values]
        return all(T in numbers for T, numbers in zip(temperatures, named, strict=True))
    if words & _SETTING_WORDS or len(set(temperatures)) < len(pairs) or pairs[name].isna().any():
        return False
    numbers = [float(value) for value in values]
    ranks = list(range(len(numbers)))
    return numbers in (ranks, [rank + 1 for rank in ranks]) or any(
        _are_proportional(numbers, [_raise_temperature(T, power) for T in temperatures]) for power in (0.0, *_POWERS)
    )


def _raise_temperature(T: float, power: float) -> float:
    """Return T to a power; its logarithm for the power 0."""
    return math.log(T) if power == 0 else T**power


def _are_proportional(numbers: Sequence[float], others: Sequence[float]) -> bool:
    """Return whether numbers are those of another list times a factor, up to rounding."""
    largest = max(range(len(others)), key=lambda i: abs(others[i]))
    factor = numbers[largest] / others[largest]
    return factor != 0 and all(
        abs(number - factor * other) <= _TOLERANCE * abs(factor * other)
        for number, other in zip(numbers, others, strict=True)
    )


def _list_values(students: pd.DataFrame, name: str, keys: Sequence[str]) -> str:
    """List the value that each T has, in the first setting: T = 1 was run at 0.1, T = 2 at 0.03."""
    pairs = students[[*keys, name]].drop_duplicates().sort_values(list(keys))
    settings = [key for key in keys if key != TEMP]
    first = pairs.iloc[0][settings]
    place = ""
    if settings and len(students[[TEMP, name]].drop_duplicates()) > students[TEMP].nunique():
        pairs = pairs[(pairs[settings].eq(first) | (pairs[settings].isna() & first.isna())).all(axis=1)]
        place = f"in {format_setting(settings, first.tolist())} "
    pairs = pairs.drop_duplicates([TEMP]).sort_values(TEMP)
    texts = [
        f"T = {format_number(T)} {'was run ' if i == 0 else ''}at {format_number(value)}"
        for i, (T, value) in enumerate(zip(pairs[TEMP], pairs[name], strict=True))
    ]
    more = " and so on" if len(texts) > _MAX_VALUES else ""
    return f"{place}{', '.join(texts[:_MAX_VALUES])}{more}"
