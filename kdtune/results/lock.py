"""One driver at a time for a sweep's folder."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

from filelock import FileLock, Timeout

from kdtune.errors import RequestError
from kdtune.files.atomic import write_atomically

LOCK_FILE = ".lock"
LOCK_NOTE = ".lock.json"  # says who holds the lock


@contextmanager
def hold_lock(folder: Path) -> Iterator[None]:
    """Hold a folder as its only driver; the kernel frees the lock of a process that died.

    Raises
    ------
    RequestError
        If another driver holds the folder, whose host and process id the message names, or it cannot be locked.
    """
    lock = FileLock(folder / LOCK_FILE)
    note_path = folder / LOCK_NOTE
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise RequestError(
            f"{folder} is in use by another sweep{_describe_holder(note_path)}; wait or stop it"
        ) from None
    except (OSError, NotImplementedError) as error:
        raise RequestError(f"{folder}: the results folder cannot be locked: {error}") from error
    try:
        holder = {"host": platform.node(), "pid": os.getpid(), "since": datetime.now().isoformat(" ", "seconds")}
        write_atomically(note_path, lambda path: path.write_text(json.dumps(holder)))
        yield
    finally:
        # The folder itself may be gone: a refused request removes a new one.
        with suppress(OSError):
            note_path.unlink()
        lock.release()


def _describe_holder(note_path: Path) -> str:
    """Return who holds the lock, in parentheses; nothing if the note is not there or cannot be read."""
    try:
        holder = json.loads(note_path.read_text())
        return f" (host {holder['host']}, pid {holder['pid']}, since {holder['since']})"
    except (OSError, ValueError, KeyError, TypeError):
        return ""
