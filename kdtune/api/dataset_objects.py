"""The block ``dataset`` of a sweep that is written in Python: objects become files that the block names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from kdtune.inputs.arrays import store_array
from kdtune.inputs.convert_data import ExamplesAndLabels, PythonData, convert_data
from kdtune.inputs.errors import InputError
from kdtune.inputs.factories import name_of_factory
from kdtune.inputs.frames import hash_frame
from kdtune.inputs.given_data import PartName
from kdtune.inputs.python_data import convert_part_labels
from kdtune.inputs.storage import keep_in_memory
from kdtune.spec.grid import GRID
from kdtune.text import format_on_one_line

# The settings of a data set that hold data. Everything else beside them is a setting as in a file.
_DATA_NAMES = ("x", "y", "X", "Y", "train", "val", "test", "data", "target")
_FRAME_NAMES = ("file", "train", "val", "test")


@dataclass(frozen=True)
class DescribedData:
    """A block ``dataset`` without objects, and the objects themselves for what is run on them here.

    Attributes
    ----------
    block : the block as a sweep file would have it.
    parts : examples and labels as the user gave them, by part; empty if the block named files or a generated set.
    """

    block: Any
    parts: dict[PartName, ExamplesAndLabels] = field(default_factory=dict)


def describe_dataset(block: Any, inputs_folder: Path, notes: list[str]) -> DescribedData:
    """Replace the objects in a block ``dataset``.

    Parameters
    ----------
    block : a mapping as in a sweep file with arrays, frames or a factory in it; or the data themselves, in any form
        that ``convert_data`` takes.
    inputs_folder, notes : as for ``make_tree``.

    Raises
    ------
    InputError
        If an object is no data.
    """
    if isinstance(block, Mapping) and GRID in block:
        return DescribedData({GRID: [describe_dataset(item, inputs_folder, notes).block for item in block[GRID]]})
    is_mapping = isinstance(block, Mapping) and not hasattr(block, "data")  # A Bunch of scikit-learn is one, too.
    if not is_mapping:
        return _describe_objects(block, {}, inputs_folder, notes)
    settings = dict(block)
    if isinstance(settings.get("factory"), Callable):  # type: ignore[arg-type]
        settings["factory"] = _name_factory(settings["factory"])
        return DescribedData({"kind": "python", **settings})
    if settings.get("kind") == "table":
        return _describe_frames(settings, inputs_folder)
    objects = {name: settings.pop(name) for name in _DATA_NAMES if name in settings and not _is_plain(settings[name])}
    if not objects:
        return DescribedData(block)
    mixed = [name for name in _DATA_NAMES if name in settings and name != "target"]
    if mixed:
        raise InputError("names a file beside data that are objects; give all as files or all as objects", mixed[0])
    return _describe_objects(objects, settings, inputs_folder, notes)


def _is_plain(value: Any) -> bool:
    """Return whether a value is what a sweep file could hold: text, or mappings of text."""
    if isinstance(value, Mapping):
        return all(_is_plain(item) for item in value.values())
    return value is None or isinstance(value, str | Path)


def _name_factory(factory: Any) -> str:
    try:
        return name_of_factory(factory)
    except InputError as error:
        raise InputError(str(error), "factory") from None


def _describe_objects(source: Any, settings: dict[str, Any], inputs_folder: Path, notes: list[str]) -> DescribedData:
    """Write data that are objects as arrays or as tables."""
    target = settings.get("target")
    data = convert_data(source, notes, target)
    has_frames = [isinstance(part.x, pd.DataFrame) for part in data.parts.values()]
    if any(has_frames) and not all(has_frames):
        raise InputError("are arrays in one part and a table in another; give both alike")
    settings = {name: value for name, value in settings.items() if name not in ("kind", "target")}
    describe = _describe_tables if all(has_frames) else _describe_arrays
    return DescribedData({**describe(data, inputs_folder), **settings}, data.parts)


def _describe_arrays(data: PythonData, inputs_folder: Path) -> dict[str, Any]:
    """Return a block of kind ``arrays``, whose files are kept in memory for now."""
    files: dict[str, Any] = {}
    for name, part in data.parts.items():
        prefix = "" if name == "all" else f"{name}."
        labels = convert_part_labels(part, f"{prefix}y")
        try:
            files[name] = {"x": store_array(np.asarray(part.x), inputs_folder).path}
        except InputError as error:
            raise InputError(str(error), f"{prefix}x") from None
        if labels is not None:
            named_labels = np.asarray(data.class_names)[labels] if _has_numbered_labels(labels, data) else labels
            files[name]["y"] = store_array(named_labels, inputs_folder).path
    return {"kind": "arrays", **files.get("all", files)}


def _has_numbered_labels(labels: Any, data: PythonData) -> bool:
    """Return whether labels are numbers of classes that have names in ascending order, so that no class moves."""
    names = list(data.class_names)
    return bool(names) and names == sorted(names) and labels.dtype.kind == "i" and labels.max() < len(names)


def _describe_tables(data: PythonData, inputs_folder: Path) -> dict[str, Any]:
    """Return a block of kind ``table``, whose files are kept in memory for now."""
    columns = {str(column) for part in data.parts.values() for column in pd.DataFrame(part.x).columns}
    target = next(name for name in ("target", "label", "y", "class of the example") if name not in columns)
    files: dict[str, str] = {}
    for name, part in data.parts.items():
        frame = pd.DataFrame(part.x).reset_index(drop=True)
        if part.y is None:
            raise InputError("is missing; a table needs its labels", "y" if name == "all" else f"{name}.y")
        if len(part.y) != len(frame):
            message = f"has {len(part.y):,} labels for {len(frame):,} examples"
            raise InputError(message, "y" if name == "all" else f"{name}.y")
        frame.columns = frame.columns.map(str)
        frame[target] = part.y.to_numpy() if part.y.dtype != "category" else part.y.astype(object).to_numpy()
        files["file" if name == "all" else name] = store_table(frame, inputs_folder)
    return {"kind": "table", "target": target, **files}


def _describe_frames(settings: dict[str, Any], inputs_folder: Path) -> DescribedData:
    """Replace the frames in a block of kind ``table`` by the files that they will have."""
    block = dict(settings)
    for name in _FRAME_NAMES:
        value = block.get(name)
        if value is None or isinstance(value, str | Path):
            continue
        frame = value.to_pandas() if hasattr(value, "to_pandas") else value
        if not isinstance(frame, pd.DataFrame):
            raise InputError(f"is of type {type(value).__name__}; give a frame of pandas or polars, or a file", name)
        block[name] = store_table(frame.reset_index(drop=True), inputs_folder)
    return DescribedData(block)


def store_table(frame: pd.DataFrame, inputs_folder: Path) -> str:
    """Keep a table in memory, and return the path that its file will have; InputError if it cannot be written."""
    try:
        pa.Table.from_pandas(frame)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, TypeError) as error:
        raise InputError(f"cannot be written as a table: {format_on_one_line(error)}") from None
    try:
        content = hash_frame(frame)
    except TypeError as error:
        raise InputError(f"cannot be written as a table: {error}; give numbers and text") from None
    path = str((inputs_folder / f"{content}.parquet").absolute())
    keep_in_memory(path, frame)
    return path
