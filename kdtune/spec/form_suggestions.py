"""Suggest how to write several values, or a list, to a user who wrote something else for them."""

from __future__ import annotations

import re
from typing import Any

from kdtune.spec.grid import GRID
from kdtune.spec.messages import format_items
from kdtune.spec.suggestions import is_misspelt_grid

REPLICATES_HINT = "to repeat the sweep with several seeds, set replicates"
_BLOCK_TYPES = ("dict_type", "model_type", "model_attributes_type")
_NUMBER = re.compile(r"\d+\.?\d*(?:[eE][+-]?\d+)?")


def suggest_grid(error: Any, value: Any) -> str:
    """Return how to write a grid of the values in ``value``; empty if it holds no alternatives.

    Parameters
    ----------
    error : The error of pydantic about the value.
    value : The value that was given to a setting that takes no list.
    """
    if error["type"] in _BLOCK_TYPES:
        if isinstance(value, list) and value and all(isinstance(item, dict) for item in value):
            return _offer_grid("{...}, {...}")
        return ""
    match value:
        case []:
            return f"; give one value, or several as {{{GRID}: [...]}}"
        case list():
            return _offer_grid(format_items(value)) if _may_be_items(error, value) else ""
        case dict() if not any(is_misspelt_grid(str(key)) for key in value):
            return _suggest_grid_for_mapping(error, value)
        case str() if _takes_number(error):
            numbers = _split_numbers(value)
            if numbers is not None:
                return _offer_grid(format_items(numbers))
            return _offer_grid("...") if len(_NUMBER.findall(value)) > 1 else ""
    return ""


def suggest_grid_of_lists(value: Any) -> str:
    """Return how to write a grid of lists, if ``value`` is a list of lists given to a setting that takes one list."""
    if not isinstance(value, list) or not all(isinstance(item, list) for item in value):
        return ""
    return f"; to try several lists, write {{{GRID}: [{format_items(value)}]}}"


def suggest_list(value: Any) -> str:
    """Return how to write the list that was meant by a number, or by a text of several numbers."""
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:  # No list takes negative numbers.
        return f"; write [{format_items([value])}]"
    numbers = _split_numbers(value) if isinstance(value, str) else None
    return "" if numbers is None else f"; write [{format_items(numbers)}]"


def _suggest_grid_for_mapping(error: Any, mapping: dict[str, Any]) -> str:
    """Return how to write a grid for what other tools write as ``{values: [1, 2]}``."""
    items = next(iter(mapping.values()), None)
    if len(mapping) == 1 and isinstance(items, list) and items and _may_be_items(error, items):
        return _offer_grid(format_items(items))
    return _offer_grid("...")


def _offer_grid(items: str) -> str:
    return f"; to try several values, write {{{GRID}: [{items}]}}"


def _takes_number(error: Any) -> bool:
    # Of the settings that can be swept, those with a rule of kdtune's own for one value take numbers.
    return error["type"] in ("int_type", "float_type", "kdtune")


def _may_be_items(error: Any, items: list[Any]) -> bool:
    """Return whether a grid of these items would have values of the type that the setting takes."""
    context = error.get("ctx", {})
    match error["type"]:
        case "literal_error" | "union_tag_invalid":
            choices = context.get("expected", context.get("expected_tags", ""))
            return all(isinstance(item, str) and repr(item) in choices for item in items)
        case "bool_type":
            return all(isinstance(item, bool) for item in items)
        case "string_type":
            return all(isinstance(item, str) for item in items)
    return all(isinstance(item, int | float) and not isinstance(item, bool) for item in items)


def _split_numbers(text: str) -> list[float | int] | None:
    """Turn "1, 2.5, 4" or "1 2.5 4" into numbers; None if the text is anything else."""
    parts = re.split(r"\s*[,;]\s*|\s+", text.strip("[]() "))
    if len(parts) < 2:
        return None
    try:
        return [int(part) if part.strip().isdecimal() else float(part) for part in parts]
    except ValueError:
        return None
