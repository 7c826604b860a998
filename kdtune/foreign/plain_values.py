"""Convert single Python values, as object columns hold them, to plain values: text, number, truth or null."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence, Set
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from functools import singledispatch
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

PlainValue = str | int | float | bool | None

# Integers up to this one are floats without loss.
_LAST_EXACT_INTEGER = 2**53
# DuckDB and PostgreSQL count so many days to a month when they compare intervals.
_DAYS_PER_MONTH = 30
_SECONDS_PER_DAY = 86_400


def to_plain_value(value: Any) -> PlainValue:
    """Return a value as text, integer, float, truth or None.

    Decimals and fractions become numbers, durations seconds, dates and times ISO text, bytes text (hexadecimal digits
    if they are not UTF-8), lists and mappings JSON. An array or tensor without dimensions is its value. A member of an
    enumeration is its value if that is text or the class derives from a plain type, else its name. NaN becomes None.
    """
    simple_value = _simplify(value)
    if isinstance(simple_value, (list, dict)):
        return json.dumps(simple_value, ensure_ascii=False, sort_keys=True)
    plain_value: PlainValue = simple_value
    return plain_value


def to_plain_text(value: PlainValue) -> str | None:
    """Return a plain value as text: 7, 7.0 and "7" are the same; None stays None."""
    if isinstance(value, float) and value.is_integer() and abs(value) <= _LAST_EXACT_INTEGER:
        return str(int(value))
    return None if value is None else str(value)


@singledispatch
def _simplify(value: Any) -> Any:
    """Return a plain value, or a list or dictionary of such; this function itself takes what no other one takes."""
    if isinstance(value, type):
        return str(value)
    # numpy, torch, JAX and pandas have tolist, polars has to_list, scalars of Arrow have as_py, TensorFlow has numpy.
    for method in ("tolist", "to_list", "as_py", "numpy"):
        if hasattr(value, method):
            content = getattr(value, method)()
            is_short_float = isinstance(content, float) and str(value.dtype).endswith("float32")
            return _simplify(np.float32(content) if is_short_float else content)
    return _simplify(str(value))


@_simplify.register
def _(value: None) -> None:
    return None


@_simplify.register(type(pd.NA))
@_simplify.register(type(pd.NaT))
def _(value: Any) -> None:
    return None


@_simplify.register
def _(value: str) -> str:
    text = str.__str__(value)  # of a member of an enumeration of texts, str() gives the member's name
    # No file can hold half characters (surrogates): they become escape sequences.
    return text if text.isascii() else text.encode(errors="backslashreplace").decode()


@_simplify.register(bool)
@_simplify.register(np.bool_)
def _(value: bool | np.bool_) -> bool:
    return bool(value)


@_simplify.register(int)
@_simplify.register(np.integer)
def _(value: int | np.integer[Any]) -> int:
    return int(value)


@_simplify.register(float)
@_simplify.register(np.floating)
@_simplify.register(Fraction)
def _(value: float | np.floating[Any] | Fraction) -> float | None:
    # A float of 32 bits is the shortest decimal that names it: 0.1, not 0.10000000149.
    number = float(str(value)) if isinstance(value, (np.float16, np.float32)) else float(value)
    return None if number != number else number


@_simplify.register
def _(value: Decimal) -> int | float | None:
    if value.is_nan():
        return None
    is_integer = value.is_finite() and value.as_tuple().exponent == 0
    return int(value) if is_integer else float(value)


@_simplify.register
def _(value: Enum) -> Any:
    return _simplify(value.value) if isinstance(value.value, str) else value.name


@_simplify.register
def _(value: datetime) -> str:
    return value.isoformat(sep=" ")


@_simplify.register(date)
@_simplify.register(time)
def _(value: date | time) -> str:
    return value.isoformat()


@_simplify.register
def _(value: timedelta) -> float:
    return value.total_seconds()


@_simplify.register
def _(value: np.datetime64) -> Any:
    return _simplify(pd.Timestamp(value))


@_simplify.register
def _(value: np.timedelta64) -> Any:
    return _simplify(pd.Timedelta(value))


@_simplify.register(pa.MonthDayNano)
def _(value: Any) -> float:
    n_days = value.months * _DAYS_PER_MONTH + value.days
    return float(n_days * _SECONDS_PER_DAY + value.nanoseconds / 1e9)


@_simplify.register(bytes)
@_simplify.register(bytearray)
@_simplify.register(memoryview)
def _(value: bytes | bytearray | memoryview) -> str:
    try:
        return bytes(value).decode()
    except UnicodeDecodeError:
        return bytes(value).hex()


@_simplify.register
def _(value: Mapping) -> dict[str, Any]:  # type: ignore[type-arg] # a parameter is no class to dispatch on
    return {to_plain_text(to_plain_value(key)) or "": _simplify(item) for key, item in value.items()}


@_simplify.register
def _(value: Sequence) -> list[Any]:  # type: ignore[type-arg]
    return [_simplify(item) for item in value]


@_simplify.register
def _(value: Set) -> list[Any]:  # type: ignore[type-arg]
    return sorted(map(_simplify, value), key=lambda item: json.dumps(item, sort_keys=True))
