"""A file system of its own in memory, which can be filled up."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

DISK_MEGABYTES = 64


class SmallDisk:
    """A folder that may be on a file system of its own; it can be filled up only then."""

    def __init__(self, path: Path, is_own: bool) -> None:
        self.path, self.is_own = path, is_own

    def fill(self) -> None:
        """Take all that is free, as another process would."""
        state = os.statvfs(self.path)
        with suppress(OSError), (self.path / "filler").open("wb") as file:
            file.write(bytes(state.f_bavail * state.f_bsize))

    def free(self) -> None:
        """Give it back."""
        (self.path / "filler").unlink(missing_ok=True)


@contextmanager
def mount_small_disk(path: Path) -> Iterator[SmallDisk]:
    """Mount a small tmpfs for the length of the block; without the right to do so, it is an ordinary folder."""
    path.mkdir(parents=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_MEGABYTES}m", "tmpfs", str(path)]
    is_mounted = os.geteuid() == 0 and subprocess.run(mount, capture_output=True, check=False).returncode == 0
    try:
        yield SmallDisk(path, is_mounted)
    finally:
        if is_mounted:
            subprocess.run(["umount", "-l", str(path)], check=True)
