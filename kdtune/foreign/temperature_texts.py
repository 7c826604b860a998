"""Read temperatures that stand in texts with what they are: T=4, tau=4, τ=4."""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np
import pandas as pd

from kdtune.columns import BASELINE, MODEL, STUDENT, TEMP
from kdtune.foreign.column_names import find_temperatures
from kdtune.foreign.role_words import find_role_in
from kdtune.number_styles import NULL_WORDS, is_null_among_numbers
from kdtune.text import join_names, pluralize

_LABELED = re.compile(
    r"(?P<label>[^0-9.,+-]+)(?P<number>[0-9]+(?:[.][0-9]+)?(?:e[+-]?[0-9]+)?)", re.ASCII | re.IGNORECASE
)
_NUMBER = re.compile(r"[0-9]+(?:[.][0-9]+)?(?:e[+-]?[0-9]+)?", re.ASCII | re.IGNORECASE)
_SYMBOLS = {"τ", "t", "tau", "temp"}
_LABELS_ALONE = {"hard", "hard label", "hard targets", "label", "labels", "no", "off"}
_MAX_VALUES = 1000  # A column with more different texts is no grid of temperatures.


def read_temperature_texts(table: pd.DataFrame, own_names: Mapping[str, str]) -> tuple[pd.DataFrame, list[str]]:
    """Replace texts such as "T=4" by their numbers, and words for no value beside them by null.

    All texts of the column must be such, with one label, or plain numbers; else it stays as it is.

    Parameters
    ----------
    table : The table with ``TEMP``.
    own_names : kdtune's name of a column -> the table's own, where they differ.

    Returns
    -------
    The table, and notes on what was read.
    """
    column = table[TEMP]
    if column.dtype.kind != "O" or column.nunique() > _MAX_VALUES:
        return table, []
    own_name = own_names.get(TEMP, TEMP)
    numbers: dict[object, float] = {}
    labels, blanks, labeled, baselines = set(), [], [], []
    for value in column.dropna().unique():
        text = str(value).strip()
        found = _LABELED.fullmatch(text)
        if found is not None and _says_temperature(found["label"], own_name):
            labels.add(_strip_label(found["label"]))
            labeled.append(value)
            numbers[value] = float(found["number"])
        elif isinstance(value, bool):
            return table, []
        elif _NUMBER.fullmatch(text):
            numbers[value] = float(text)
        elif text in NULL_WORDS or is_null_among_numbers(text):
            blanks.append(value)
        elif find_role_in(text) == BASELINE or text.lower() in _LABELS_ALONE:
            baselines.append(value)
        else:
            return table, []
    if len(labels) != 1:
        return table, []
    notes = [f"{own_name} has texts such as {labeled[0]!r} in {_count(column, labeled)}: the number is taken for T."]
    if blanks:
        words = join_names([repr(value) for value in blanks])
        notes.append(f"{words} is read as a missing value in {own_name} ({_count(column, blanks)}).")
    if baselines:
        words = join_names([repr(value) for value in baselines])
        notes.append(f"{words} in {own_name} is read as no temperature: training on labels alone.")
        if MODEL not in table.columns:
            table = table.assign(**{MODEL: np.where(column.isin(baselines), BASELINE, STUDENT)})
    values = pd.Series([numbers.get(value) for value in column], index=column.index, dtype="float64")
    return table.assign(**{TEMP: values}), notes


def _says_temperature(label: str, own_name: str) -> bool:
    """Return whether what stands before a number says that it is T."""
    word = _strip_label(label)
    return word in _SYMBOLS or bool(find_temperatures([word])) or word == own_name.casefold()


def _strip_label(label: str) -> str:
    return label.strip(" =:_").casefold()


def _count(column: pd.Series, values: list[object]) -> str:
    return pluralize(int(column.isin(values).sum()), "row")
