"""Number the values of students, baselines and teachers: equal values, however they are written, have equal numbers."""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

Integers = npt.NDArray[np.intp]
BLANK = -1  # the number of a value that a row leaves blank

_SEPARATORS = re.compile(r"[\s_-]+")
_BETWEEN_DIGITS = re.compile(r"(?<=\d)[\s_-]+(?=\d)")  # 1-10 is not 110


def encode_values(cell_values: pd.Series, network_values: pd.Series) -> tuple[Integers, Integers]:
    """Encode the values of a column as numbers that cells and networks share.

    Text for a number is that number. Texts that differ in case, blanks, - or _ only are equal if there is no doubt
    which ones belong together.
    """
    numbers, values = pd.factorize(pd.concat([cell_values, network_values], ignore_index=True))
    n_cells = len(cell_values)
    if not pd.api.types.is_numeric_dtype(values) and len(values):
        words = [_simplify_value(value) for value in values]
        joined_numbers = _number(words, numbers)
        if len(np.unique(joined_numbers[:n_cells])) == len(np.unique(numbers[:n_cells])):  # No cells become one.
            cell_words, row_words = (
                [words[number] for number in np.unique(part) if number != BLANK]
                for part in (numbers[:n_cells], numbers[n_cells:])
            )
            spellings = _match_spellings(cell_words, row_words)
            numbers = _number([spellings.get(word, word) for word in words], numbers)
    return numbers[:n_cells], numbers[n_cells:]


def list_spellings(cell_values: pd.Series, network_values: pd.Series) -> dict[str, str]:
    """Return the values of networks that are written in another way than those of cells, with how these are."""
    columns = (cell_values, network_values)
    words = [[_simplify_value(value) for value in column.dropna().unique()] for column in columns]
    return {str(row_word): str(cell_word) for row_word, cell_word in _match_spellings(*words).items()}


def _match_spellings(cell_words: list[Any], row_words: list[Any]) -> dict[Any, Any]:
    """Return the words of networks that are spelled like one word of cells; that one belongs to no other word."""
    spelled_cells, spelled_rows = _group_spellings(cell_words), _group_spellings(row_words)
    spellings = {}
    for spelling, cells in spelled_cells.items():
        rows = spelled_rows.get(spelling, [])
        if len(cells) == len(rows) == 1 and cells != rows:
            spellings[rows[0]] = cells[0]
    return spellings


def _group_spellings(words: list[Any]) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = {}
    for word in dict.fromkeys(words):
        if isinstance(word, str):
            spelling = _SEPARATORS.sub("", _BETWEEN_DIGITS.sub("/", word.casefold()))
            groups.setdefault(spelling, []).append(word)
    return groups


def _number(words: list[Any], numbers: Integers) -> Integers:
    """Return the numbers of rows after equal words became one."""
    of_words = pd.factorize(np.array(words, object))[0]
    return np.where(numbers == BLANK, BLANK, of_words[numbers])


def _simplify_value(value: Any) -> Any:
    """Return the number that a text stands for; any other value as text."""
    text = str(value).strip()
    try:
        number = float(text)
    except ValueError:
        return text
    return number if math.isfinite(number) and "_" not in text else text
