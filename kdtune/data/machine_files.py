"""Data sets in files that the processes of one machine share: the first one makes each, the others map its memory."""

from __future__ import annotations

import pickle
import shutil
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path

import numpy as np
from filelock import FileLock

from kdtune.data.splits import Data
from kdtune.errors import StorageError
from kdtune.files.atomic import write_atomically

FREE_SHARE = 0.1  # of the free disk, the most that one data set may take
ALIGNMENT = 64  # bytes: a cache line, at which the memory of an array starts


def load_once(folder: Path, name: str, make: Callable[[], Data]) -> Data:
    """Return data that one process of this machine makes; the arrays of all others are read-only maps of its file.

    Where the folder takes no file, every process makes them for itself.

    Parameters
    ----------
    folder : exists, and is seen by the processes of this machine.
    name : tells the data apart from all others in the folder.
    make : makes the data, in a process that finds none.
    """
    path = folder / f"{name}.pickle"
    with ExitStack() as stack:
        with suppress(OSError):
            stack.enter_context(FileLock(folder / f"{name}.lock"))
        with suppress(OSError):
            if path.exists():
                return _read(path)
        data = make()
        with suppress(OSError, StorageError):
            _write(data, path)
    return data


def _write(data: Data, path: Path) -> None:
    """Write the arrays into a file beside ``path``, and everything else into ``path``, which comes last.

    Write nothing where that would take more than a tenth of what is free: the folder is no place for large data.
    """
    buffers: list[pickle.PickleBuffer] = []
    rest = pickle.dumps(data, protocol=5, buffer_callback=buffers.append)
    sizes = [buffer.raw().nbytes for buffer in buffers]
    if sum(sizes) > FREE_SHARE * shutil.disk_usage(path.parent).free:
        return
    arrays = path.with_suffix(".arrays")
    try:
        with arrays.open("wb") as file:
            for buffer in buffers:
                file.write(buffer.raw())
                file.write(bytes(-buffer.raw().nbytes % ALIGNMENT))
    except OSError:
        arrays.unlink(missing_ok=True)
        raise
    write_atomically(path, lambda temporary: temporary.write_bytes(pickle.dumps((sizes, rest))))


def _read(path: Path) -> Data:
    """Return the data, whose arrays stay in their file until they are used."""
    sizes, rest = pickle.loads(path.read_bytes())
    arrays = path.with_suffix(".arrays")
    memory = np.memmap(arrays, mode="r") if arrays.stat().st_size else np.zeros(0, np.uint8)
    buffers, start = [], 0
    for size in sizes:
        buffers.append(memory[start : start + size].data)
        start += size + -size % ALIGNMENT
    data: Data = pickle.loads(rest, buffers=buffers)
    return data
