"""A folder that the workers of one machine share while a sweep runs, and that is gone when the last of them ends."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

PREFIX = "kdtune-data-"
_LOCK_FILE = "lock"


class MachineFolder:
    """A folder below this machine's temporary folder. It is made, and held by this process, until ``close``.

    Every process that uses it holds a shared lock on a file in it. The last one to close it removes it; what killed
    processes have left is removed by the next sweep that uses this machine.

    Parameters
    ----------
    name : tells the sweep's folder apart from those of other sweeps.

    Raises
    ------
    OSError
        If the temporary folder takes none.
    """

    def __init__(self, name: str) -> None:
        import fcntl  # noqa: F401 - Windows has none, and no folder is made there

        root = Path(tempfile.gettempdir())
        self.path = root / f"{PREFIX}{name}"
        for other in root.glob(f"{PREFIX}*"):
            if other != self.path:
                _remove_if_unused(other)
        while True:
            self.path.mkdir(mode=0o700, exist_ok=True)  # Others need not see the data.
            if self.path.stat().st_uid != os.getuid():
                raise PermissionError(f"{self.path} belongs to another user")
            self._lock = _open_lock(self.path)
            if self._lock is not None:
                return

    def close(self) -> None:
        """Let go of the folder, and remove it if nobody else uses it."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None
            _remove_if_unused(self.path)


def _open_lock(folder: Path) -> int | None:
    """Hold a shared lock on a folder and return its file; None if the folder was removed meanwhile."""
    import fcntl

    try:
        lock = os.open(folder / _LOCK_FILE, os.O_CREAT | os.O_RDWR)
    except FileNotFoundError:
        return None
    fcntl.flock(lock, fcntl.LOCK_SH)
    try:
        if os.path.samestat(os.fstat(lock), (folder / _LOCK_FILE).stat()):
            return lock
    except FileNotFoundError:
        pass
    os.close(lock)
    return None


def _remove_if_unused(folder: Path) -> None:
    """Remove a folder on which nobody holds a lock; one of another user cannot be removed, and stays."""
    import fcntl

    try:
        lock: Any = os.open(folder / _LOCK_FILE, os.O_RDWR)
    except OSError:
        return
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Under another name first: who opens the lock from now on makes a new folder.
        removed = folder.with_name(f"{folder.name}-removed-{os.getpid()}")
        folder.rename(removed)
        shutil.rmtree(removed, ignore_errors=True)
    except OSError:
        pass
    finally:
        os.close(lock)
