"""Describe pydantic's errors in the words of a sweep file: what is wrong, then what would be right."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from pydantic import BaseModel

from kdtune.spec.grid import GRID
from kdtune.spec.missing_kinds import describe_missing_data_kind
from kdtune.spec.suggestions import find_meant_setting, is_misspelt_grid, suggest_setting
from kdtune.text import pluralize

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
_MAX_LENGTH = 60  # A value is shown with at most this many characters.


def describe_error(error: Any, valid_names: Collection[str], paths_elsewhere: Collection[str] = ()) -> str:
    """Describe one error of pydantic.

    Parameters
    ----------
    error : An item of ``ValidationError.errors()``.
    valid_names : The settings that may stand where the error is.
    paths_elsewhere : The full paths of settings in other blocks, such as ``distill.T``.
    """
    error_type, value, context = error["type"], error["input"], error.get("ctx", {})
    if error_type == "missing":
        return "is missing; it has no default"
    if error_type == "extra_forbidden":
        return f"is not a setting here; {suggest_setting(str(error['loc'][-1]), valid_names, paths_elsewhere)}"
    if error_type == "union_tag_not_found":
        for name in value:
            if find_meant_setting(str(name), ["kind"]) is not None:
                return f"is missing; write 'kind' instead of {name!r}"
        return describe_missing_data_kind(value)
    if error_type == "union_tag_invalid":
        value = value["kind"] if isinstance(value, dict) else value.kind
    if isinstance(value, dict) and len(value) == 1:
        key = str(next(iter(value)))
        if is_misspelt_grid(key):
            return f"{key!r} is not a grid; did you mean {GRID!r}?"
    if error_type in _BOUNDS:
        limit_name, comparison = _BOUNDS[error_type]
        return f"must be {comparison} {_format_limit(context[limit_name])}, not {format_value(value)}"
    if error_type in _TYPES:
        return f"must be {_TYPES[error_type]}, not {format_value(value)}"
    match error_type:
        case "finite_number":
            return f"must be finite, not {format_value(value)}"
        case "literal_error":
            return f"cannot be {format_value(value)}; must be {context['expected'].replace(chr(39), '')}"
        case "union_tag_invalid":
            return f"cannot be {format_value(value)}; must be one of {context['expected_tags'].replace(chr(39), '')}"
        case "string_pattern_mismatch":
            rule = "must be a plain file name: letters, digits and '._+-', beginning with a letter or a digit"
            return f"{rule}, not {format_value(value)}"
        case "too_short":
            return f"must have at least {pluralize(context['min_length'], 'item')}"
        case "string_too_long":
            return f"must be at most {context['max_length']} characters long"
        case "kdtune" if isinstance(value, dict | BaseModel):
            return str(error["msg"])
        case "kdtune":
            return f"{error['msg']}, not {format_value(value)}"
    return f"{error['msg'][:1].lower()}{error['msg'][1:]}, not {format_value(value)}"


def format_value(value: Any) -> str:
    """Format a value as a user would write it, shortened to a length that fits a line."""
    match value:
        case None:
            return "nothing"
        case bool():
            return str(value).lower()
        case str():
            return _shorten(f"the text {value!r}")
        case dict():
            return "a block of settings"
        case []:
            return "an empty list"
        case list():
            return f"the list {format_items(value)}"
        case _:
            return _shorten(str(value).replace("e+", "e"))


def _format_limit(limit: float) -> str:
    """Format the bound of a setting: 1,000,000, but 0.5."""
    return f"{int(limit):,}" if limit == int(limit) else f"{limit:g}"


def format_items(items: list[Any]) -> str:
    """Format the items of a list as a user would write them between brackets, shortened as ``format_value`` does."""
    texts = []
    for item in items[:_MAX_LENGTH]:
        match item:
            case bool():
                texts.append(str(item).lower())
            case None:
                texts.append("null")
            case dict():
                texts.append("{...}")
            case list():
                texts.append(f"[{format_items(item)}]")
            case _:
                texts.append(str(item))
    return _shorten(", ".join(texts))


def _shorten(text: str) -> str:
    return text if len(text) <= _MAX_LENGTH else text[: _MAX_LENGTH - 3] + "..."
