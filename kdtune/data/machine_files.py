"""Data sets in files that the processes of one machine share: the first one makes each, the others map its memory."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
from filelock import FileLock

from kdtune.data.mapped_examples import MappedExamples
from kdtune.data.splits import Data
from kdtune.files.atomic import write_atomically

ALIGNMENT = 64  # bytes: a cache line, at which the memory of an array starts


def load_once(folder: Path, name: str, make: Callable[[], Data]) -> Data:
    """Return data that one process of this machine makes; the arrays of all others are read-only maps of its file.

    Where the folder takes no file, or the data lie in a mapped file already, every process makes them for itself.

    Parameters
    ----------
    folder : exists, and is seen by the processes of this machine.
    name : tells the data apart from all others in the folder.
    make : makes the data, in a process that finds none.
    """
    path = folder / f"{name}.pickle"
    try:
        with FileLock(folder / f"{name}.lock"):
            if not path.exists():
                data = make()
                if not isinstance(data.x_train, MappedExamples):
                    with suppress(OSError):
                        _write(data, path)
                return data
        return _read(path)
    except OSError:
        return make()


def _write(data: Data, path: Path) -> None:
    """Write the arrays into a file beside ``path``, and everything else into ``path``, which comes last."""
    buffers: list[pickle.PickleBuffer] = []
    rest = pickle.dumps(data, protocol=5, buffer_callback=buffers.append)
    sizes = []
    with path.with_suffix(".arrays").open("wb") as file:
        for buffer in buffers:
            with buffer.raw() as memory:
                file.write(memory)
                file.write(bytes(-memory.nbytes % ALIGNMENT))
                sizes.append(memory.nbytes)
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
