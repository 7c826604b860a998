"""Turn a sweep that is written in Python, with objects in it, into the tree that a sweep file gives."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from kdtune.api.dataset_objects import describe_dataset
from kdtune.api.network_objects import describe_student, describe_teacher
from kdtune.errors import Mistake, SweepFileError
from kdtune.inputs.errors import InputError
from kdtune.spec.grid import GRID
from kdtune.spec.yaml_tree import YamlNode

LOCATION = ""  # What is written in Python has no line; messages begin with the setting.


def make_tree(mapping: Mapping[str, Any], inputs_folder: Path, notes: list[str]) -> YamlNode:
    """Return the tree of a sweep, in which every object is replaced by what a sweep file would name.

    Arrays and tables are kept in memory under the path that they will have below ``inputs_folder``; factories become
    their names; what is trained already is run here, on the data, and its outputs are kept.

    Parameters
    ----------
    mapping : the blocks of a sweep file, with objects where a file would name something.
    inputs_folder : the folder ``inputs`` of the results.
    notes : sentences about what was assumed are appended to it.

    Raises
    ------
    SweepFileError
        If an object cannot be written, or is none that a sweep takes.
    """
    blocks = {str(name): value for name, value in mapping.items()}
    data = None
    for block_name in ("dataset", "teacher", "student"):
        if block_name not in blocks:
            continue
        try:
            if block_name == "dataset":
                data = describe_dataset(blocks[block_name], inputs_folder, notes)
                blocks[block_name] = data.block
            elif block_name == "teacher":
                blocks[block_name] = describe_teacher(blocks[block_name], data, inputs_folder)
            else:
                blocks[block_name] = describe_student(blocks[block_name])
        except InputError as error:
            field = f"{block_name}.{error.setting}" if error.setting else block_name
            raise SweepFileError([Mistake(LOCATION, field, str(error))]) from None
    return _make_node(blocks, "")


def _make_node(value: Any, field: str) -> YamlNode:
    """Return the node of a plain value; SweepFileError names the setting that holds any other object."""
    match value:
        case Mapping():
            children = {str(key): _make_node(child, f"{field}.{key}".strip(".")) for key, child in value.items()}
            return YamlNode(children, LOCATION)
        case list() | tuple() | range():
            return YamlNode([_make_node(item, field) for item in value], LOCATION)
        case np.ndarray() if value.ndim == 1 and field.endswith(f".{GRID}"):
            return YamlNode([_make_node(item, field) for item in value.tolist()], LOCATION)
        case np.generic():
            return YamlNode(value.item(), LOCATION)
        case Path():
            return YamlNode(str(value), LOCATION)
        case None | bool() | int() | float() | str():
            return YamlNode(value, LOCATION)
    name = f"{type(value).__module__}.{type(value).__qualname__}"
    message = f"is an object of type {name}, which cannot be written; give numbers, text, lists or mappings of them"
    raise SweepFileError([Mistake(LOCATION, field, message)])
