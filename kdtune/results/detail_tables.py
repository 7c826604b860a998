"""Detail tables: errors by class and example, confusion matrices and learning curves, too long for a row of the table.

Workers put these details into the rows of their packs; here they become tables of their own, joined to the
sweep's table by ``id``. The functions are pure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kdtune.columns import (
    ACCURACY,
    CONFUSION,
    COUNT,
    DETAIL_TYPES,
    ID,
    LABEL,
    LEARNING_CURVE,
    N_LABEL,
    N_TEST,
    NUM_ERROR,
    PREDICTED,
    SEEN,
    SEEN_CLASSES,
    TEST_ERRORS,
)
from kdtune.errors_by_example import ERRORS_FILE


def build_per_class(rows: pa.Table) -> pa.Table:
    """Build the table with one row per network and class (``label``) of the test split.

    Its columns are the number of examples of that class, the errors and the accuracy on them (null without
    examples), and whether the network was trained on that class.
    """
    ids: list[str] = []
    labels, sizes, errors, accuracies, are_seen = [], [], [], [], []
    for confusion in _iterate_confusions(rows):
        counts = confusion.counts  # (classes, predicted classes)
        classes = np.arange(len(counts))
        class_sizes = counts.sum(axis=1)
        class_errors = class_sizes - counts.diagonal()
        ids += [confusion.network_id] * len(counts)
        labels.append(classes)
        sizes.append(class_sizes)
        errors.append(class_errors)
        accuracies.append(np.where(class_sizes, 1 - class_errors / np.maximum(class_sizes, 1), np.nan))
        seen_classes = classes if confusion.seen_classes is None else confusion.seen_classes
        are_seen.append(np.isin(classes, seen_classes))
    return pa.table(
        {
            ID: pa.array(ids, pa.string()),
            LABEL: _concatenate(labels, pa.int64()),
            N_LABEL: _concatenate(sizes, pa.int64()),
            NUM_ERROR: _concatenate(errors, pa.int64()),
            ACCURACY: _concatenate(accuracies, pa.float64()),
            SEEN: _concatenate(are_seen, pa.bool_()),
        }
    )


def build_confusion(rows: pa.Table) -> pa.Table:
    """Build the table with one row per network, class (``label``) and predicted class: the number of test examples."""
    ids: list[str] = []
    labels, predicted_labels, counts = [], [], []
    for confusion in _iterate_confusions(rows):
        label, predicted_label = np.indices(confusion.counts.shape)
        ids += [confusion.network_id] * confusion.counts.size
        labels.append(label.ravel())
        predicted_labels.append(predicted_label.ravel())
        counts.append(confusion.counts.ravel())
    return pa.table(
        {
            ID: pa.array(ids, pa.string()),
            LABEL: _concatenate(labels, pa.int64()),
            PREDICTED: _concatenate(predicted_labels, pa.int64()),
            COUNT: _concatenate(counts, pa.int64()),
        }
    )


def build_learning_curves(rows: pa.Table) -> pa.Table:
    """Build the table with one row per network and recorded epoch: losses and errors on training and validation split.

    Networks that recorded no learning curve have no rows.
    """
    rows = _select_with_detail(rows, LEARNING_CURVE)
    curves = rows[LEARNING_CURVE].combine_chunks()
    row_indices = pc.list_parent_indices(curves)
    points = pc.list_flatten(curves)
    columns = {field.name: pc.struct_field(points, field.name) for field in points.type}
    return pa.table({ID: rows[ID].take(row_indices), **columns})


def build_errors_by_example(rows: pa.Table) -> pa.Table:
    """Build the table with one row per network: the size of its test split, and its errors as packed bits.

    Networks that kept none, which an earlier version trained or whose test split is too large, have no row.
    """
    return _select_with_detail(rows, TEST_ERRORS).select([ID, N_TEST, TEST_ERRORS])


# The function that builds each file of details; the files' columns stand in ``columns.DETAIL_FILES``.
DETAIL_BUILDERS: dict[str, Callable[[pa.Table], pa.Table]] = {
    "per_class.parquet": build_per_class,
    "confusion.parquet": build_confusion,
    "learning_curves.parquet": build_learning_curves,
    ERRORS_FILE: build_errors_by_example,
}


class _Confusion(NamedTuple):
    """The confusion matrix of one network."""

    network_id: str
    counts: Any  # test examples, (classes, predicted classes)
    seen_classes: list[int] | None  # the classes that it was trained on; None for all


def _iterate_confusions(rows: pa.Table) -> Iterator[_Confusion]:
    """Yield the confusion matrix of each network that has one; a damaged one, which is no square, counts as none."""
    rows = _select_with_detail(rows, CONFUSION)
    for network_id, values, seen_classes in zip(rows[ID], rows[CONFUSION], rows[SEEN_CLASSES], strict=True):
        flat_counts = values.values.to_numpy(zero_copy_only=False)
        n_classes = round(len(flat_counts) ** 0.5)
        if len(flat_counts) != n_classes**2 or values.values.null_count:
            continue
        counts = flat_counts.reshape(n_classes, n_classes).astype(np.int64)
        yield _Confusion(network_id.as_py(), counts, seen_classes.as_py())


def _select_with_detail(rows: pa.Table, detail: str) -> pa.Table:
    """Select the rows that hold a detail; rows of earlier versions may lack the columns of details, and hold none."""
    for name, kind in DETAIL_TYPES.items():
        if name not in rows.column_names:
            rows = rows.append_column(name, pa.nulls(len(rows), kind))
    return rows.filter(pc.is_valid(rows[detail]))


def _concatenate(arrays: list[Any], kind: pa.DataType) -> pa.Array:
    """Join NumPy arrays into one Arrow array; NaN becomes null."""
    if not arrays:
        return pa.array([], kind)
    return pa.array(np.concatenate(arrays), kind, from_pandas=True)
