"""Read columns of text as numbers, truths or text: only where a whole column can be read in exactly one way."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from kdtune.foreign.column_notes import ColumnNotes
from kdtune.number_styles import (
    PLAIN,
    Numbers,
    NumberStyle,
    is_null_among_numbers,
    list_readings,
    may_be_thousands,
    unify_characters,
)

TRUTHS = {"true": True, "false": False}
_SAMPLE_SIZE = 100  # values that show whether a column is plain text, before all of them are looked at
_EXACT_FLOATS = 2.0**53  # up to here integers are exact as floats


class NeedsTextError(Exception):
    """Columns were read as plain numbers whose text matters."""


class ReadColumns(NamedTuple):
    """The columns of a table with their values."""

    columns: list[pd.Series]
    notes: list[str]  # how numbers are written, where it is not plainly; each a sentence
    doubts: dict[str, str]  # the columns whose numbers can be read in two ways, each with a sentence


class _Words(NamedTuple):
    """The different values of a column that holds truths, or numbers in some style."""

    words: list[str]
    codes: Any  # an array of Arrow: for each row the position of its word, or null
    readings: dict[NumberStyle, Numbers]  # what the words may be that stand for no missing value; empty for truths
    suffix: str  # "%" if each of these words ends with it


class _Column(NamedTuple):
    """What is known of one column before the others are looked at."""

    name: str
    texts: Any  # a chunked array of Arrow
    numbers: Any | None  # the same, if all values are plain numbers
    words: _Words | None  # None if the values are plain numbers or plain text


def read_columns(names: Sequence[str], columns: Sequence[Any], is_european: bool = False) -> ReadColumns:
    """Read columns of text.

    Numbers become ``int64`` or ``float64``, integers beside nulls ``Int64``, truths ``bool`` (beside nulls objects);
    all else stays text. Values such as "1,234" are read only if other values, of the column or of other columns, show
    what their mark means; else the column stays text, and that is said.

    Parameters
    ----------
    names : The names of the columns.
    columns : Chunked arrays of Arrow: text without blanks around it, or plain numbers; null where there is no value.
    is_european : Whether decimals may have commas although none is seen, so that "1.234" may be 1234.

    Raises
    ------
    NeedsTextError
        If it depends on the text of plain numbers what they are.
    """
    with ThreadPoolExecutor() as pool:  # Arrow computes without Python's lock.
        column_facts = list(pool.map(_inspect_column, names, columns))
    marks = _find_decimal_marks(column_facts, is_european)
    points_are_decimal = "," not in marks and ("." in marks or not is_european)
    commas_are_decimal = marks == {","}
    notes = ColumnNotes()
    values = []
    for column in column_facts:
        if column.words is not None:
            values.append(_read_words(column, column.words, points_are_decimal, commas_are_decimal, notes))
        elif column.numbers is None:
            values.append(_to_series(column.texts))
        elif not points_are_decimal and _may_be_thousands(column):
            notes.add_doubt(column.name, _find_example(column, "."))
            values.append(_to_series(column.texts))
        else:
            values.append(_to_series(column.numbers))
    return ReadColumns(values, notes.list_sentences(), notes.list_doubts())


def _find_decimal_marks(columns: Sequence[_Column], is_european: bool) -> set[str]:
    """Return what stands before decimals in the columns that can be read in one way: points, commas, or both."""
    marks = set()
    for column in columns:
        words, readings = column.words.words if column.words else [], column.words.readings if column.words else {}
        decimals = {style.decimal for style in readings}
        if len(decimals) == 1 and any(mark in word for word in words for mark in ".,"):
            marks |= decimals
    if "," in marks or is_european:  # Else it does not matter whether there are points.
        marks |= {"." for column in columns if _may_be_thousands(column) is False}
    return marks


def find_plain_type(values: Sequence[str | None]) -> Any:
    """Return the type of Arrow that values have: of integers, of floats, or of text."""
    texts = pa.chunked_array([pa.array(values, pa.string())])
    numbers = None if texts.null_count == len(texts) else _read_plain_numbers(texts)
    return pa.string() if numbers is None else numbers.type


def _inspect_column(name: str, texts: Any) -> _Column:
    if pa.types.is_string(texts.type):
        sample = texts.slice(0, _SAMPLE_SIZE).drop_null().unique().to_pylist()
        if _read_different_words(sample) is None:
            return _Column(name, texts, None, None)
    numbers = _read_plain_numbers(texts)
    return _Column(name, texts, numbers, _list_words(texts) if numbers is None else None)


def _read_plain_numbers(texts: Any) -> Any | None:
    """Return texts as integers or floats of Arrow; None if one is no plain number, or may be a code."""
    if texts.null_count == len(texts):
        return texts.cast(pa.float64())
    if not pa.types.is_string(texts.type):
        if texts.type == pa.float64() and _find_largest(texts) >= _EXACT_FLOATS:
            raise NeedsTextError
        return texts
    try:
        numbers = texts.cast(pa.int64())
        largest = 0.0
    except pa.ArrowInvalid:
        try:
            numbers = texts.cast(pa.float64())
        except pa.ArrowInvalid:
            return None
        largest = _find_largest(numbers)
    # A larger float may have had more digits, or be infinite because there is no such float.
    return None if largest >= _EXACT_FLOATS or _has_codes(texts) else numbers


def _find_largest(numbers: Any) -> float:
    """Return the largest magnitude of numbers."""
    ends = pc.min_max(numbers).as_py()
    return float(max(-ends["min"], ends["max"]))


def _has_codes(texts: Any) -> bool:
    """Return whether a number begins as a code does ("007"), or is hexadecimal ("0x1F"), which Arrow reads, too."""
    if pc.any(pc.starts_with(texts, "-0")).as_py():
        return bool(pc.any(pc.match_substring_regex(texts, "^-?0[0-9xX]")).as_py())
    n_codes = pc.sum(pc.starts_with(texts, "0")).as_py()
    n_codes -= pc.sum(pc.equal(texts, "0")).as_py() if n_codes else 0
    for start in ("0.", "0e", "0E"):
        n_codes -= pc.sum(pc.starts_with(texts, start)).as_py() if n_codes else 0
    return bool(n_codes)


def _list_words(texts: Any) -> _Words | None:
    """Return the different values of a column that may be numbers or truths; None if it is plain text."""
    encoded = pa.chunked_array([texts.combine_chunks()]).dictionary_encode().chunk(0)
    words = encoded.dictionary.to_pylist()
    reading = _read_different_words(words)
    return None if reading is None else _Words(words, encoded.indices, *reading)


def _read_different_words(words: Sequence[str]) -> tuple[dict[NumberStyle, Numbers], str] | None:
    """Return what words may be as numbers, and what ends each of them; None if they are neither numbers nor truths."""
    if all(word.lower() in TRUTHS for word in words):
        return {}, ""
    values = [unify_characters(word) for word in words if not is_null_among_numbers(word)]
    suffix = "%" if values and all(value.endswith("%") for value in values) else ""
    readings = list_readings([value.removesuffix(suffix).rstrip() for value in values]) if values else {}
    return (readings, suffix) if readings else None


def _may_be_thousands(column: _Column) -> bool | None:
    """Return whether the points in plain numbers may stand between thousands; None if there are no points."""
    if column.numbers is None or column.numbers.type != pa.float64():
        return None
    if not pa.types.is_string(column.texts.type):
        raise NeedsTextError
    return may_be_thousands(column.texts.drop_null().unique().to_pylist())


def _read_words(
    column: _Column, words: _Words, points_are_decimal: bool, commas_are_decimal: bool, notes: ColumnNotes
) -> pd.Series:
    """Return the values of a column of truths, or of numbers that are not all plain.

    Parameters
    ----------
    column : The column.
    words : Its words.
    points_are_decimal : Whether a point stands before decimals where it may also stand between thousands.
    commas_are_decimal : The same of a comma.
    notes : What is said; it is completed.
    """
    if not words.readings:
        truths = pa.array([TRUTHS[word.lower()] for word in words.words], pa.bool_())
        return _to_series(truths.take(words.codes))
    readings = words.readings
    if len(readings) > 1 and PLAIN in readings and points_are_decimal:
        readings = {PLAIN: readings[PLAIN]}
    elif len(readings) > 1 and PLAIN not in readings and commas_are_decimal:
        readings = {style: numbers for style, numbers in readings.items() if style.decimal == ","}
    if len(readings) != 1:
        notes.add_doubt(column.name, _find_example(column, ",") or _find_example(column, "."))
        return _to_series(column.texts)
    ((style, numbers),) = readings.items()
    mark = style.decimal if style.decimal == "," else style.group
    notes.add_style(column.name, style, _find_example(column, mark) or _find_example(column, style.group))
    is_null = np.array(list(map(is_null_among_numbers, words.words)))
    for position in np.flatnonzero(is_null).tolist():
        notes.add_null(column.name, words.words[position], pc.sum(pc.equal(words.codes, position)).as_py())
    values = pa.array([f"{number}{words.suffix}" for number in numbers.tolist()] if words.suffix else numbers)
    positions = pa.array(np.cumsum(~is_null) - 1, mask=is_null)
    return _to_series(values.take(positions.take(words.codes)))


def _find_example(column: _Column, mark: str) -> str:
    """Return the first value with a mark in it; the empty text if there is none."""
    position = pc.index(pc.match_substring(column.texts, mark), True).as_py()
    return "" if position < 0 else str(column.texts[position].as_py())


def _to_series(array: Any) -> pd.Series:
    """Return an array of Arrow as a plain column, as the tables of sweeps have them."""
    has_null_integers = array.type == pa.int64() and array.null_count
    series: pd.Series = array.to_pandas(types_mapper=(lambda _: pd.Int64Dtype()) if has_null_integers else None)
    return series
