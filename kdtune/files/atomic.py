"""Write files and folders so that a reader sees all of one or nothing, even after a power failure."""

from __future__ import annotations

import errno
import os
import uuid
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from kdtune.errors import StorageError

# What file systems and platforms answer that cannot flush a folder: EINVAL some network file systems,
# EACCES Windows, which does not open folders.
_CANNOT_FLUSH = (errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EBADF, errno.EACCES, errno.EPERM)


def write_atomically(path: Path, write_to: Callable[[Path], object]) -> None:
    """Call ``write_to(temporary path)``, flush that file to disk, then move it to ``path`` in one step.

    Raises
    ------
    StorageError
        If the disk is full or the folder cannot be written; a file that stood at ``path`` is left as it was.
    """
    temporary = make_temporary_path(path)
    try:
        write_to(temporary)
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        move_into_place(temporary, path)
    except OSError as error:
        with suppress(OSError):  # On a read-only file system even this fails, and the first error says why.
            temporary.unlink()
        raise StorageError(f"cannot write {path}: {error.strerror or error}") from error


def make_temporary_path(path: Path) -> Path:
    """Return a new path beside ``path`` for what is to be moved there: hidden, and ending in ``.tmp``."""
    return path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.tmp")


def is_temporary(path: Path) -> bool:
    """Return whether a path is one of ``make_temporary_path``, by its name."""
    return path.name.startswith(".") and path.suffix == ".tmp"


def list_folder(folder: Path) -> list[Path]:
    """List the content of a folder; nothing if it is not there, or is removed just now (where ``glob`` may raise)."""
    try:
        return list(folder.iterdir())
    except FileNotFoundError:
        return []


def move_into_place(source: Path, target: Path) -> None:
    """Rename a file or folder within its folder, and flush that folder: a power failure cannot undo the rename.

    The content of ``source`` must be on disk already. A file at ``target`` is replaced.

    Raises
    ------
    OSError
        If it cannot be renamed, as where ``target`` is a folder with content (ENOTEMPTY or EEXIST).
    """
    source.replace(target)
    flush_folder(target.parent)


def create_folder(path: Path) -> list[Path]:
    """Create a folder with its missing parents, flush their names to disk, and return the new ones, outermost first.

    Raises
    ------
    OSError
        If it cannot be created.
    """
    new_folders = [folder for folder in (path, *path.parents) if not folder.exists()][::-1]
    path.mkdir(parents=True, exist_ok=True)
    for folder in new_folders:
        flush_folder(folder.parent)
    return new_folders


def flush_folder(folder: Path) -> None:
    """Flush the names of a folder's files to disk, where the platform and the file system can do that."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        if error.errno not in _CANNOT_FLUSH:
            raise
