"""Count, expand and check the grids (``grid_search``) at any depth of a tree of settings. Pure."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from kdtune.errors import Mistake
from kdtune.spec.yaml_tree import YamlNode

GRID = "grid_search"
MAX_COMPARED_VALUES = 500_000  # Larger grids are not searched for duplicates: it would take longer than planning.


class _InvalidGrid:
    """The value that a grid without a list of items is expanded to."""


# ``find_grid_mistakes`` reports such a grid; what stands beside it can still be checked.
INVALID_GRID = _InvalidGrid()


@dataclass(frozen=True)
class GridSize:
    """The size of a tree of settings once its grids are expanded."""

    variants: int
    values: int  # The scalars, lists and blocks of all variants, counted together.


def is_grid(node: YamlNode) -> bool:
    """Return whether the node itself is a grid."""
    return isinstance(node.value, dict) and GRID in node.value


def has_grid(node: YamlNode) -> bool:
    """Return whether the node or anything below it is a grid."""
    return is_grid(node) or any(has_grid(child) for _, child in node.children())


def has_invalid_grid(node: YamlNode) -> bool:
    """Return whether a variant, or anything below it, comes from a grid without a list of items."""
    return node.value is INVALID_GRID or any(has_invalid_grid(child) for _, child in node.children())


def _has_items(grid: YamlNode) -> bool:
    items = grid.value[GRID].value
    return isinstance(items, list) and bool(items)


def measure_grid(node: YamlNode) -> GridSize:
    """Compute how much ``expand_grid`` would give, without expanding anything."""
    if is_grid(node):
        if not _has_items(node):
            return GridSize(1, 1)
        item_sizes = [measure_grid(item) for item in node.value[GRID].value]
        return GridSize(sum(size.variants for size in item_sizes), sum(size.values for size in item_sizes))
    child_sizes = [measure_grid(child) for _, child in node.children()]
    variants = math.prod(size.variants for size in child_sizes)
    # Each variant of a child appears once with each combination of the other children.
    child_values = sum(size.values * (variants // size.variants) for size in child_sizes)
    return GridSize(variants, variants + child_values)


def expand_grid(node: YamlNode) -> Iterator[YamlNode]:
    """Iterate over the variants of a tree, each without grids; the last grid varies fastest."""
    if is_grid(node):
        if not _has_items(node):
            yield YamlNode(INVALID_GRID, node.location)
            return
        for item in node.value[GRID].value:
            yield from expand_grid(item)
    elif isinstance(node.value, dict):
        child_variants = [list(expand_grid(child)) for child in node.value.values()]
        for combination in itertools.product(*child_variants):
            yield YamlNode(dict(zip(node.value, combination, strict=True)), node.location)
    elif isinstance(node.value, list):
        child_variants = [list(expand_grid(child)) for child in node.value]
        for combination in itertools.product(*child_variants):
            yield YamlNode(list(combination), node.location)
    else:
        yield node


def find_grid_mistakes(node: YamlNode, field: str) -> Iterator[Mistake]:
    """Find grids that hold no list, an empty list, the same value twice, or keys beside ``grid_search``."""
    if not is_grid(node):
        for name, child in node.children():
            yield from find_grid_mistakes(child, f"{field}.{name}")
        return
    items = node.value[GRID]
    for key in node.value.keys() - {GRID}:
        yield Mistake(node.value[key].location, field, f"{key!r} stands beside {GRID}; nothing else may")
    if not isinstance(items.value, list):
        yield Mistake(items.location, field, f"{GRID} takes a list, as in {{{GRID}: [2, 4]}}")
        return
    if not items.value:
        yield Mistake(items.location, field, f"{GRID} is empty; give at least one value")
    for item in items.value:
        yield from find_grid_mistakes(item, field)
    if measure_grid(node).values <= MAX_COMPARED_VALUES:
        yield from _find_duplicates(items.value, field)


def _find_duplicates(items: list[YamlNode], field: str) -> Iterator[Mistake]:
    known_values: set[str] = set()
    for item in items:
        for variant in expand_grid(item):
            if has_invalid_grid(variant):
                continue
            value = variant.to_plain()
            text = json.dumps(_normalize_numbers(value), sort_keys=True)
            if text in known_values:
                yield Mistake(item.location, field, f"{_format_item(value)} stands twice in the grid; keep one")
            known_values.add(text)


def _normalize_numbers(value: Any) -> Any:
    """Make equal numbers of different types alike: 2 and 2.0 are one value; true is not 1."""
    match value:
        case bool() | None | str():
            return value
        case int() | float():
            return float(value) if abs(value) < 2**53 else str(value)
        case dict():
            return {key: _normalize_numbers(child) for key, child in value.items()}
        case _:
            return [_normalize_numbers(child) for child in value]


def _format_item(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else text[:57] + "..."
