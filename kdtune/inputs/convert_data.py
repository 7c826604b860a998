"""The parts of a data set in whatever form Python programs have them: pairs, mappings, Bunches, PyTorch's data sets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from kdtune.inputs.errors import InputError
from kdtune.inputs.given_data import PartName
from kdtune.inputs.objects import Examples, convert_examples, convert_label_column, is_map_dataset, read_map_dataset
from kdtune.inputs.table_rows import SPLIT_SPELLINGS, suggest_column
from kdtune.text import join_names

_FORMS = (
    "give (X, y), {'train': (X, y), 'test': (X, y)}, {'x': X, 'y': y}, a scikit-learn Bunch, or map-style PyTorch "
    "datasets"
)


class ExamplesAndLabels(NamedTuple):
    """The examples of a part, and the label of each; None without labels."""

    x: Examples
    y: pd.Series[Any] | None


@dataclass(frozen=True)
class PythonData:
    """A data set from Python.

    Attributes
    ----------
    parts : either ``all``, or ``train`` and ``test``, perhaps ``val``; only ``train`` may be without labels.
    class_names : what a Bunch calls its classes, if its labels are 0 to k-1; empty if it does not say so.
    """

    parts: dict[PartName, ExamplesAndLabels]
    class_names: tuple[str, ...] = ()


def convert_data(source: Any, notes: list[str], target: str | None = None) -> PythonData:
    """Take a data set apart.

    Parameters
    ----------
    source : a pair (X, y); a mapping of splits to pairs, frames or data sets; a mapping of ``x`` and ``y``, or of
        ``x_train``, ``y_train``, ``x_test``, ``y_test``; a Bunch of scikit-learn; a map-style data set of PyTorch; a
        frame with its target.
    notes : sentences about what was assumed are appended to it.
    target : the column of a frame that holds the class.

    Raises
    ------
    InputError
        If it is none of these; the setting is the one below ``dataset`` that it would have in a sweep file.
    """
    if isinstance(source, Mapping):
        return _convert_mapping(source, notes, target)
    if isinstance(source, tuple | list) and len(source) == 2 and all(_is_pair(item) for item in source):
        notes.append("Of two pairs (X, y), the first was taken for training, the second for test.")
        return _convert_mapping({"train": source[0], "test": source[1]}, notes, target)
    if isinstance(source, tuple) and len(source) > 2:
        raise InputError(f"is a tuple of {len(source)}, whose order is not known; {_FORMS}")
    return PythonData({"all": _convert_part(source, "all", notes, target)})


def _is_pair(value: Any) -> bool:
    return isinstance(value, tuple | list) and len(value) == 2 and all(hasattr(item, "shape") for item in value)


def _convert_mapping(source: Mapping[Any, Any], notes: list[str], target: str | None) -> PythonData:
    names: dict[str, Any] = {}
    for key in source:
        name = _normalize_name(str(key))
        if name in names:
            raise InputError(f"has both {names[name]!r} and {key!r}; give one of them")
        names[name] = key
    _check_spellings(names)
    splits: dict[PartName, Any] = {}
    for name in names:
        letter, _, split = name.partition("_")
        if letter == "x" and split in SPLIT_SPELLINGS:
            splits[SPLIT_SPELLINGS[split]] = (source[names[name]], _get(source, names, f"y_{split}"))
    if not splits:
        splits = {SPLIT_SPELLINGS[name]: source[key] for name, key in names.items() if name in SPLIT_SPELLINGS}
    if splits:
        _check_splits(splits)
        used_names = {*SPLIT_SPELLINGS, *(f"{letter}_{split}" for letter in "xy" for split in SPLIT_SPELLINGS)}
        _note_unused([names[name] for name in names if name not in used_names], notes)
        ordered_splits = {name: splits[name] for name in ("train", "val", "test") if name in splits}
        return PythonData({name: _convert_part(value, name, notes, target) for name, value in ordered_splits.items()})
    if "x" in names:
        _note_unused([key for name, key in names.items() if name not in ("x", "y")], notes)
        pair = (source[names["x"]], _get(source, names, "y"))
        return PythonData({"all": _convert_part(pair, "all", notes, target)})
    if "data" in names and _get(source, names, "target") is not None:
        part = _convert_part((source[names["data"]], source[names["target"]]), "all", notes, None)
        return PythonData({"all": part}, _list_class_names(source))
    raise InputError(f"is a mapping of {join_names(list(map(repr, source)), max_names=6) or 'nothing'}; {_FORMS}")


def _normalize_name(name: str) -> str:
    """Turn ``X_train``, ``train_x``, ``xtrain`` and ``X`` into ``x_train``, ``x_train``, ``x_train`` and ``x``."""
    lower_name = name.strip().casefold()
    for split in SPLIT_SPELLINGS:
        for letter in ("x", "y"):
            if lower_name in (f"{split}_{letter}", f"{letter}_{split}", f"{letter}{split}"):
                return f"{letter}_{split}"
    return lower_name


def _get(source: Mapping[Any, Any], names: Mapping[str, Any], name: str) -> Any:
    return source[names[name]] if name in names else None


def _check_spellings(names: Mapping[str, Any]) -> None:
    """Raise InputError if two names stand for the same split, as ``val`` and ``dev`` do."""
    keys: dict[tuple[str, PartName], Any] = {}
    for name, key in names.items():
        letter, _, split = name.rpartition("_")
        if split in SPLIT_SPELLINGS and letter in ("", "x", "y"):
            meaning = letter, SPLIT_SPELLINGS[split]
            if meaning in keys:
                raise InputError(f"has both {keys[meaning]!r} and {key!r}, which mean the same; give one of them")
            keys[meaning] = key


def _check_splits(splits: Mapping[PartName, Any]) -> None:
    """Raise InputError if training or test data are missing."""
    for name in ("train", "test"):
        if name not in splits:
            raise InputError(
                f"is missing beside {join_names(list(splits))}; give it, or one (X, y) that is split here", name
            )


def _note_unused(keys: list[Any], notes: list[str]) -> None:
    if keys:
        names = join_names(list(map(repr, keys)), max_names=6)
        notes.append(f"Of the data, {names} {'was' if len(keys) == 1 else 'were'} left out.")


def _convert_part(value: Any, name: PartName, notes: list[str], target: str | None) -> ExamplesAndLabels:
    """Return examples and labels of a part in any of its forms."""
    prefix = "" if name == "all" else f"{name}."
    x, y = value, None
    if isinstance(value, Mapping):
        names = {str(key).casefold(): key for key in value}
        x_key, y_key = ("x", "y") if "x" in names else ("data", "target")
        if x_key not in names:
            raise InputError(
                f"is a mapping of {join_names(list(map(repr, value)), max_names=6)}; it needs x and y", name
            )
        x, y = value[names[x_key]], _get(value, names, y_key)
    elif (isinstance(value, tuple) and len(value) == 2) or _is_pair(value):
        x, y = value
    elif is_map_dataset(value):
        try:
            return ExamplesAndLabels(*read_map_dataset(value))
        except InputError as error:
            raise InputError(str(error), "" if name == "all" else name) from None
    try:
        examples = convert_examples(x, notes)
    except InputError as error:
        is_whole = name == "all" and x is value
        text = str(error) if not is_whole else f"is of type {type(value).__name__}; {_FORMS}"
        raise InputError(text, "" if is_whole else f"{prefix}x") from None
    if y is None and target is not None:
        return _take_target(examples, target)
    if y is None:
        if name != "train":
            remedy = "; `target` names the column with the class" if isinstance(examples, pd.DataFrame) else ""
            raise InputError(f"is missing: the label of each example{remedy}", f"{prefix}y")
        return ExamplesAndLabels(examples, None)
    try:
        return ExamplesAndLabels(examples, convert_label_column(y))
    except InputError as error:
        raise InputError(str(error), f"{prefix}y") from None


def _take_target(examples: Examples, target: str) -> ExamplesAndLabels:
    """Take the labels out of a frame."""
    if not isinstance(examples, pd.DataFrame):
        raise InputError("names a column; these examples are an array, so give their labels beside them", "target")
    columns = {str(name): name for name in examples.columns}
    if target not in columns:
        raise InputError(f"there is no column {target!r}; {suggest_column(target, columns)}", "target")
    labels = examples[columns[target]].reset_index(drop=True)
    if isinstance(labels, pd.DataFrame):
        raise InputError(f"there are two columns {target!r}; rename or remove one", "target")
    return ExamplesAndLabels(examples.drop(columns=columns[target]), labels)


def _list_class_names(source: Mapping[Any, Any]) -> tuple[str, ...]:
    """Return the names of classes that a Bunch gives; empty if it gives none, or only numbers."""
    names = np.asarray(source.get("target_names", ()))
    return tuple(map(str, names)) if names.ndim == 1 and names.dtype.kind in "UO" else ()
