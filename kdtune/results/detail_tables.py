"""What is too long for the table: errors by class, confusion matrices, learning curves, joined to it by ``id``. Pure.

Workers put these into their rows; here they become tables of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kdtune.columns import (
    ACCURACY,
    CONFUSION,
    COUNT,
    DETAIL_FILES,
    DETAIL_TYPES,
    ID,
    LABEL,
    LEARNING_CURVE,
    N_LABEL,
    NUM_ERROR,
    PREDICTED,
    SEEN,
    SEEN_CLASSES,
)


def per_class(rows: pa.Table) -> pa.Table:
    """For each network and class (``label``): test examples, errors, accuracy, whether it was trained on that class."""
    columns: dict[str, list[Any]] = {name: [] for name in DETAIL_FILES["per_class.parquet"]}
    for name, matrix, seen in _matrices(rows):
        n, classes = matrix.sum(axis=1), np.arange(len(matrix))
        errors = n - matrix.diagonal()
        columns[ID] += [name] * len(matrix)
        columns[LABEL].append(classes)
        columns[N_LABEL].append(n)
        columns[NUM_ERROR].append(errors)
        columns[ACCURACY].append(np.where(n, 1 - errors / np.maximum(n, 1), np.nan))
        columns[SEEN].append(np.ones(len(matrix), bool) if seen is None else np.isin(classes, seen))
    ids = pa.array(columns.pop(ID), pa.string())
    types = {ACCURACY: pa.float64(), SEEN: pa.bool_()}
    arrays = {name: _joined(parts, types.get(name, pa.int64())) for name, parts in columns.items()}
    return pa.table({ID: ids, **arrays})


def confusion(rows: pa.Table) -> pa.Table:
    """For each network, class (``label``) and predicted class: the test examples."""
    ids: list[str] = []
    parts: dict[str, list[Any]] = {LABEL: [], PREDICTED: [], COUNT: []}
    for name, matrix, _ in _matrices(rows):
        places = np.indices(matrix.shape)
        ids += [name] * matrix.size
        for column, values in zip(parts.values(), (*places, matrix), strict=True):
            column.append(values.ravel())
    return pa.table({ID: pa.array(ids, pa.string()), **{name: _joined(p, pa.int64()) for name, p in parts.items()}})


def learning_curves(rows: pa.Table) -> pa.Table:
    """For each network that recorded them and each epoch: losses and errors on the training and validation examples."""
    rows = _with(rows, LEARNING_CURVE)
    curves = rows[LEARNING_CURVE].combine_chunks()
    parents, points = pc.list_parent_indices(curves), pc.list_flatten(curves)
    fields = {field.name: pc.struct_field(points, field.name) for field in points.type}
    return pa.table({ID: rows[ID].take(parents), **fields})


FILES: dict[str, Callable[[pa.Table], pa.Table]] = {
    "per_class.parquet": per_class,
    "confusion.parquet": confusion,
    "learning_curves.parquet": learning_curves,
}


def _matrices(rows: pa.Table) -> Iterator[tuple[str, Any, Any]]:
    """(id, confusion matrix, classes that it was trained on) of each network that has one."""
    rows = _with(rows, CONFUSION)
    for name, flat, seen in zip(*(rows[column] for column in (ID, CONFUSION, SEEN_CLASSES)), strict=True):
        counts = flat.values.to_numpy()
        side = round(len(counts) ** 0.5)
        yield name.as_py(), counts.reshape(side, side).astype(np.int64), seen.as_py()


def _with(rows: pa.Table, detail: str) -> pa.Table:
    """The rows that hold a detail; those of earlier versions have no column of it."""
    for name, kind in DETAIL_TYPES.items():
        if name not in rows.column_names:
            rows = rows.append_column(name, pa.nulls(len(rows), kind))
    return rows.filter(pc.is_valid(rows[detail]))


def _joined(parts: list[Any], kind: pa.DataType) -> pa.Array:
    return pa.array(np.concatenate(parts), kind, from_pandas=True) if parts else pa.array([], kind)
