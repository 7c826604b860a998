"""Write files and folders so that a reader sees all of one or nothing, even after a power failure."""

from __future__ import annotations

import errno
import os
import shutil
import uuid
from collections.abc import Callable, Iterable
from contextlib import suppress
from itertools import takewhile
from pathlib import Path

from kdtune.files.storage_errors import convert_os_errors

# The error codes of systems that cannot flush a folder. They are no failure: the folder is flushed later, by itself.
_CANNOT_FLUSH = (
    errno.EINVAL,  # the file system has no flush for folders: some network file systems
    errno.ENOTSUP,  # the same, from other file systems
    errno.EOPNOTSUPP,  # the same code as ENOTSUP on Linux, another one elsewhere
    errno.EBADF,  # the system flushes only what is open for writing, which a folder cannot be
    errno.EACCES,  # the system does not open folders: Windows
    errno.EPERM,  # the file system does not permit it
)


def write_atomically(path: Path, write_to: Callable[[Path], object]) -> None:
    """Call ``write_to(temporary path)``, flush that file to disk, then move it to ``path`` in one step.

    Raises
    ------
    StorageError
        If the disk is full or the folder cannot be written; a file that stood at ``path`` is left as it was.
    """
    temporary = make_temporary_path(path)
    with convert_os_errors(f"write {path}"):
        try:
            write_to(temporary)
            with temporary.open("rb") as file:
                os.fsync(file.fileno())
            move_into_place(temporary, path)
        except BaseException:  # An interrupt leaves nothing behind either.
            with suppress(OSError):  # On a read-only file system even this fails, and the first error says why.
                temporary.unlink()
            raise


def make_temporary_path(path: Path) -> Path:
    """Return a new path beside ``path`` for what is to be moved there: hidden, and ending in ``.tmp``."""
    return path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.tmp")


def is_temporary(path: Path) -> bool:
    """Return whether a file name has the form of a temporary one."""
    return path.name.startswith(".") and path.suffix == ".tmp"


def list_folder(folder: Path) -> list[Path]:
    """List the content of a folder; return nothing if the folder does not exist, or is removed at the same time.

    Raises
    ------
    StorageError
        If the folder cannot be read.
    """
    with convert_os_errors(f"read {folder}"):
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

    A folder that another process creates at the same time is not among the new ones.

    Raises
    ------
    OSError
        If it cannot be created; then no new parent is left.
    """
    new_folders: list[Path] = []
    missing_folders = takewhile(lambda folder: not folder.is_dir(), (path, *path.parents))
    try:
        for folder in reversed(list(missing_folders)):
            try:
                folder.mkdir()
            except FileExistsError:
                if not folder.is_dir():
                    raise
                continue
            new_folders.append(folder)
            flush_folder(folder.parent)
    except OSError:
        remove_empty_folders(new_folders)
        raise
    return new_folders


def remove_empty_folders(folders: Iterable[Path]) -> None:
    """Remove those folders that are empty, the innermost first; leave the others."""
    for folder in sorted(folders, key=lambda path: len(path.parts), reverse=True):
        with suppress(OSError):
            folder.rmdir()


def remove_path(path: Path) -> None:
    """Remove a file, a link (not what it leads to), or a folder with its content.

    Raises
    ------
    OSError
        If something cannot be removed. A path that does not exist is no error.
    """
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


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
