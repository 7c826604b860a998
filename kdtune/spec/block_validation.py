"""Validate one block of a sweep file, and say what is wrong with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from kdtune.errors import Mistake
from kdtune.inputs.reader import InputReader
from kdtune.settings.outputs import SplitOutputs
from kdtune.spec.form_suggestions import REPLICATES_HINT, suggest_grid, suggest_grid_of_lists, suggest_list
from kdtune.spec.grid import has_invalid_grid
from kdtune.spec.messages import describe_error, format_value
from kdtune.spec.missing_kinds import describe_missing_kind, list_meant_kinds
from kdtune.spec.mistakes import MistakeCollector
from kdtune.spec.schema import (
    BLOCKS,
    KINDS,
    LIST_SETTINGS,
    MAPPING_SETTINGS,
    list_paths_elsewhere,
    list_valid_settings,
)
from kdtune.spec.suggestions import find_meant_setting
from kdtune.spec.yaml_tree import SettingPath, YamlNode

_TRIED_TYPES = ("float", "int", "str", SplitOutputs.__name__)


@dataclass(frozen=True)
class NamedBlock:
    """A block as it is written, and its name in messages, such as ``student.train``."""

    name: str
    node: YamlNode

    @property
    def is_empty(self) -> bool:
        """Whether the block sets nothing."""
        return bool(self.node.value == {})


class BlockValidator:
    """Validates blocks with pydantic, collecting mistakes instead of stopping at the first.

    Parameters
    ----------
    data_root : The folder of the data sets' files, whatever the sweep file says; None to follow the sweep file.
    allow_download : Whether missing files of data sets may be downloaded.
    mistakes : The collector to which mistakes are added.
    reader : The reader of what the user brings.
    """

    def __init__(
        self, data_root: Path | None, allow_download: bool, mistakes: MistakeCollector, reader: InputReader
    ) -> None:
        self._mistakes = mistakes
        # pydantic hands this dict to the rules of the settings whenever it validates a block. The rules of
        # ``Torchvision`` read from it where files lie and whether they may be downloaded, and write into
        # "file_errors" why files were not found, so that they are looked for only once.
        self._pydantic_context: dict[str, Any] = {
            "data_root": None if data_root is None else str(data_root),
            "allow_download": allow_download,
            "file_errors": {},
            "reader": reader,
        }

    def validate(
        self,
        adapter: TypeAdapter[Any],
        node: YamlNode,
        block_name: str,
        overriding_blocks: Sequence[NamedBlock] = (),
    ) -> Any:
        """Return the settings of a block; None if any are wrong, after every mistake was added to the collector.

        Parameters
        ----------
        adapter : pydantic's validator for this block.
        node : The block as it is written.
        block_name : The name of the block in ``BLOCKS``; empty for the settings that belong to no block.
        overriding_blocks : The blocks whose settings replaced some of this block's, the strongest last. A mistake
            in a replaced setting is reported under the name of the block that replaced it.

        Raises
        ------
        SweepFileError
            If there are too many mistakes.
        """
        try:
            return adapter.validate_python(node.to_plain(), context=self._pydantic_context)
        except ValidationError as error:
            for item in error.errors():
                if _stands_under_wrong_name(item, node, block_name):
                    continue
                self._add_mistake(item, node, block_name, overriding_blocks)
            return None

    def _add_mistake(
        self, error: Any, node: YamlNode, block_name: str, overriding_blocks: Sequence[NamedBlock]
    ) -> None:
        error = _correct_error_type(error, node, block_name)
        path = _find_path(error, block_name)
        wrong_node = node.find(path)
        if error["type"] != "extra_forbidden" and wrong_node is not None and has_invalid_grid(wrong_node):
            return  # ``find_grid_mistakes`` reports it.
        is_unknown_in_block = error["type"] == "extra_forbidden" and len(path) == 1
        meant_kinds = list_meant_kinds(block_name, node) if is_unknown_in_block else {}
        if path and path[0] in meant_kinds:
            if path[0] != next(iter(meant_kinds)):  # The first one is reported, and says it for all.
                return
            message = describe_missing_kind(block_name, meant_kinds[path[0]])
        else:
            paths_elsewhere = list_paths_elsewhere(block_name) if is_unknown_in_block else []
            message = describe_error(error, list_valid_settings(block_name, node, path), paths_elsewhere)
            message += _suggest_form(error, node, block_name, path)
        reported_name = block_name
        for block in overriding_blocks:
            if path and path[0] in block.node.value:
                reported_name = block.name
        names = [str(name) for name in (reported_name, *path) if name != ""]
        self._mistakes.add(Mistake(node.descendant(path).location, ".".join(names), message))


def _correct_error_type(error: Any, node: YamlNode, block_name: str) -> Any:
    """Return pydantic's error; if ``dataset`` is no mapping, as an error of its type.

    pydantic itself reports that the ``kind`` of such a data set is missing.
    """
    if block_name == "dataset" and not error["loc"] and not isinstance(node.value, dict):
        return {**error, "type": "dict_type"}
    return error


def _find_path(error: Any, block_name: str) -> SettingPath:
    """Return the path from the block to the setting that an error of pydantic is about."""
    path: SettingPath = error["loc"]
    if path and path[0] in KINDS.get(block_name, {}):
        path = path[1:]  # pydantic puts the kind of the block in front.
    path = tuple(step for step in path if not _is_tried_type(step))
    if error["type"] in ("union_tag_not_found", "union_tag_invalid"):
        return (*path, "kind")
    # kdtune's own rules name the setting that breaks them in the error's context.
    setting = error.get("ctx", {}).get("setting")
    return (*path, *setting.split(".")) if setting else path


def _is_tried_type(step: str | int) -> bool:
    """Return whether a step is the type that pydantic tried of a setting of several types, and no setting.

    Examples are "literal['standard']" and "constrained-float".
    """
    return isinstance(step, str) and ("[" in step or step.startswith("constrained-") or step in _TRIED_TYPES)


def _stands_under_wrong_name(error: Any, node: YamlNode, block_name: str) -> bool:
    """Return whether a missing setting stands in the block under a wrong name, which is reported anyway."""
    if error["type"] != "missing" or not isinstance(node.value, dict):
        return False
    path = _find_path(error, block_name)
    valid_names = list_valid_settings(block_name, node, path)
    unknown_names = [name for name in node.value if name not in valid_names]
    return any(find_meant_setting(name, valid_names) == path[-1] for name in unknown_names)


def _suggest_form(error: Any, node: YamlNode, block_name: str, path: SettingPath) -> str:
    """Return how to write several values, or a list of one, if that is what the written value seems to mean.

    Otherwise the text is empty.
    """
    if block_name == "" and path == ("seed",) and isinstance(error["input"], list):
        return f"; {REPLICATES_HINT}"
    if error["type"] == "extra_forbidden" and len(path) == 1 and "factory" in node.value:
        if has_invalid_grid(node.descendant(path)):  # ``find_grid_mistakes`` reports it.
            return ""
        return f", or, as an argument of the factory, args: {{{path[0]}: {format_value(error['input'])}}}"
    if block_name not in BLOCKS or error["type"] == "extra_forbidden" or path[-1:] == ("eval_every",):
        return ""
    if not path and isinstance(error["input"], str) and error["input"] in KINDS.get(block_name, {}):
        return f"; write {{kind: {error['input']}}}"
    if error.get("ctx", {}).get("setting"):  # A rule of the whole block: the value alone would be right.
        return ""
    if path and isinstance(path[-1], int):  # The error is about one item: look at its list.
        whole_list = node.descendant(path[:-1])
        if isinstance(whole_list.value, list):
            return suggest_grid_of_lists(whole_list.to_plain())
    wrong_node = node.find(path)
    if wrong_node is None:
        return ""
    value = wrong_node.to_plain()
    if path and path[-1] in LIST_SETTINGS:
        return suggest_list(value) if error["type"] == "list_type" else ""
    if isinstance(value, dict) and (not path or path[-1] in MAPPING_SETTINGS):
        return ""
    return suggest_grid(error, value)
