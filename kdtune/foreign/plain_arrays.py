"""Convert an array of Arrow to a plain column of pandas, without a loop over its values."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import types

NUMBERS_AS_TEXT = "all texts are numbers, and are read as numbers"
MISSING_WORDS = 'all texts are numbers or words such as "None" and "nan", which are read as missing values'
BLANK_TEXTS = "blank texts are read as missing values"
DURATIONS = "durations are read as seconds"
LONG_INTEGERS = "integers of more than 64 bits are read as text, so that no digit is lost"

# A number begins with no zeros, which only codes have ("007"). Exponents are short, unlike those of ids ("12e4567").
_INTEGER = r"^[+-]?(0|[1-9][0-9]*)$"
_NUMBER = r"^[+-]?((0|[1-9][0-9]*)(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,3})?$"
_INFINITY = r"^[+-]?(?i:inf|infinity)$"
# What pandas and databases write for a missing value, in small letters.
_MISSING_WORDS = pa.array(["nan", "na", "n/a", "<na>", "nat", "none", "null"])
_SAMPLE_SIZE = 20  # texts that are looked at first: most columns of text do not begin with numbers
# Units of time in which a text has no needless zeros, the coarsest first.
_TIME_UNITS = ("s", "ms", "us", "ns")
_UNITS_PER_SECOND = {"s": 1, "ms": 1e3, "us": 1e6, "ns": 1e9}
_MIDNIGHT = " 00:00:00"
_LAST_BLANK, _LAST_ASCII = ord(" "), 127


class PlainColumn(NamedTuple):
    """A column of plain values."""

    values: pd.Series
    changes: list[str]  # what was changed that a user must know, each as words after the column's name and a colon


def to_plain_array(array: Any, keeps_text: bool) -> PlainColumn | None:
    """Return an array as a plain column; None if its values must be converted one by one (lists, bytes, ...).

    Parameters
    ----------
    array : A chunked array of Arrow.
    keeps_text : Whether texts stay texts if all of them are numbers.
    """
    kind = array.type
    if types.is_null(kind) or types.is_boolean(kind) or types.is_float64(kind):
        return _to_column(array)
    if types.is_string(kind) or types.is_large_string(kind):
        return _read_texts(array, keeps_text)
    if str(kind) == "string_view":
        return _read_texts(array.cast(pa.large_string()), keeps_text)
    if types.is_integer(kind) or (types.is_decimal(kind) and kind.scale == 0):
        return _read_integers(array)
    if types.is_float16(kind):
        numbers = [None if value is None else float(str(np.float16(value))) for value in array.to_pylist()]
        return _to_column(pa.chunked_array([pa.array(numbers, pa.float64())]))
    if types.is_float32(kind) or types.is_decimal(kind):
        # By way of text they become the nearest float: 0.1, not 0.10000000149.
        return _to_column(array.cast(pa.string()).cast(pa.float64()))
    if types.is_duration(kind):
        seconds = pc.divide(array.cast(pa.int64()).cast(pa.float64()), _UNITS_PER_SECOND[kind.unit])
        return _to_column(seconds, DURATIONS)
    if types.is_date(kind) or types.is_time(kind) or types.is_timestamp(kind):
        return _to_column(_to_iso_texts(array))
    return None


def _to_column(array: Any, *changes: str) -> PlainColumn:
    """Return a chunked array of text, 64-bit numbers, truths or nulls as pandas gives them."""
    has_null_integers = array.type == pa.int64() and array.null_count
    # As floats, integers beside nulls would lose their last digits.
    values = array.to_pandas(types_mapper=(lambda _: pd.Int64Dtype()) if has_null_integers else None)
    return PlainColumn(values, list(changes))


def _read_integers(array: Any) -> PlainColumn:
    """Read integers as 64-bit numbers, or as texts if one is longer."""
    try:
        return _to_column(array.cast(pa.int64()))
    except pa.ArrowInvalid:
        return _to_column(array.cast(pa.string()), LONG_INTEGERS)


def _to_iso_texts(array: Any) -> Any:
    """Write dates and times as ISO 8601 does, with a blank for the T, without parts of seconds if all are whole."""
    texts = _drop_zeros(array).cast(pa.string())
    if types.is_timestamp(array.type) and pc.all(pc.ends_with(texts, _MIDNIGHT)).as_py():
        return pc.utf8_slice_codeunits(texts, 0, -len(_MIDNIGHT))
    return texts


def _drop_zeros(array: Any) -> Any:
    """Return times in the coarsest unit that holds all of them."""
    kind = array.type
    if types.is_date(kind):
        return array
    for unit in _TIME_UNITS[: _TIME_UNITS.index(kind.unit)]:
        try:
            if types.is_timestamp(kind):
                return array.cast(pa.timestamp(unit, kind.tz))
            return array.cast(pa.time32(unit) if unit in ("s", "ms") else pa.time64(unit))
        except pa.ArrowInvalid:
            continue
    return array


def _read_texts(texts: Any, keeps_text: bool) -> PlainColumn:
    """Read texts as numbers if all of them are numbers; blank ones are missing values."""
    is_blank = pc.equal(pc.binary_length(texts), 0)
    if may_have_blanks(texts):
        is_blank = pc.or_(is_blank, pc.utf8_is_space(texts))
    has_blank = pc.any(is_blank).as_py()
    if has_blank:
        texts = pc.if_else(is_blank, None, texts)
    changes = [BLANK_TEXTS] if has_blank else []
    if keeps_text or not _is_number_like(texts.drop_null().slice(0, _SAMPLE_SIZE)):
        return _to_column(texts, *changes)
    words = pc.utf8_trim_whitespace(texts)
    known_words = pc.if_else(_is_missing_word(words), None, words)
    numbers = _parse_numbers(known_words)
    if numbers is None:
        return _to_column(texts, *changes)
    change = MISSING_WORDS if known_words.null_count > words.null_count else NUMBERS_AS_TEXT
    return _to_column(numbers, change, *changes)


def may_have_blanks(texts: Any) -> bool:
    """Return whether texts may have blanks in them: whether their bytes have any, or are not all ASCII.

    A million texts are looked through in a few milliseconds, which is a tenth of what trimming them takes.
    """
    for chunk in texts.chunks:
        content = np.frombuffer(chunk.buffers()[2] or b"", np.uint8)
        if len(content) and (content.min() <= _LAST_BLANK or content.max() > _LAST_ASCII):
            return True
    return False


def _is_number_like(texts: Any) -> bool:
    """Return whether all texts are numbers or stand for a missing value."""
    words = pc.utf8_trim_whitespace(texts)
    return bool(pc.all(pc.or_(_is_missing_word(words), _is_number(words)), min_count=0).as_py())


def _is_missing_word(words: Any) -> Any:
    return pc.is_in(pc.utf8_lower(words), value_set=_MISSING_WORDS.cast(words.type))


def _is_number(words: Any) -> Any:
    return pc.or_(pc.match_substring_regex(words, _NUMBER), pc.match_substring_regex(words, _INFINITY))


def _parse_numbers(words: Any) -> Any | None:
    """Return texts as integers if all are such, else as floats; None if they are no numbers or too long for them."""
    if not pc.all(_is_number(words)).as_py():  # None if all are null
        return None
    try:
        if pc.all(pc.match_substring_regex(words, _INTEGER)).as_py():
            return pc.utf8_ltrim(words, "+").cast(pa.int64())
    except pa.ArrowInvalid:
        return None  # It is a code of more than 18 digits.
    numbers = pc.utf8_ltrim(words, "+").cast(pa.float64())
    is_overflow = pc.and_(pc.is_inf(numbers), pc.match_substring_regex(words, _NUMBER))
    return None if pc.any(is_overflow).as_py() else numbers
