"""Data sets that come from Python: what a factory returns, or ``kdtune.sweep`` is given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from kdtune.inputs.arrays import Array, store_array
from kdtune.inputs.assemble import RawPart, assemble_data
from kdtune.inputs.convert_data import ExamplesAndLabels, convert_data
from kdtune.inputs.errors import InputError
from kdtune.inputs.factories import call_factory, load_factory
from kdtune.inputs.given_data import GivenData, PartName
from kdtune.inputs.table_rows import TableRows, stack_tables
from kdtune.inputs.tables import assemble_tables, convert_labels


def read_python_data(
    name: str,
    args: Mapping[str, Any],
    search_folders: Sequence[Path],
    *,
    folder: Path,
    notes: list[str],
    target: str | None = None,
    drop: Sequence[str] = (),
    impute: str | None = None,
    n_classes: int | None = None,
) -> GivenData:
    """Call a factory, and turn what it returns into a data set.

    Parameters
    ----------
    name, search_folders : as for ``load_factory``.
    args : the keyword arguments of the call.
    folder, notes, target, drop, impute, n_classes : as for ``read_object_data``.

    Raises
    ------
    InputError
        If there is no such factory, it raises, or what it returns cannot be used.
    """
    try:
        factory = load_factory(name, search_folders)
    except InputError as error:
        raise InputError(str(error), "factory") from None
    try:
        source = call_factory(factory, args)
    except InputError as error:
        raise InputError(str(error), "factory") from None
    try:
        return read_object_data(
            source, folder=folder, notes=notes, target=target, drop=drop, impute=impute, n_classes=n_classes
        )
    except InputError as error:
        if error.setting in ("drop", "target"):
            raise
        place = f"{error.setting} " if error.setting else ""
        raise InputError(f"of what {name} returned, {place}{error}", "factory") from None


def read_object_data(
    source: Any,
    *,
    folder: Path,
    notes: list[str],
    target: str | None = None,
    drop: Sequence[str] = (),
    impute: str | None = None,
    n_classes: int | None = None,
) -> GivenData:
    """Turn what a user has in Python into a data set: frames as tables (see ``tables``), arrays as they are.

    Parameters
    ----------
    source : as for ``convert_data``.
    folder : the folder ``inputs`` of the results.
    notes : sentences about what was assumed are appended to it.
    target : the column of a frame that holds the class, if the labels do not come beside it.
    drop, impute : as for ``tables.read_table_data``; they go with frames.
    n_classes : as for ``assemble_data``.

    Raises
    ------
    InputError
        If it cannot be used; settings at fault are called ``x`` and ``y``, of given splits ``train.x`` and so on.
    """
    data = convert_data(source, notes, target)
    are_frames = {name: isinstance(part.x, pd.DataFrame) for name, part in data.parts.items()}
    if len(set(are_frames.values())) > 1:
        table = next(name for name, is_frame in are_frames.items() if is_frame)
        other = next(name for name, is_frame in are_frames.items() if not is_frame)
        raise InputError(
            f"is a table, and {_name_setting(other, 'x')} an array; give both alike", _name_setting(table, "x")
        )
    if all(are_frames.values()):
        given = _assemble_frames(data.parts, drop, impute, n_classes, folder, notes)
    else:
        for setting, value in (("drop", drop), ("impute", impute)):
            if value:
                raise InputError("goes with tables; these examples are arrays", setting)
        given = assemble_data(
            {name: _make_raw_part(name, part, folder) for name, part in data.parts.items()}, folder, n_classes
        )
    if data.class_names and given.classes == tuple(range(len(data.class_names))):
        return given.model_copy(update={"class_names": data.class_names})
    return given


def _name_setting(part: PartName, letter: str) -> str:
    return letter if part == "all" else f"{part}.{letter}"


def _make_raw_part(name: PartName, part: ExamplesAndLabels, folder: Path) -> RawPart:
    x_name, y_name = _name_setting(name, "x"), _name_setting(name, "y")
    try:
        x = store_array(np.asarray(part.x), folder)
    except InputError as error:
        raise InputError(str(error), x_name) from None
    labels = convert_part_labels(part, y_name)
    return RawPart(x, None if labels is None else store_array(labels, folder), x_name, y_name)


def convert_part_labels(part: ExamplesAndLabels, y_name: str) -> Array | None:
    """Return the labels of a part as numbers or text, (rows,)."""
    if part.y is None:
        return None
    n_labels = len(part.y)
    rows = TableRows(part.y.to_frame(), np.full(n_labels, "all"), {y_name: 0})
    return convert_labels(rows, "y", part.y, y_name)


def _assemble_frames(
    parts: Mapping[PartName, ExamplesAndLabels],
    drop: Sequence[str],
    impute: str | None,
    n_classes: int | None,
    folder: Path,
    notes: list[str],
) -> GivenData:
    y_names: dict[PartName, str] = {name: _name_setting(name, "y") for name in parts}
    x_names: dict[PartName, str] = {name: _name_setting(name, "x") for name in parts}
    labels = {name: convert_part_labels(part, y_names[name]) for name, part in parts.items()}
    for name, values in labels.items():
        n_examples = len(parts[name].x)
        if not n_examples:
            raise InputError("has no rows", x_names[name])
        if values is not None and len(values) != n_examples:
            raise InputError(
                f"has {len(values):,} labels for the {n_examples:,} examples of {x_names[name]}", y_names[name]
            )
    known_labels = [values for values in labels.values() if values is not None]
    if len({values.dtype.kind for values in known_labels}) > 1:
        text_part = next(name for name, values in labels.items() if values is not None and values.dtype.kind == "U")
        raise InputError("has text as labels, and another part numbers; both must be of one kind", y_names[text_part])
    unlabelled_parts = [name for name, values in labels.items() if values is None]
    for name in unlabelled_parts:
        labels[name] = np.zeros(len(parts[name].x), dtype=known_labels[0].dtype if known_labels else np.int64)
    rows = stack_tables({name: pd.DataFrame(part.x) for name, part in parts.items()}, x_names, drop)
    all_labels = np.concatenate([labels[name] for name in parts])
    return assemble_tables(
        rows,
        all_labels,
        impute=impute,
        folder=folder,
        n_classes=n_classes,
        y_names=y_names,
        notes=notes,
        unlabelled_parts=unlabelled_parts,
    )
