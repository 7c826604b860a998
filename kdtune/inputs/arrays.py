"""Arrays that users bring: read, checked and known by their content."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict

from kdtune.files.array_errors import ARRAY_ERRORS
from kdtune.inputs.errors import InputError
from kdtune.inputs.storage import find_in_memory, keep_in_memory

Array = npt.NDArray[Any]
READ_KINDS = "fiubU"  # NumPy's letters for real numbers, truths and text
MAX_FLOAT32 = float(np.finfo(np.float32).max)
MAX_LOOKED_AT_ROWS, MAX_LOOKED_AT_VALUES = 10_000, 10_000_000  # of an array, to see what its values are
CHUNK_BYTES = 64 << 20  # Arrays are hashed and searched in pieces of about this size, so that any array is read.


class ArrayInput(BaseModel):
    """An array by its content.

    Attributes
    ----------
    content : hash of its type, shape and values.
    shape, dtype : as NumPy has them.
    path : the user's own ``.npy`` file, or the file of a stored input (see ``storage``).
    modified_ns : when the user's file was last modified, in nanoseconds; None for a stored input, which never changes.
    """

    model_config = ConfigDict(frozen=True)

    content: str
    shape: tuple[int, ...]
    dtype: str
    path: str
    modified_ns: int | None = None

    @property
    def n_examples(self) -> int:
        """The number of examples: one for each row."""
        return self.shape[0]


def open_array(array: ArrayInput) -> Array:
    """Return the values of an array, as a memory map if they lie in a file.

    Raises
    ------
    ValueError
        If the file was changed or removed since it was checked.
    """
    value = find_in_memory(array.path)
    if value is not None:
        return np.asarray(value)
    path = Path(array.path)
    try:
        values: Array = np.load(path, mmap_mode="r", allow_pickle=False)
        # A file that was copied or touched is of another time and of the same content.
        is_newer = array.modified_ns not in (None, path.stat().st_mtime_ns)
        if is_newer and hash_array(values) != array.content:
            raise ValueError(f"{path} has changed since the sweep was checked; run the same command again")
    except FileNotFoundError:
        raise ValueError(f"{path} does not exist any more; run the same command again where it is") from None
    return values


def inspect_npy_file(path: Path) -> ArrayInput:
    """Look at a ``.npy`` file where it lies; the values are read once, for the hash.

    Raises
    ------
    InputError
        If it does not exist, is torn, or holds Python objects.
    """
    value = find_in_memory(str(path))
    if value is not None:
        return ArrayInput(content=path.stem, shape=value.shape, dtype=str(value.dtype), path=str(path))
    try:
        if path.exists() and not path.is_file():
            raise InputError(f"{path} is no file")
        return _inspect_npy_file(path, path.stat().st_mtime_ns)
    except FileNotFoundError:
        raise InputError(f"{path} does not exist") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}") from None


@lru_cache(maxsize=256)
def _inspect_npy_file(path: Path, modified_ns: int) -> ArrayInput:
    """Look at a file of this age; the cache spares files that several blocks or variants name."""
    try:
        values = np.load(path, mmap_mode="r", allow_pickle=False)
    except ARRAY_ERRORS as error:
        raise InputError(describe_unreadable_array(path, error)) from None
    if not isinstance(values, np.ndarray):
        raise InputError(f"{path} is no .npy file; give one that np.save wrote")
    if values.dtype.kind not in READ_KINDS:
        raise InputError(f"{path} holds values of type {values.dtype}; numbers, truths or text are right")
    return ArrayInput(
        content=hash_array(values), shape=values.shape, dtype=str(values.dtype), path=str(path), modified_ns=modified_ns
    )


def describe_unreadable_array(path: Path, error: Exception) -> str:
    """Say why NumPy cannot read an array, in words for the user."""
    if "allow_pickle" in str(error) or "Python objects" in str(error):
        return f"{path} holds Python objects (an object array), which are never read; save numbers or text"
    function = "np.savez" if path.suffix == ".npz" else "np.save"
    return f"{path} cannot be read: the file is torn or no array; save it again with {function}"


def store_array(values: Array, folder: Path) -> ArrayInput:
    """Keep an array that lies in no ``.npy`` file of the user's, for the sweep to write below ``folder``.

    Raises
    ------
    InputError
        If it holds Python objects.
    """
    if values.dtype == object:
        raise InputError("holds Python objects, which cannot be written; convert it to numbers or text")
    if values.dtype.kind not in READ_KINDS:
        raise InputError(f"holds values of type {values.dtype}; numbers, truths or text are right")
    values = np.ascontiguousarray(values)
    content = hash_array(values)
    path = str((folder / f"{content}.npy").absolute())
    keep_in_memory(path, values)
    return ArrayInput(content=content, shape=values.shape, dtype=str(values.dtype), path=path)


def hash_array(values: Array) -> str:
    """Return the BLAKE2b hash of an array's type, shape and values as 20 hexadecimal digits (80 bits)."""
    digest = hashlib.blake2b(f"{values.dtype.str}{values.shape}".encode(), digest_size=10)
    for start, stop in iterate_chunks(values):
        digest.update(np.ascontiguousarray(values[start:stop]).tobytes())
    return digest.hexdigest()


def iterate_chunks(values: Any) -> list[tuple[int, int]]:
    """List the bounds of successive pieces of an array's rows, each of about ``CHUNK_BYTES``."""
    if values.ndim == 0 or len(values) == 0:
        return []
    rows = max(1, CHUNK_BYTES // max(1, values.nbytes // len(values)))
    return [(start, min(start + rows, len(values))) for start in range(0, len(values), rows)]


def read_first_rows(array: ArrayInput) -> Array:
    """Return the first rows of an array as float64, at least one: as many as are enough to see what its values are."""
    values = open_array(array)
    n_rows = max(1, min(MAX_LOOKED_AT_ROWS, MAX_LOOKED_AT_VALUES // max(1, values[0].size)))
    return np.asarray(values[:n_rows], np.float64)


def find_bad_row(values: Array) -> int | None:
    """Return the first row that holds NaN or a number beyond the range of float32; None if there is none."""
    if values.dtype.kind != "f":
        return None
    # What float16 cannot hold is infinite in it, as the limit itself would be.
    limit = min(MAX_FLOAT32, float(np.finfo(values.dtype).max))
    for start, stop in iterate_chunks(values):
        is_finite = (np.abs(values[start:stop]) <= limit).reshape(stop - start, -1).all(axis=1)
        if not is_finite.all():
            return start + int(np.argmin(is_finite))
    return None
