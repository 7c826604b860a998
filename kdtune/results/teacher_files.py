"""The files of one trained teacher, which lie in a folder that is named after its id.

- ``train.npy, val.npy, test.npy``: its logits on each split, (examples, classes), float32.
- ``weights.safetensors``: its weights, and what it takes to build the network again. A teacher that is given by its
  outputs, or is no module, has none, which the metadata of its row say.
- ``row.parquet``: its row of the table. Its pages have checksums of their own.
- ``checksums.json``: the checksums of logits and weights.

A teacher is *intact* if its files are complete, can be read, and match their checksums. Folders of earlier versions
have no checksums: they are intact if their files are complete and can be read. The metadata of ``row.parquet`` say
whether a folder was saved with checksums, so that it cannot pass for an older one when they are removed. A folder
that got its checksums later has no such mark.

The functions that read raise ValueError where a teacher is not intact, and StorageError where the system cannot read
a file at the moment.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from kdtune.columns import ID, N_TEST, N_TRAIN, N_VAL
from kdtune.files.array_errors import ARRAY_ERRORS
from kdtune.files.atomic import write_atomically
from kdtune.files.storage_errors import classify_read_errors
from kdtune.results.checksums import CHECKSUMS_FILE, compare_checksums, has_checksums, write_checksums
from kdtune.results.weights import check_weights, save_weights
from kdtune.table import read_table, rows_to_arrow, write_table

if TYPE_CHECKING:
    from kdtune.train.trained_network import TrainedNetwork

LOGITS_FILES = {"train": "train.npy", "val": "val.npy", "test": "test.npy"}  # by split
SIZE_COLUMNS = {"train": N_TRAIN, "val": N_VAL, "test": N_TEST}  # by split: its number of examples
WEIGHTS_FILE = "weights.safetensors"
ROW_FILE = "row.parquet"

_NO_WEIGHTS_KEY = b"kdtune_no_weights"  # in the metadata of the row of a teacher without weights
_CHECKSUMS_KEY = b"kdtune_checksums"  # in the metadata of a row that was saved with checksums: their file's name


def write_files(folder: Path, result: TrainedNetwork) -> None:
    """Write a teacher's files into an empty folder and flush each to disk, the checksums last.

    Raises
    ------
    StorageError
        If the disk is full or the folder cannot be written.
    """
    for split, logits in (result.logits or {}).items():
        write_atomically(folder / LOGITS_FILES[split], partial(_write_array, logits))
    metadata = {_CHECKSUMS_KEY: CHECKSUMS_FILE.encode()}
    if result.weights is None:
        metadata[_NO_WEIGHTS_KEY] = b"true"
    else:
        save_weights(folder / WEIGHTS_FILE, result)
    write_table(rows_to_arrow([result.row]).replace_schema_metadata(metadata), folder / ROW_FILE)
    write_checksums(folder, list_checksummed_files(folder))


def list_checksummed_files(folder: Path) -> list[str]:
    """List the files of a teacher that have checksums: its logits, and its weights if it has any."""
    names = list(LOGITS_FILES.values())
    return names if has_no_weights(folder) else [*names, WEIGHTS_FILE]


def has_no_weights(folder: Path) -> bool:
    """Return whether a teacher was saved without weights."""
    return _NO_WEIGHTS_KEY in _read_row_metadata(folder)


def read_row(folder: Path) -> pa.Table:
    """Read a teacher's row from the folder that is named after it."""
    row = read_table(folder / ROW_FILE)
    if row[ID].to_pylist() != [folder.name]:
        raise ValueError(f"{ROW_FILE} is not the row of this teacher")
    return row


def check_structure(folder: Path, row: pa.Table) -> None:
    """Check that a teacher's logits and weights can be read, and are of as many examples as its row says.

    Only the beginnings of files are read.
    """
    for split, file_name in LOGITS_FILES.items():
        n_logits = _count_logits(folder / file_name)
        size_column = SIZE_COLUMNS[split]
        n_examples = row[size_column][0].as_py() if size_column in row.column_names else None
        if n_logits != n_examples:
            raise ValueError(f"{file_name} holds the logits of {n_logits} examples, {ROW_FILE} says {n_examples}")
    if not has_no_weights(folder):
        check_weights(folder / WEIGHTS_FILE)


def check_unchanged(folder: Path, names: Sequence[str] | None = None) -> None:
    """Check that some of a teacher's files, or all of them, match their checksums.

    In a folder of an earlier version, which has no checksums, the files need only exist.
    """
    if names is None:
        names = list_checksummed_files(folder)
    if has_checksums(folder) or _was_saved_with_checksums(folder):
        compare_checksums(folder, names)
        return
    for name in names:
        if not (folder / name).is_file():
            raise ValueError(f"{name} does not exist")


def _was_saved_with_checksums(folder: Path) -> bool:
    return _CHECKSUMS_KEY in _read_row_metadata(folder)


def _read_row_metadata(folder: Path) -> Mapping[bytes, bytes]:
    path = folder / ROW_FILE
    try:
        with classify_read_errors(path):
            return pq.read_schema(path).metadata or {}
    except pa.ArrowException:
        raise ValueError(f"{ROW_FILE} cannot be read") from None


def _count_logits(path: Path) -> int:
    """Count the examples whose logits a file holds."""
    with classify_read_errors(path):
        try:
            return len(np.load(path, mmap_mode="r", allow_pickle=False))
        except ARRAY_ERRORS:
            raise ValueError(f"{path.name} cannot be read") from None


def _write_array(array: Any, path: Path) -> None:
    # An open file, because ``np.save`` appends ".npy" to a path without it.
    with path.open("wb") as file:
        np.save(file, array, allow_pickle=False)
