"""Read numbers as people write them: with decimal commas, thousands separators, and words for missing values."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

# What pandas.read_csv takes for a missing value.
NULL_WORDS = ("", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>",
              "N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null")  # fmt: skip
# What stands for one among numbers only, in small letters: dashes, and the words above in other letters.
NUMBER_NULL_WORDS = {"-", "--", "---", "–", "—", "na", "nan", "n/a", "null", "none", "<na>", "nil", "nat"}
# Other characters for a minus, for the blank and for the apostrophe between thousands.
_TYPOGRAPHY = str.maketrans({"−": "-", "\u00a0": " ", "\u202f": " ", "\u2009": " ", "’": "'"})


class NumberStyle(NamedTuple):
    """How numbers are written."""

    decimal: str
    group: str  # what stands between thousands; empty for nothing


PLAIN = NumberStyle(".", "")
STYLES = (PLAIN, NumberStyle(",", ""), *(NumberStyle(d, g) for d in ".," for g in (".", ",", " ", "'") if d != g))

Numbers = NDArray[np.int64] | NDArray[np.float64]


def _make_pattern(style: NumberStyle) -> re.Pattern[str]:
    """Return the pattern of a number in a style. One with zeros in front ("007") is a code."""
    groups = rf"|[1-9]\d{{0,2}}(?:{re.escape(style.group)}\d{{3}})+" if style.group else ""
    decimal = re.escape(style.decimal)
    number = rf"(?:0|[1-9]\d*{groups})(?:{decimal}\d*)?|{decimal}\d+"
    return re.compile(rf"[+-]?(?:(?:{number})(?:[eE][+-]?\d{{1,3}})?|(?i:inf|infinity))", re.ASCII)


_PATTERNS = {style: _make_pattern(style) for style in STYLES}
_INTEGER = re.compile(r"[+-]?\d+", re.ASCII)
_GROUPS = re.compile(r"[+-]?[1-9]\d{0,2}(?:\.\d{3})+", re.ASCII)


def is_null_among_numbers(word: str) -> bool:
    """Return whether a word stands for a missing value in a column of numbers."""
    return word.lower() in NUMBER_NULL_WORDS


def unify_characters(word: str) -> str:
    """Return a word with the characters of ASCII for minus, blank and apostrophe."""
    return word if word.isascii() else word.translate(_TYPOGRAPHY)


def list_readings(words: Sequence[str]) -> dict[NumberStyle, Numbers]:
    """Return what words may be as numbers, by their style; of styles that give the same numbers the first one only."""
    marks = {mark for mark in ".,' " if any(mark in word for word in words)}
    readings: dict[NumberStyle, Numbers] = {}
    for style in STYLES:
        # Without such a mark in a word the numbers are those of a style above.
        if style != PLAIN and (style.group or style.decimal) not in marks:
            continue
        numbers = _read_styled_numbers(words, style)
        if numbers is not None and not any(np.array_equal(numbers, other) for other in readings.values()):
            readings[style] = numbers
    return readings


def _read_styled_numbers(words: Sequence[str], style: NumberStyle) -> Numbers | None:
    """Return words as numbers of one style: integers if all are; None if a word is no such number.

    Words of more digits than 64 bits hold are codes, and None is returned, too.
    """
    if not all(map(_PATTERNS[style].fullmatch, words)):
        return None
    texts = [word.replace(style.group, "") for word in words] if style.group else words
    if style.decimal != ".":
        texts = [text.replace(style.decimal, ".") for text in texts]
    try:
        if all(map(_INTEGER.fullmatch, texts)):
            return np.array([int(text) for text in texts], np.int64)
    except (OverflowError, ValueError):  # Python itself reads no integers of thousands of digits.
        return None
    numbers = np.array([float(text) for text in texts])
    for position in np.flatnonzero(np.abs(numbers) >= 2.0**63).tolist():
        text = texts[position]
        if _INTEGER.fullmatch(text) or (np.isinf(numbers[position]) and "inf" not in text.lower()):
            return None
    return numbers


def may_be_thousands(words: Sequence[str]) -> bool | None:
    """Return whether the points in words may all stand between thousands, as in "1.234"; None if there are none."""
    words_with_points = [word for word in words if "." in word]
    return all(map(_GROUPS.fullmatch, words_with_points)) if words_with_points else None
