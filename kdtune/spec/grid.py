"""``grid_search`` at any depth: count, check and expand a tree of settings. Pure."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Iterator
from typing import Any

from kdtune.errors import Mistake
from kdtune.spec.yaml_tree import YamlNode

GRID = "grid_search"
MAX_COMPARED = 100_000  # variants of one item that are looked through for duplicates


class _Broken:
    """Stands for the value of a grid that is none."""


BROKEN = _Broken()


def _is_good(node: YamlNode) -> bool:
    items = node.value[GRID].value
    return isinstance(items, list) and bool(items)


def is_grid(node: YamlNode) -> bool:
    return isinstance(node.value, dict) and GRID in node.value


def has_grid(node: YamlNode) -> bool:
    return is_grid(node) or any(has_grid(child) for _, child in node.children())


def count_variants(node: YamlNode) -> int:
    """How many variants ``expand`` would give, without making them."""
    if is_grid(node):
        items = node.value[GRID].value
        return sum(count_variants(item) for item in items) if _is_good(node) else 1
    return math.prod(count_variants(child) for _, child in node.children())


def expand_grid(node: YamlNode) -> Iterator[YamlNode]:
    """Every variant of a tree, without grids; the last grid varies fastest."""
    if is_grid(node):
        if not _is_good(node):
            yield YamlNode(BROKEN, node.location)  # said by ``mistakes``; the rest can still be checked
            return
        for item in node.value[GRID].value:
            yield from expand_grid(item)
    elif isinstance(node.value, dict):
        for values in itertools.product(*(list(expand_grid(child)) for child in node.value.values())):
            yield YamlNode(dict(zip(node.value, values, strict=True)), node.location)
    elif isinstance(node.value, list):
        for values in itertools.product(*(list(expand_grid(child)) for child in node.value)):
            yield YamlNode(list(values), node.location)
    else:
        yield node


def find_grid_mistakes(node: YamlNode, field: str = "") -> Iterator[Mistake]:
    """What is wrong with the grids of a tree: no list, empty, a value twice, stray keys."""
    if is_grid(node):
        items = node.value[GRID]
        for key in node.value.keys() - {GRID}:
            yield Mistake(node.value[key].location, field, f"{key!r} stands beside {GRID}; nothing else may")
        if not isinstance(items.value, list):
            yield Mistake(items.location, field, f"{GRID} takes a list, as in {{{GRID}: [2, 4]}}")
            return
        if not items.value:
            yield Mistake(items.location, field, f"{GRID} is empty; give at least one value")
        seen: set[str] = set()
        for item in items.value:
            yield from find_grid_mistakes(item, field)
            for variant in expand_grid(item) if count_variants(item) <= MAX_COMPARED else ():
                if _holds_broken(variant):
                    continue
                key = json.dumps(_comparable(variant.to_plain()), sort_keys=True)
                if key in seen:
                    yield Mistake(item.location, field, f"{_show(variant.to_plain())} stands twice in the grid")
                seen.add(key)
        return
    for name, child in node.children():
        yield from find_grid_mistakes(child, f"{field}.{name}" if field else name)


def _holds_broken(node: YamlNode) -> bool:
    return node.value is BROKEN or any(_holds_broken(child) for _, child in node.children())


def _comparable(value: Any) -> Any:
    """Numbers by value: 2 and 2.0 are the same, True is not a number."""
    match value:
        case bool() | None | str():
            return value
        case int() | float():
            return float(value) if abs(value) < 2**53 else str(value)
        case dict():
            return {key: _comparable(inner) for key, inner in value.items()}
        case _:
            return [_comparable(inner) for inner in value]


def _show(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else text[:57] + "..."
