"""Put the parts of a data set together: check that examples and labels fit, and give each class its number."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kdtune.inputs.arrays import Array, ArrayInput, find_bad_row, hash_array, open_array, store_array
from kdtune.inputs.errors import InputError
from kdtune.inputs.frames import FrameInput
from kdtune.inputs.given_data import ClassName, GivenData, Part, PartName

MAX_CLASSES = 10**6
MIN_MEASUREMENTS = 20  # So many classes may be rare ones in a small set.


@dataclass(frozen=True)
class RawPart:
    """The examples and labels of a part before they are checked, and what the user calls them in messages.

    Attributes
    ----------
    x : the examples: an array, or a table that was read.
    y : the label of each example; None where the user gives none.
    x_name, y_name : the settings that hold them, such as ``train.x``.
    """

    x: ArrayInput | FrameInput
    y: ArrayInput | None
    x_name: str
    y_name: str


def assemble_data(raw_parts: Mapping[PartName, RawPart], folder: Path, n_classes: int | None = None) -> GivenData:
    """Check the parts of a data set against each other, and return the data set.

    Parameters
    ----------
    raw_parts : either ``all``, or ``train`` and ``test``, perhaps ``val``.
    folder : the folder ``inputs`` of the results, for labels in another form than the user's.
    n_classes : the number of classes, if the user names it: labels are then 0 to n_classes - 1.

    Raises
    ------
    InputError
        If shapes do not fit, numbers are missing or infinite, or labels are wrong.
    """
    for part in raw_parts.values():
        _check_examples(part)
    shapes = {name: _get_input_shape(part.x) for name, part in raw_parts.items()}
    first_name = next(iter(shapes))
    for name, shape in shapes.items():
        if shape != shapes[first_name]:
            raise InputError(
                f"has examples of shape {_format_shape(shape)}, and {raw_parts[first_name].x_name} of "
                f"{_format_shape(shapes[first_name])}; both must have the same features",
                raw_parts[name].x_name,
            )
    labels = {name: _read_labels(part) for name, part in raw_parts.items()}
    classes = _list_classes(raw_parts, labels, n_classes)
    parts: dict[PartName, Part] = {}
    label_contents: dict[PartName, str | None] = dict.fromkeys(raw_parts)
    for name, part in raw_parts.items():
        values = labels[name]
        if values is None:
            parts[name] = Part(x=part.x, y=None)
            continue
        numbers = np.searchsorted(np.asarray(classes), values).astype(np.int64)
        label_contents[name] = hash_array(numbers)
        counts = tuple(np.bincount(numbers, minlength=len(classes)).tolist())
        # Labels that are class numbers already stay in the user's file.
        y = part.y if part.y is not None and _is_same(part.y, numbers) else store_array(numbers, folder)
        parts[name] = Part(x=part.x, y=y, class_counts=counts)
    contents = [[name, part.x.content, label_contents[name]] for name, part in sorted(parts.items())]
    content = hashlib.blake2b(repr([contents, classes]).encode(), digest_size=10).hexdigest()
    return GivenData(parts=parts, classes=classes, input_shape=shapes[first_name], content=content)


def _is_same(y: ArrayInput, numbers: Array) -> bool:
    """Return whether labels as the user wrote them are these numbers of classes."""
    return np.dtype(y.dtype).kind in "iu" and y.shape == numbers.shape and bool((open_array(y) == numbers).all())


def _get_input_shape(x: ArrayInput | FrameInput) -> tuple[int, ...]:
    return (x.n_features,) if isinstance(x, FrameInput) else x.shape[1:]


def _format_shape(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))


def _check_examples(part: RawPart) -> None:
    """Raise InputError if examples are no numbers, none, or not finite."""
    x = part.x
    if isinstance(x, FrameInput):
        return  # ``tables`` has checked its columns.
    if np.dtype(x.dtype).kind not in "fiub":
        raise InputError(f"holds values of type {x.dtype}; examples must be numbers", part.x_name)
    if len(x.shape) < 2:
        raise InputError(
            f"has shape {x.shape}; examples have features: one row for each example, as in (examples, features)",
            part.x_name,
        )
    if 0 in x.shape:
        raise InputError(f"has shape {x.shape}, so it is empty", part.x_name)
    if np.dtype(x.dtype).kind != "f":
        return  # float32 holds all whole numbers of 64 bits, to the nearest.
    bad_row = find_bad_row(open_array(x))
    if bad_row is not None:
        message = f"row {bad_row} (counted from 0) holds NaN, or a number that float32 cannot hold"
        raise InputError(f"{message}; fill or remove such rows", part.x_name)


def _read_labels(part: RawPart) -> Array | None:
    """Return the labels of a part as whole numbers or text, (examples,)."""
    if part.y is None:
        return None
    values = np.asarray(open_array(part.y))
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.ndim == 2:
        raise InputError(
            f"has shape {part.y.shape}; labels are one for each example: of one-hot labels, give y.argmax(axis=1)",
            part.y_name,
        )
    if values.ndim != 1:
        raise InputError(f"has shape {part.y.shape}; labels are one for each example: (examples,)", part.y_name)
    if len(values) != part.x.n_examples:
        raise InputError(
            f"has {len(values):,} labels for the {part.x.n_examples:,} examples of {part.x_name}", part.y_name
        )
    if values.dtype.kind == "b":
        return values.astype(np.str_)  # "False" and "True", as in tables
    if values.dtype.kind == "f":
        bad_row = find_bad_row(values)
        if bad_row is not None:
            raise InputError(f"row {bad_row} (counted from 0) has no label; remove such rows", part.y_name)
        if not (values == np.round(values)).all():
            row = int(np.argmax(values != np.round(values)))
            raise InputError(
                f"row {row} (counted from 0) has the label {values[row]:g}; classes are whole numbers or text",
                part.y_name,
            )
        _check_label_range(values, part.y_name)
        return values.astype(np.int64)
    if values.dtype.kind == "u":
        _check_label_range(values, part.y_name)
        return values.astype(np.int64)
    if values.dtype.kind not in "iU":
        raise InputError(f"holds values of type {values.dtype}; classes are whole numbers or text", part.y_name)
    if values.dtype.kind == "U" and (values == "").any():
        bad_row = int(np.argmax(values == ""))
        raise InputError(f"row {bad_row} (counted from 0) has no label; remove such rows", part.y_name)
    return values


def _check_label_range(values: Array, y_name: str) -> None:
    """Raise InputError if a label is too large for a whole number of 64 bits."""
    if len(values) and float(np.abs(values.astype(np.float64)).max()) >= 2.0**63:
        raise InputError("holds labels beyond 64 bits; number the classes from 0", y_name)


def _list_classes(
    raw_parts: Mapping[PartName, RawPart], labels: Mapping[PartName, Array | None], n_classes: int | None
) -> tuple[ClassName, ...]:
    """Return the label of each class in ascending order; InputError if labels do not make at least two classes."""
    training_name: PartName = "all" if "all" in raw_parts else "train"
    if training_name == "train" and labels["train"] is None:
        if "val" not in raw_parts:
            message = "is missing: T is chosen on it, and training examples without labels cannot give it"
            raise InputError(message, "val")
        training_name = "val"  # An unlabelled transfer set: the classes are those of the validation part.
    for name, values in labels.items():
        if values is None and name != "train":
            raise InputError("is missing; only training examples may be without labels", raw_parts[name].y_name)
    kinds = {values.dtype.kind for values in labels.values() if values is not None}
    if len(kinds) > 1:
        raise InputError("has numbers as labels and another part has text; both must be of one kind", "test.y")
    if n_classes is not None:
        _check_range(raw_parts, labels, n_classes)
        return tuple(range(n_classes))
    training_labels = labels[training_name]
    if training_labels is None:
        raise InputError("needs labels in its validation part, which T is chosen on", raw_parts[training_name].y_name)
    classes = np.unique(training_labels)
    y_name = raw_parts[training_name].y_name
    if len(classes) < 2:
        raise InputError(f"has one class only ({classes[0]}); at least two are needed", y_name)
    for name, values in labels.items():
        if values is None:
            continue
        unknown = np.setdiff1d(values, classes)
        if len(unknown):
            row = int(np.argmax(values == unknown[0]))
            remedy = "; if it has no training example, give n_classes" if values.dtype.kind == "i" else ""
            raise InputError(
                f"row {row} (counted from 0) has the label {unknown[0]}, which no example of {y_name} has{remedy}",
                raw_parts[name].y_name,
            )
    # Numbers of which hardly any occurs three times are measurements, as the targets of a regression are.
    is_measurement = classes.dtype.kind == "i" and len(classes) > max(MIN_MEASUREMENTS, len(training_labels) / 3)
    if len(classes) > MAX_CLASSES or len(classes) == len(training_labels) or is_measurement:
        raise InputError(
            f"has {len(classes):,} different labels for {len(training_labels):,} examples, so it names no classes",
            y_name,
        )
    return tuple(classes.tolist())


def _check_range(
    raw_parts: Mapping[PartName, RawPart], labels: Mapping[PartName, Array | None], n_classes: int
) -> None:
    """Raise InputError if a label is not from 0 to n_classes - 1."""
    for name, values in labels.items():
        if values is None:
            continue
        y_name = raw_parts[name].y_name
        if values.dtype.kind == "U":
            raise InputError("holds text; n_classes goes with labels from 0 to n_classes - 1: leave it out", y_name)
        is_wrong = (values < 0) | (values >= n_classes)
        if is_wrong.any():
            row = int(np.argmax(is_wrong))
            raise InputError(
                f"row {row} (counted from 0) has the label {values[row]}; with n_classes {n_classes} labels are "
                f"0 to {n_classes - 1}",
                y_name,
            )
