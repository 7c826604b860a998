"""pydantic's errors in the words of a sweep file: what is wrong, and what would be right."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel

from kdtune.text import nearest

_BOUNDS = {
    "greater_than": ("gt", "greater than"),
    "greater_than_equal": ("ge", "at least"),
    "less_than": ("lt", "less than"),
    "less_than_equal": ("le", "at most"),
}
_TYPES = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "string_type": "text",
    "list_type": "a list",
    "dict_type": "a block of settings",
    "model_type": "a block of settings",
    "model_attributes_type": "a block of settings",
}


def describe_error(error: Any, known: Iterable[str]) -> str:
    """One pydantic error in plain words; ``known`` are the settings valid where it stands."""
    kind, given, context = error["type"], error["input"], error.get("ctx", {})
    if kind == "missing":
        return "is missing; it has no default"
    if kind == "extra_forbidden":
        return f"is no setting here; {nearest(str(error['loc'][-1]), known)}"
    if kind in _BOUNDS:
        key, words = _BOUNDS[kind]
        return f"must be {words} {context[key]:g}, not {format_value(given)}"
    if kind in _TYPES and isinstance(given, dict) and len(given) == 1:
        (key,) = given
        if difflib.get_close_matches(str(key), ["grid_search"], cutoff=0.6):
            return f"{key!r} is no grid; did you mean 'grid_search'?"
    if kind in _TYPES:
        return f"must be {_TYPES[kind]}, not {format_value(given)}"
    if kind == "finite_number":
        return f"must be finite, not {format_value(given)}"
    if kind == "literal_error":
        return f"cannot be {format_value(given)}; must be {context['expected'].replace(chr(39), '')}"
    if kind == "union_tag_invalid":
        return f"unknown kind {context['tag']!r}; must be one of {context['expected_tags'].replace(chr(39), '')}"
    if kind == "union_tag_not_found":
        return "is missing; it says what kind of data set this is"
    if kind == "string_pattern_mismatch":
        return (
            f"must be a plain file name of letters, digits, '.', '_', '+' and '-', not {format_value(given)}"
            if isinstance(given, str)
            else "must be text"
        )
    if kind == "too_short":
        return f"must have at least {context['min_length']} item{'s' * (context['min_length'] != 1)}"
    if kind == "string_too_long":
        return f"is longer than {context['max_length']} characters"
    if kind == "kdtune":
        return (
            str(error["msg"]) if isinstance(given, dict | BaseModel) else f"{error['msg']}, not {format_value(given)}"
        )
    return f"{error['msg'][:1].lower()}{error['msg'][1:]}, not {format_value(given)}"


def format_value(value: Any) -> str:
    """A value as a user would write it, cut to a length that fits a line."""
    match value:
        case None:
            text = "nothing"
        case bool():
            text = str(value).lower()
        case str():
            text = f"the text {value!r}"
        case dict():
            text = "a block of settings"
        case list():
            text = "the list " + ", ".join(map(str, value)) if value else "an empty list"
        case _:
            text = str(value)
    return text if len(text) <= 60 else text[:57] + "..."
