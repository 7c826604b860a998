"""A folder for the files that a sweep needs while it runs, and the removal of those that killed sweeps have left."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from kdtune.files.storage_errors import convert_os_errors

PREFIX = "kdtune-sweep-"
# Without a lock: those of a sweep that is just starting, and what older versions of kdtune have left.
_OLD_PREFIXES = (PREFIX, "kdtune-tune-", "kdtune-code-")
_OLD_SECONDS = 24 * 3600.0
_LOCK_FILE = "lock"
_RAY_FOLDER_FILE = "ray-folder"  # names the folder in which Ray keeps the logs and sockets of this sweep


@contextmanager
def open_scratch_folder() -> Iterator[Path]:
    """Provide a folder in the system's temporary folder until the block ends, and remove those of killed sweeps.

    Raises
    ------
    StorageError
        If the temporary folder takes none.
    """
    root = Path(tempfile.gettempdir())
    _remove_leftovers(root)
    with convert_os_errors(f"make a folder in {root}"):
        folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=root))
    lock = FileLock(folder / _LOCK_FILE)
    try:
        with lock:
            yield folder
    finally:
        _remove(folder)


def note_ray_folder(scratch_folder: Path, ray_folder: str) -> None:
    """Note a folder of Ray's, which goes with the scratch folder."""
    with suppress(OSError), (scratch_folder / _RAY_FOLDER_FILE).open("a", encoding="utf-8") as file:
        file.write(f"{ray_folder}\n")


def _remove_leftovers(root: Path) -> None:
    """Remove the folders of sweeps that no longer run; those of other users cannot be removed, and stay."""
    for folder in root.glob("kdtune-*"):
        if not folder.is_dir() or folder.is_symlink() or not folder.name.startswith(_OLD_PREFIXES):
            continue
        with suppress(OSError):
            if (folder / _LOCK_FILE).exists():
                with suppress(Timeout), FileLock(folder / _LOCK_FILE, timeout=0):
                    _remove(folder)
            elif time.time() - folder.stat().st_mtime > _OLD_SECONDS:
                _remove(folder)


def _remove(folder: Path) -> None:
    """Remove a scratch folder, and the folders of Ray's that go with it."""
    with suppress(OSError, UnicodeDecodeError):
        for line in (folder / _RAY_FOLDER_FILE).read_text(encoding="utf-8").splitlines():
            if Path(line).name.startswith("session_"):  # as Ray names them
                shutil.rmtree(line, ignore_errors=True)
    shutil.rmtree(folder, ignore_errors=True)
