"""The table: one row a network, in Parquet. Column names stand here and nowhere else.

Rows of packs lie in ``parts/``, one file a pack, each written whole or not at all. ``merge`` makes
one table of them. What does not apply to a network is null.
"""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from kdtune.errors import StorageError

MODEL, TEMP, REPLICATE, ID, TEACHER_ID = "model", "temp", "replicate", "id", "teacher_id"
NUM_ERROR, ACCURACY, LOSS, NLL, ECE = "num_error", "accuracy", "loss", "nll", "ece"
VAL_NUM_ERROR, VAL_ACCURACY, VAL_NLL = "val_num_error", "val_accuracy", "val_nll"
CLASS_SEP, P_INFORMATIVE, DATASET, WIDTH, HARD_WEIGHT = "class_sep", "p_informative", "dataset", "width", "hard_weight"
DATA_SEED, TEACHER_SEED, STUDENT_SEED = "data_seed", "teacher_seed", "student_seed"
EPOCHS, N_PARAMS, N_TRAIN, N_VAL, N_TEST = "epochs", "n_params", "n_train", "n_val", "n_test"
SECONDS, STATUS, ERROR, DEVICE, HOST = "seconds", "status", "error", "device", "host"
TRANSFER = "transfer"
# What a shift of biases after training did: by how much, and the figures that there were before.
SHIFTED_BY = "bias_shifted_by"
UNSHIFTED = "unshifted_num_error", "unshifted_accuracy", "unshifted_val_num_error"
SHIFT = (SHIFTED_BY, *UNSHIFTED)

TEACHER, BASELINE, STUDENT = "teacher", "student", "distilled_student"  # values of MODEL
DONE, FAILED, SKIPPED = "done", "failed", "skipped"  # values of STATUS
DIVERGED = "diverged"  # how ERROR starts for a failure that is a result

_INT, _FLOAT, _TEXT = pa.int64(), pa.float64(), pa.string()
_TYPES = {
    MODEL: _TEXT, CLASS_SEP: _FLOAT, P_INFORMATIVE: _FLOAT, WIDTH: _INT, TEMP: _FLOAT, HARD_WEIGHT: _FLOAT,
    REPLICATE: _INT, NUM_ERROR: _INT, ACCURACY: _FLOAT, LOSS: _FLOAT, NLL: _FLOAT, ECE: _FLOAT,
    VAL_NUM_ERROR: _INT, VAL_ACCURACY: _FLOAT, VAL_NLL: _FLOAT, STATUS: _TEXT, ERROR: _TEXT,
    ID: _TEXT, TEACHER_ID: _TEXT, DATA_SEED: _INT, TEACHER_SEED: _INT, STUDENT_SEED: _INT,
    DATASET: _TEXT, EPOCHS: _INT, N_PARAMS: _INT, N_TRAIN: _INT, N_VAL: _INT, N_TEST: _INT,
    SECONDS: _FLOAT, DEVICE: _TEXT, HOST: _TEXT,
}  # fmt: skip
# Details of a row, too long for the table: they lie in files of their own beside it (see ``details``).
CONFUSION, SEEN_CLASSES, CURVE = "confusion", "seen_classes", "learning_curve"
LABEL, N_LABEL, SEEN, PREDICTED, COUNT, EPOCH = "label", "n", "seen", "predicted", "count", "epoch"
_POINT = pa.struct(
    {EPOCH: _INT, "train_loss": _FLOAT, "train_num_error": _INT, "val_loss": _FLOAT, "val_num_error": _INT}
)
DETAILS = {CONFUSION: pa.list_(pa.int32()), SEEN_CLASSES: pa.list_(pa.int32()), CURVE: pa.list_(_POINT)}
DETAIL_FILES = {
    "per_class.parquet": (ID, LABEL, N_LABEL, NUM_ERROR, ACCURACY, SEEN),
    "confusion.parquet": (ID, LABEL, PREDICTED, COUNT),
    "learning_curves.parquet": (ID, *(field.name for field in _POINT)),
}
# What training gave, and where and how long: everything else in a row is a setting or names the network.
RESULTS = (NUM_ERROR, ACCURACY, LOSS, NLL, ECE, VAL_NUM_ERROR, VAL_ACCURACY, VAL_NLL)
CIRCUMSTANCES = (SECONDS, DEVICE, HOST, STATUS, ERROR)
TRAINING = (EPOCHS, "batch_size", "optimizer", "lr", "momentum", "weight_decay", "precision")  # settings of a fit
_STAMP = b"kdtune"
NAMES = (ID, TEACHER_ID, DATA_SEED, TEACHER_SEED, STUDENT_SEED, REPLICATE, MODEL)


def to_arrow(rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    """Rows as an Arrow table: the columns of the contract first, typed even where all are null."""
    extra = dict.fromkeys(key for row in rows for key in row if key not in _TYPES)
    columns = {name: pa.array([row.get(name) for row in rows], kind) for name, kind in _TYPES.items()}
    columns |= {name: pa.array([row.get(name) for row in rows], DETAILS.get(name)) for name in extra}
    return pa.table(columns)


def write(table: pa.Table, path: Path) -> None:
    """Write a Parquet file whole or not at all.

    Raises
    ------
    StorageError
        If the disk is full or the folder cannot be written.
    """
    write_whole(path, lambda temporary: pq.write_table(table, temporary, write_page_checksum=True))


def write_parts(tables: Iterable[pa.Table], path: Path) -> None:
    """Write one file from tables that are made one after the other; remove it if all are empty. Errors as ``write``."""
    filled = (table for table in tables if len(table))
    first = next(filled, None)
    if first is None:
        path.unlink(missing_ok=True)
        return

    def write_to(temporary: Path) -> None:
        with pq.ParquetWriter(temporary, first.schema) as writer:
            for table in chain([first], filled):
                writer.write_table(table)

    write_whole(path, write_to)


def write_whole(path: Path, write_to: Any) -> None:
    """Call ``write_to(temporary path)``, flush it to disk, then move it to ``path`` in one step."""
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.tmp")
    try:
        write_to(temporary)
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise StorageError(f"cannot write {path}: {error.strerror or error}") from error


def read(path: Path) -> pa.Table:
    """Read a Parquet file of rows.

    Raises
    ------
    ValueError
        If it is torn, no Parquet, or has no column for the network's id and status.
    """
    try:
        if not path.is_file():
            raise ValueError(f"{path.name} is no file")
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            table = file.read()
        lacking = [name for name in (ID, MODEL, STATUS) if name not in table.column_names]
        if lacking or table[ID].null_count:
            why = f"it has no column {', '.join(lacking)}" if lacking else "it has rows without id"
            raise ValueError(f"{path.name} holds no rows of kdtune: {why}")
        for place, name in enumerate(table.column_names):
            if name in _TYPES:
                table = table.set_column(place, name, table[name].cast(_TYPES[name]))
    except (OSError, pa.ArrowException) as error:
        raise ValueError(f"{path.name} is torn or no table: {str(error).splitlines()[0]}") from error
    return table


def merge(tables: Iterable[pa.Table]) -> pa.Table:
    """One row for each network: a final one before one to be tried again, a later before an earlier one."""
    table = pa.concat_tables([to_arrow([]), *tables], promote_options="permissive")
    networks, first = pd.factorize(table[ID].to_numpy())
    if len(first) == len(table):
        return table
    final = pc.fill_null(is_final(table), False).to_numpy(zero_copy_only=False)
    order = np.concatenate([np.flatnonzero(~final), np.flatnonzero(final)])  # the best last, for it stays
    best = np.empty(len(first), np.int64)
    best[networks[order]] = order
    return table.take(pa.array(best))


def is_final(table: pa.Table) -> pa.ChunkedArray:
    """Which rows are results: done, or diverged. Crashes and what they skipped are tried again."""
    diverged = pc.and_(pc.equal(table[STATUS], FAILED), pc.starts_with(pc.fill_null(table[ERROR], ""), DIVERGED))
    return pc.or_(pc.equal(table[STATUS], DONE), diverged)


def final_ids(table: pa.Table) -> set[str]:
    return set(table[ID].filter(is_final(table)).to_pylist())


def select(table: pa.Table, ids: Sequence[str]) -> pa.Table:
    """The rows of these networks, in this order; those without a row are left out.

    The contract's columns come first, then the other settings by name; of those, what holds nothing goes, as do
    the details.
    """
    table = in_order(table.drop_columns([name for name in DETAILS if name in table.column_names]), ids)
    settings = sorted(name for name in table.column_names if name not in _TYPES)
    return table.select([*_TYPES, *(name for name in settings if table[name].null_count < len(table))])


def in_order(table: pa.Table, ids: Sequence[str] | pa.ChunkedArray) -> pa.Table:
    """The rows of these networks, in this order; those without a row are left out."""
    wanted = ids if isinstance(ids, pa.ChunkedArray) else pa.array(ids, pa.string())
    places = pc.index_in(wanted, value_set=table[ID]).drop_null()
    if isinstance(places, pa.ChunkedArray):
        places = places.combine_chunks()
    if not places.equals(pa.array(np.arange(len(table), dtype=np.int32))):
        table = table.take(places)
    return table


def stamped(table: pa.Table, made_with: Mapping[str, str]) -> pa.Table:
    """The table with a note of what it was made with, beside its columns."""
    return table.replace_schema_metadata({_STAMP: json.dumps(made_with).encode()})


def stamp(path: Path) -> dict[str, str]:
    """What a file of a table was made with: versions by name; nothing if it does not say."""
    try:
        noted = (pq.read_schema(path).metadata or {}).get(_STAMP, b"{}")
        return {str(name): str(value) for name, value in json.loads(noted).items()}
    except (OSError, ValueError, AttributeError, pa.ArrowException):
        return {}


def to_frame(table: pa.Table) -> pd.DataFrame:
    """As pandas; whole numbers stay whole where some are null (a seed would lose its last digits)."""
    # An index that pandas wrote is a column like any other, or nothing if it only numbers rows.
    table = table.drop_columns([name for name in table.column_names if name.startswith("__index_level_")])
    frame: pd.DataFrame = table.to_pandas(ignore_metadata=True)
    for name in table.column_names:
        if table[name].type == _INT and table[name].null_count:
            frame[name] = table[name].to_pandas(types_mapper=lambda _: pd.Int64Dtype())
    return frame
