"""Validate one block of a sweep file, and say what is wrong with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter, ValidationError

from kdtune.errors import Mistake, SweepFileError
from kdtune.spec.grid import INVALID_GRID
from kdtune.spec.messages import describe_error, suggest_grid, suggest_grid_of_lists
from kdtune.spec.schema import BLOCKS, KINDS, LIST_SETTINGS, list_valid_settings
from kdtune.spec.yaml_tree import YamlNode

SettingPath = tuple[int | str, ...]  # names of settings and positions in lists
MAX_MISTAKES = 1000  # Nobody reads more, and a large grid of wrong values would fill the memory with them.


@dataclass(frozen=True)
class NamedBlock:
    """A block as it was written, and what it is called in messages: ``student.train``."""

    field: str
    node: YamlNode


class BlockValidator:
    """Validates blocks with pydantic, collecting mistakes instead of stopping at the first.

    Parameters
    ----------
    data_root : where the files of data sets lie, whatever the sweep file says.
    allow_download : whether files of data sets that are missing may be downloaded.
    mistakes : the list to which mistakes are added.
    """

    def __init__(self, data_root: str | None, allow_download: bool, mistakes: list[Mistake]) -> None:
        self.mistakes = mistakes
        self._noted_mistakes: set[Mistake] = set()
        # ``Torchvision`` reads these, and remembers which files it could not find.
        self._context: dict[str, Any] = {"data_root": data_root, "allow_download": allow_download, "file_errors": {}}

    def validate(
        self, adapter: TypeAdapter[Any], node: YamlNode, block: str, overriding: Sequence[NamedBlock] = ()
    ) -> Any:
        """Return the settings of a block, or None if they are wrong, after noting every mistake.

        Parameters
        ----------
        adapter : what the block must be.
        node : the block.
        block : its name in ``BLOCKS``; empty for the settings that belong to no block.
        overriding : blocks whose settings replaced some of this one's, the strongest last. A mistake in a
            replaced setting bears their name.

        Raises
        ------
        SweepFileError
            If there are so many mistakes that no more are looked for.
        """
        try:
            return adapter.validate_python(node.to_plain(), context=self._context)
        except ValidationError as error:
            for item in error.errors():
                self._note(item, node, block, overriding)
            return None

    def _note(self, error: Any, node: YamlNode, block: str, overriding: Sequence[NamedBlock]) -> None:
        path = _find_path(error, node, block)
        if node.descendant(path).value is INVALID_GRID and error["type"] != "extra_forbidden":
            return  # ``find_grid_mistakes`` reports it.
        message = describe_error(error, list_valid_settings(block, node, path))
        message += _suggest_alternatives(error, node, block, path)
        source = block
        for overriding_block in overriding:
            if path and path[0] in overriding_block.node.value:
                source = overriding_block.field
        names = [str(name) for name in (source, *path) if name != ""]
        mistake = Mistake(node.descendant(path).location, ".".join(names), message)
        if mistake in self._noted_mistakes:
            return  # Another variant with the same value.
        self._noted_mistakes.add(mistake)
        self.mistakes.append(mistake)
        if len(self._noted_mistakes) >= MAX_MISTAKES:
            raise SweepFileError([*self.mistakes, Mistake("", "", "there may be more mistakes; correct these first")])


def _find_path(error: Any, node: YamlNode, block: str) -> SettingPath:
    """Return where in the block an error of pydantic belongs."""
    path: SettingPath = error["loc"]
    if path and path[0] in KINDS.get(block, {}):
        path = path[1:]  # pydantic puts the kind of the block in front.
    if block == "dataset" and not path and not isinstance(node.value, dict):
        error["type"] = "dict_type"  # Otherwise pydantic would ask for the ``kind`` of a number.
    if error["type"] in ("union_tag_not_found", "union_tag_invalid"):
        return (*path, "kind")
    setting = error.get("ctx", {}).get("setting")
    return (*path, setting) if setting else path


def _suggest_alternatives(error: Any, node: YamlNode, block: str, path: SettingPath) -> str:
    """Return how to write a grid, if a list was given to a setting that takes no list and can be swept."""
    if block not in BLOCKS or error["type"] == "extra_forbidden" or path[-1:] == ("eval_every",):
        return ""
    if isinstance(path[-1] if path else "", int):
        whole_list = node.descendant(path[:-1])
        if isinstance(whole_list.value, list):
            return suggest_grid_of_lists(whole_list.to_plain())
    if path and path[-1] in LIST_SETTINGS:
        return ""
    takes_block = error["type"] in ("dict_type", "model_type", "model_attributes_type")
    return suggest_grid(_get_value(node, path), takes_block)


def _get_value(node: YamlNode, path: SettingPath) -> Any:
    """Return the value to which the path leads; None if it leads nowhere."""
    child = node.find([str(name) for name in path])
    return None if child is None else child.to_plain()
