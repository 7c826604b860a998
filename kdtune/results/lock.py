"""Lock a sweep's folder so that only one driver uses it.

The kernel holds the lock (``flock``) and frees it when its process ends, however it ends. Where the file system has
no ``flock``, old versions of filelock refuse; newer ones warn and take the existence of ``.lock`` for the lock. A
process that is killed then leaves it behind, and the user may have to remove the file.
"""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

from filelock import FileLock, Timeout

from kdtune.errors import RequestError, StorageError
from kdtune.files.atomic import create_folder, list_folder, remove_empty_folders, write_atomically

LOCK_FILE = ".lock"
LOCK_HOLDER_FILE = ".lock.json"  # names the host and the process that hold the lock

WAIT_SECONDS = 1.0

# Another sweep that is refused may remove an empty folder between its creation and its locking here.
MAX_CREATE_ATTEMPTS = 10


@contextmanager
def create_and_lock(
    folder: Path, waits: bool = False, say: Callable[[str], object] = lambda line: None
) -> Iterator[None]:
    """Create a folder where it does not exist, and hold its lock until the block ends.

    If a RequestError refuses the sweep, here or in the block, folders that were created here are removed again where
    nothing has been written to them.

    Parameters
    ----------
    folder : the folder.
    waits : whether to wait for another driver that holds the lock; otherwise the request is refused.
    say : prints a line.

    Raises
    ------
    RequestError
        If another driver holds the lock, whose host and process id the message names, or the folder cannot be
        created or locked.
    """
    new_folders: list[Path] = []
    try:
        lock = _create_and_acquire(folder, new_folders, waits, say)
        try:
            with _name_holder(folder):
                yield
        except RequestError:
            # The lock file goes while it is locked: it cannot be one that another driver holds.
            with suppress(OSError, StorageError):
                if folder in new_folders and [path.name for path in list_folder(folder)] == [LOCK_FILE]:
                    (folder / LOCK_FILE).unlink()
            raise
        finally:
            lock.release()
    except RequestError:
        remove_empty_folders(new_folders)
        raise


def _create_and_acquire(folder: Path, new_folders: list[Path], waits: bool, say: Callable[[str], object]) -> FileLock:
    """Return the acquired lock of a folder, and add the folders that had to be created to ``new_folders``."""
    lock = FileLock(folder / LOCK_FILE)
    attempts, has_said = 0, False
    while True:
        attempts += 1
        try:
            new_folders += create_folder(folder)
            lock.acquire(timeout=0)
            return lock
        except Timeout:
            holder = _describe_holder(folder)
            if not waits:
                raise RequestError(
                    f"{folder} is in use by another sweep{holder}; wait for it with --wait, or stop it"
                ) from None
            if not has_said:
                say(f"Waiting until {folder} is free: another sweep uses it{holder}.")
                has_said = True
            attempts = 0
            time.sleep(WAIT_SECONDS)
        except (OSError, NotImplementedError) as error:
            was_removed = isinstance(error, FileNotFoundError | FileExistsError)
            if not was_removed or attempts == MAX_CREATE_ATTEMPTS:
                reason = getattr(error, "strerror", None) or error
                raise RequestError(f"{folder}: the results folder cannot be created or locked: {reason}") from error


@contextmanager
def _name_holder(folder: Path) -> Iterator[None]:
    """Keep a note beside the lock that names this process, for the message to a driver that is refused."""
    path = folder / LOCK_HOLDER_FILE
    holder = {"host": platform.node(), "pid": os.getpid(), "since": datetime.now().isoformat(" ", "seconds")}
    with suppress(StorageError):  # The lock holds without the note.
        write_atomically(path, lambda temporary: temporary.write_text(json.dumps(holder)))
    try:
        yield
    finally:
        with suppress(OSError):
            path.unlink()


def _describe_holder(folder: Path) -> str:
    """Return who holds the lock, in parentheses; nothing if the note does not exist or cannot be read."""
    try:
        holder = json.loads((folder / LOCK_HOLDER_FILE).read_text())
        return f" (host {holder['host']}, pid {holder['pid']}, since {holder['since']})"
    except (OSError, ValueError, KeyError, TypeError):
        return ""
