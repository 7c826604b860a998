"""Data sets that users bring as tables: one column is the target, the others become features."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from kdtune.inputs.arrays import Array, ArrayInput, store_array
from kdtune.inputs.assemble import RawPart, assemble_data
from kdtune.inputs.errors import InputError
from kdtune.inputs.frames import store_frame
from kdtune.inputs.given_data import GivenData, PartName
from kdtune.inputs.table_columns import convert_features, find_kind
from kdtune.inputs.table_rows import TableRows, split_rows, stack_tables, suggest_column
from kdtune.text import join_names


def read_table_data(
    frames: Mapping[PartName, pd.DataFrame],
    target: str,
    *,
    drop: Sequence[str] = (),
    impute: str | None = None,
    split: str | None = None,
    folder: Path,
    n_classes: int | None = None,
    names: Mapping[PartName, str],
    notes: list[str],
) -> GivenData:
    """Turn tables into a data set.

    Columns of numbers and truths are standardised later, columns of text and of pandas' ``category`` one-hot encoded
    (see ``kdtune.data.encoding``). Labels keep the form that the user gave them; truths are ``False`` and ``True``.

    Parameters
    ----------
    frames : either ``all``, or ``train`` and ``test``, perhaps ``val``; columns are matched by name.
    target : the column that holds the class.
    drop : columns that are no features.
    impute : ``median`` or ``most_frequent`` fills missing values; text gets its most frequent value in either case.
    split : a column that names the split of each row; it goes with ``all``.
    folder : the folder ``inputs`` of the results.
    n_classes : as for ``assemble_data``.
    names : the setting that holds each table, for messages.
    notes : sentences about what was assumed are appended to it.

    Raises
    ------
    InputError
        If the tables cannot be used; the text says why.
    """
    if target in drop:
        raise InputError(f"{target!r} is the target, so it cannot be left out", "drop")
    if split is not None:
        if split == target or split in drop:
            raise InputError(f"{split!r} is {'the target' if split == target else 'left out by drop'}", "split")
        if "all" not in frames:
            raise InputError("goes with one table; here train and test are tables of their own", "split")
    rows = stack_tables(frames, names, drop)
    if target not in rows.frame.columns:
        raise InputError(f"there is no column {target!r}; {suggest_column(target, rows.frame.columns)}", "target")
    if split is not None:
        rows = split_rows(rows, split, notes)
    labels = convert_labels(rows, target, rows.frame[target], "target")
    features = TableRows(rows.frame.drop(columns=target), rows.parts, rows.first_rows)
    y_names = names if len(frames) > 1 else dict.fromkeys(np.unique(rows.parts).tolist(), "target")
    return assemble_tables(
        features, labels, impute=impute, folder=folder, n_classes=n_classes, y_names=y_names, notes=notes
    )


def assemble_tables(
    rows: TableRows,
    labels: Array | None,
    *,
    impute: str | None,
    folder: Path,
    n_classes: int | None,
    y_names: Mapping[PartName, str],
    notes: list[str],
    unlabelled_parts: Sequence[PartName] = (),
) -> GivenData:
    """Turn columns of features and their labels into a data set.

    Parameters
    ----------
    rows : the features of all parts.
    labels : the label of each row, (rows,); None if no part has any.
    y_names : the setting that holds the labels of each part, for messages.
    unlabelled_parts : the parts whose labels are only place holders.
    impute, folder, n_classes, notes : as for ``read_table_data``.
    """
    first_setting = next(iter(rows.first_rows))
    if not len(rows.frame.columns):
        raise InputError("has no column left that could be a feature", first_setting)
    features = convert_features(rows, impute, notes)
    used_impute = impute if features.has_missing else None
    part_names: list[PartName] = [name for name in ("all", "train", "val", "test") if (rows.parts == name).any()]
    raw_parts: dict[PartName, RawPart] = {}
    for name in part_names:
        indices = np.flatnonzero(rows.parts == name)
        frame = features.frame.iloc[indices].reset_index(drop=True)
        x = store_frame(frame, features.categories, used_impute, folder, features.styles)
        is_labelled = labels is not None and name not in unlabelled_parts
        y: ArrayInput | None = store_array(labels[indices], folder) if is_labelled else None  # type: ignore[index]
        raw_parts[name] = RawPart(x, y, first_setting, y_names[name])
    _check_part_classes(rows, labels, y_names, n_classes, unlabelled_parts)
    _note_training_categories(rows, features.frame, features.categories, notes)
    return assemble_data(raw_parts, folder, n_classes)


def convert_labels(rows: TableRows, column: str, values: pd.Series[Any], setting: str) -> Array:
    """Return labels as whole numbers or text, (rows,), with what is missing or no class refused.

    Parameters
    ----------
    rows : what the labels belong to, for messages.
    column : what their column is called in messages.
    values : the label of each row.
    setting : the setting at fault in errors.

    Raises
    ------
    InputError
        If a label is missing, or labels are dates, or numbers that measure something.
    """
    name = f"column {column!r}"
    is_missing = values.isna().to_numpy()
    if is_missing.any():
        raise rows.make_row_error(
            int(np.argmax(is_missing)),
            f"{name} has no value in {{row}}; remove such rows{_explain_null_words(values)}",
            setting,
        )
    if isinstance(values.dtype, pd.CategoricalDtype):
        values = values.astype(values.cat.categories.dtype)
    if pd.api.types.is_bool_dtype(values.dtype) or pd.api.types.infer_dtype(values) == "boolean":
        return values.astype(object).map(str).to_numpy(dtype=np.str_)
    if find_kind(rows, column, values, setting) == "text":
        return values.astype(object).to_numpy(dtype=np.str_)
    numbers = values.to_numpy(dtype=np.float64)
    is_fraction = numbers != np.round(numbers)
    if is_fraction.any():
        row = int(np.argmax(is_fraction))
        raise rows.make_row_error(
            row,
            f"{name} has {numbers[row]:g} in {{row}}, so it measures something; kdtune distils classifiers: cut it "
            f"into classes first, or name a column of whole numbers or text",
            setting,
        )
    return values.to_numpy(dtype=np.int64)


def _explain_null_words(values: pd.Series[Any]) -> str:
    """Return the advice to rename a class such as NA, which is read as no value; empty if the classes are numbers."""
    if pd.api.types.is_numeric_dtype(values.dtype):
        return ""
    return ", or rename the class if it is called NA, None or null, which are no values in a .csv file"


def _check_part_classes(
    rows: TableRows,
    labels: Array | None,
    y_names: Mapping[PartName, str],
    n_classes: int | None,
    unlabelled_parts: Sequence[PartName],
) -> None:
    """Raise InputError if a class occurs in validation or test rows alone, with its row in the user's own table."""
    if labels is None or n_classes is not None or "train" in unlabelled_parts or "all" in rows.parts:
        return
    is_unknown = ~np.isin(labels, labels[rows.is_training_row])
    if is_unknown.any():
        row = int(np.argmax(is_unknown))
        part: PartName = rows.parts[row].item()
        raise rows.make_row_error(
            row,
            f"the class {labels[row].item()!r} of {{row}} has no row for training; add some, or remove its rows",
            y_names[part],
        )


def _note_training_categories(
    rows: TableRows, frame: pd.DataFrame, categories: Mapping[str, Sequence[str]], notes: list[str]
) -> None:
    """Note which values of given test or validation rows no training row has: their features are always 0."""
    if "all" in rows.parts:
        return
    for name, values in categories.items():
        known_values = set(frame[name][rows.is_training_row].dropna())
        unknown_values = [value for value in values if value not in known_values]
        if unknown_values:
            notes.append(
                f"The column {name!r} has values that no training row has, so they are encoded as nothing: "
                f"{join_names(unknown_values, max_names=5)}."
            )
