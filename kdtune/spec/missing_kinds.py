"""Find settings of a block that belong to another kind of it, where the file does not write the kind."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kdtune.inputs.array_sets import ARCHIVE_ENDINGS
from kdtune.inputs.table_files import TABLE_ENDINGS
from kdtune.spec.schema import KINDS
from kdtune.spec.yaml_tree import YamlNode
from kdtune.text import join_names

_KINDS_BY_ENDING = {"arrays": {".npy", *ARCHIVE_ENDINGS}, "table": set(TABLE_ENDINGS)}


def list_meant_kinds(block_name: str, node: YamlNode) -> dict[str, list[str]]:
    """Return the settings of a block that its default kind does not have, with the kinds that have them.

    It is empty where the block writes its kind, or has no kinds.
    """
    default = _find_default_kind(block_name)
    if default is None or not isinstance(node.value, dict) or "kind" in node.value:
        return {}
    kinds = KINDS[block_name]
    settings = [name for name in node.value if name not in kinds[default].model_fields]
    meant_kinds = {name: [kind for kind, model in kinds.items() if name in model.model_fields] for name in settings}
    return {name: names for name, names in meant_kinds.items() if names}


def describe_missing_kind(block_name: str, meant_kinds: list[str]) -> str:
    """Say that a kind must be written for a setting, and which."""
    written = " or ".join(f"kind: {kind}" for kind in meant_kinds)
    return f"belongs to another kind of {block_name}; write {written} (the default is {_find_default_kind(block_name)})"


def describe_missing_data_kind(block: Any) -> str:
    """Say that a data set needs a kind: all kinds, and the one that its file or its settings belong to."""
    kinds = KINDS["dataset"]
    names = set(block) if isinstance(block, Mapping) else set()
    paths = [value for value in block.values() if isinstance(value, str)] if names else []
    endings = {Path(path).suffix.lower() for path in paths}
    likely = next((kind for kind, known_endings in _KINDS_BY_ENDING.items() if endings & known_endings), None)
    if likely is None and names:
        fitting_kinds = [kind for kind, model in kinds.items() if names <= set(model.model_fields)]
        likely = fitting_kinds[0] if len(fitting_kinds) == 1 else None
    advice = f"write kind: {likely}; the" if likely else "the"
    return f"is missing; it says what kind of data set this is: {advice} kinds are {join_names(list(kinds))}"


def _find_default_kind(block_name: str) -> str | None:
    """Return the kind that a block has where it writes none; None if it has no kinds, or one must be written."""
    kinds = KINDS.get(block_name, {})
    return next((kind for kind, model in kinds.items() if model.model_fields["kind"].default == kind), None)
