"""Replace values of a sweep file by those from the command line, as in ``--set distill.T=[2,4]``."""

from __future__ import annotations

from collections.abc import Sequence

from kdtune.errors import Mistake, SweepFileError
from kdtune.spec.grid import GRID
from kdtune.spec.mistakes import MistakeCollector
from kdtune.spec.schema import LIST_SETTINGS
from kdtune.spec.yaml_tree import MAX_DEPTH, YamlNode, make_empty_block, read_yaml_text


def apply_overrides(tree: YamlNode, overrides: Sequence[str], mistakes: MistakeCollector) -> YamlNode:
    """Return a tree with some of its values replaced by those from the command line.

    A list given to a setting that takes no list is a grid: ``T=[2,4]`` is ``T={grid_search: [2,4]}``.

    Parameters
    ----------
    tree : The sweep file.
    overrides : Texts of the form ``path=value``, as in ``"distill.T=[2, 4]"``.
    mistakes : The collector of a mistake for each text that cannot be applied.

    Raises
    ------
    SweepFileError
        If there are too many mistakes.
    """
    for override in overrides:
        try:
            tree = _apply_override(tree, override)
        except SweepFileError as error:
            mistakes.extend(Mistake(_locate(override), "", mistake.message) for mistake in error.mistakes)
    return tree


def _apply_override(tree: YamlNode, override: str) -> YamlNode:
    location = _locate(override)
    path, equals_sign, value = override.partition("=")
    keys = path.strip().split(".")
    if not equals_sign or not all(keys) or not value.strip():
        raise SweepFileError([Mistake(location, "", "must be PATH=VALUE, as in --set distill.T=[2,4]")])
    if len(keys) > MAX_DEPTH:
        raise SweepFileError([Mistake(location, "", f"has a path of more than {MAX_DEPTH} names; no setting has one")])
    node = _relocate(read_yaml_text(value, location), location)
    if _is_short_grid(keys[-1], node):
        node = YamlNode({GRID: node}, location)
    return _replace_node(tree, keys, node)


def _locate(override: str) -> str:
    """Return the location of a mistake in an override, for messages."""
    return f"--set {override}" if len(override) <= 200 else f"--set {override[:197]}..."


def _is_short_grid(name: str, node: YamlNode) -> bool:
    """Return whether ``[2, 4]`` stands for ``{grid_search: [2, 4]}``."""
    if not isinstance(node.value, list) or name == GRID:
        return False
    holds_lists = any(isinstance(item.value, list) for item in node.value)
    return holds_lists or name not in LIST_SETTINGS  # ``hidden=[[5], [9]]`` is a grid of lists.


def _replace_node(tree: YamlNode, keys: list[str], node: YamlNode) -> YamlNode:
    """Return a copy of the tree with ``node`` where ``keys`` lead, making the blocks that are missing on the way."""
    if not keys:
        return node
    key, inner_keys = keys[0], keys[1:]
    if isinstance(tree.value, dict):
        child = tree.value.get(key, make_empty_block(node.location))
        return YamlNode({**tree.value, key: _replace_node(child, inner_keys, node)}, tree.location)
    if isinstance(tree.value, list) and key in map(str, range(len(tree.value))):
        items = list(tree.value)
        items[int(key)] = _replace_node(items[int(key)], inner_keys, node)
        return YamlNode(items, tree.location)
    message = f"the path leads nowhere: {key!r} is to be put into something that is not a block of settings"
    raise SweepFileError([Mistake(node.location, "", message)])


def _relocate(node: YamlNode, location: str) -> YamlNode:
    """Return the same values at another location: the command line."""
    match node.value:
        case dict():
            return YamlNode({key: _relocate(child, location) for key, child in node.value.items()}, location)
        case list():
            return YamlNode([_relocate(child, location) for child in node.value], location)
        case _:
            return YamlNode(node.value, location)
