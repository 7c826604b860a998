"""Turn errors of the operating system into errors that say what could not be done, and whether a file is damaged."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kdtune.errors import StorageError


@contextmanager
def convert_os_errors(action: str) -> Iterator[None]:
    """Raise a StorageError in place of an OSError; ``action`` completes the sentence "cannot ..."."""
    try:
        yield
    except OSError as error:
        raise StorageError(f"cannot {action}: {error.strerror or error}") from error


@contextmanager
def classify_read_errors(path: Path) -> Iterator[None]:
    """Tell a missing or damaged file from one that the system cannot read at the moment.

    Raises
    ------
    ValueError
        If the file does not exist, is a folder or a pipe, or has a content that cannot be parsed: trying again does
        not help.
    StorageError
        If the system cannot read it, as with too many open files or a broken disk: the file may be intact.
    """
    try:
        if is_pipe(path):  # To open it would take as long as nobody writes to it.
            raise ValueError(f"{path.name} is not a file")
        yield
    except FileNotFoundError as error:
        raise ValueError(f"{path.name} does not exist") from error
    except (NotADirectoryError, IsADirectoryError) as error:
        raise ValueError(f"{path.name} is not a file") from error
    except OSError as error:
        # An error of the system has a number; pyarrow raises an OSError without one for content that it cannot parse.
        if error.errno is None:
            raise ValueError(f"{path.name} cannot be read: {str(error).splitlines()[0]}") from error
        raise StorageError(f"cannot read {path}: {error.strerror}") from error


def is_pipe(path: Path) -> bool:
    """Return whether a path is a pipe; of one that cannot be looked at, whoever opens it says why."""
    try:
        return stat.S_ISFIFO(path.stat().st_mode)
    except OSError:
        return False
