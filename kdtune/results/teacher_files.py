"""The files of one trained teacher, which lie in a folder that is named after its id.

- ``train.npy, val.npy, test.npy``: its logits on each split, (examples, classes), float32.
- ``weights.safetensors``: its weights, and what it takes to build the network again.
- ``row.parquet``: its row of the table.
- ``checksums.json``: checksums of logits and weights; folders of earlier versions have none.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from kdtune.columns import ID, N_TEST, N_TRAIN, N_VAL
from kdtune.files.atomic import write_atomically
from kdtune.results.checksums import write_checksums
from kdtune.results.weights import is_readable, save_weights
from kdtune.table import read_table, rows_to_arrow, write_table

if TYPE_CHECKING:
    from kdtune.train.train_pack import TrainedNetwork

TRAIN_LOGITS_FILE = "train.npy"
WEIGHTS_FILE = "weights.safetensors"
ROW_FILE = "row.parquet"
# The column of the row that says how many examples a file of logits covers.
SIZE_COLUMNS = {TRAIN_LOGITS_FILE: N_TRAIN, "val.npy": N_VAL, "test.npy": N_TEST}
CHECKED_FILES = (*SIZE_COLUMNS, WEIGHTS_FILE)


def write_files(folder: Path, result: TrainedNetwork) -> None:
    """Write a teacher's files into an empty folder and flush each to disk, the checksums last.

    Raises
    ------
    StorageError
        If the disk is full or the folder cannot be written.
    """
    for split, logits in (result.logits or {}).items():
        write_atomically(folder / f"{split}.npy", partial(_write_array, logits))
    save_weights(folder / WEIGHTS_FILE, result)
    write_table(rows_to_arrow([result.row]), folder / ROW_FILE)
    write_checksums(folder, CHECKED_FILES)


def read_row(folder: Path) -> pa.Table:
    """Read a teacher's row from the folder that is named after it.

    Raises
    ------
    ValueError
        If the folder is torn: a file cannot be read, or the logits are not of as many examples as the row says.
    """
    row = read_table(folder / ROW_FILE)
    if row[ID].to_pylist() != [folder.name]:
        raise ValueError(f"{ROW_FILE} is not the row of this teacher")
    for file_name, size_column in SIZE_COLUMNS.items():
        try:
            n_logits = len(np.load(folder / file_name, mmap_mode="r", allow_pickle=False))
        except (OSError, ValueError, EOFError, TypeError):
            raise ValueError(f"{file_name} cannot be read") from None
        n_examples = row[size_column][0].as_py() if size_column in row.column_names else None
        if n_logits != n_examples:
            raise ValueError(f"{file_name} holds the logits of {n_logits} examples, {ROW_FILE} says {n_examples}")
    if not is_readable(folder / WEIGHTS_FILE):
        raise ValueError(f"{WEIGHTS_FILE} cannot be read")
    return row


def _write_array(array: Any, path: Path) -> None:
    # An open file, because ``np.save`` appends ".npy" to a path without it.
    with path.open("wb") as file:
        np.save(file, array, allow_pickle=False)
