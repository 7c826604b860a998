"""``--set distill.T=[2,4]``: values from the command line over those of the file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, get_args, get_origin

from kdtune.errors import Mistake, SweepFileError
from kdtune.settings import CNN, Distill, StudentMLP, Transfer
from kdtune.spec.grid import GRID
from kdtune.spec.yaml_tree import YamlNode, read_yaml_text


def apply_overrides(tree: YamlNode, overrides: Sequence[str]) -> tuple[YamlNode, list[Mistake]]:
    """The tree with each ``path=value`` put in, and what is wrong with the others.

    A list given to a setting that takes none is a grid.
    """
    mistakes: list[Mistake] = []
    for text in overrides:
        where = f"--set {text}"
        path, equals, value = text.partition("=")
        steps = path.strip().split(".")
        try:
            if not equals or not all(steps) or not value.strip():
                raise SweepFileError([Mistake(where, "", "must be PATH=VALUE, as in --set distill.T=[2,4]")])
            node = _moved(read_yaml_text(value, where), where)
            if _is_short_grid(steps[-1], node):
                node = YamlNode({GRID: node}, where)
            tree = _put(tree, steps, node, where)
        except SweepFileError as error:
            mistakes += [Mistake(where, "", mistake.message) for mistake in error.mistakes]
    return tree, mistakes


def _is_short_grid(name: str, node: YamlNode) -> bool:
    """Whether ``[2, 4]`` stands for ``{grid_search: [2, 4]}``."""
    if not isinstance(node.value, list) or name == GRID:
        return False
    holds_lists = any(isinstance(item.value, list) for item in node.value)
    return holds_lists or name not in _LIST_SETTINGS


def _put(tree: YamlNode, steps: list[str], node: YamlNode, where: str) -> YamlNode:
    if not steps:
        return node
    step, rest = steps[0], steps[1:]
    match tree.value:
        case dict():
            inner = tree.value.get(step, YamlNode({}, where))
            return YamlNode({**tree.value, step: _put(inner, rest, node, where)}, tree.location)
        case list() if step.isdigit() and int(step) < len(tree.value):
            items = list(tree.value)
            items[int(step)] = _put(items[int(step)], rest, node, where)
            return YamlNode(items, tree.location)
    raise SweepFileError([Mistake(where, "", f"{step!r} leads nowhere: what stands before it is no block of settings")])


def _moved(node: YamlNode, where: str) -> YamlNode:
    """The same value, standing on the command line."""
    match node.value:
        case dict():
            return YamlNode({key: _moved(child, where) for key, child in node.value.items()}, where)
        case list():
            return YamlNode([_moved(child, where) for child in node.value], where)
        case _:
            return YamlNode(node.value, where)


def _takes_list(annotation: Any) -> bool:
    return get_origin(annotation) is list or any(map(_takes_list, get_args(annotation)))


_LIST_SETTINGS = {
    name
    for block in (StudentMLP, CNN, Distill, Transfer)
    for name, field in block.model_fields.items()
    if _takes_list(field.annotation)
}
