"""Tell whether a sweep's table is another one than before, without reading it."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from kdtune.analysis.file_problems import TABLE_FILE


class TableStamp(NamedTuple):
    """What changes whenever a table is written: tables are replaced by new files, never changed in place."""

    inode: int
    modified_at: int  # in nanoseconds since 1970
    size: int  # in bytes

    @property
    def text(self) -> str:
        """The stamp as a name."""
        return f"{self.inode:x}-{self.modified_at:x}-{self.size:x}"


def read_stamp(folder: Path) -> TableStamp | None:
    """Return the stamp of the table in a sweep's folder; None if there is no table."""
    try:
        status = (folder / TABLE_FILE).stat()
    except OSError:
        return None
    return TableStamp(status.st_ino, status.st_mtime_ns, status.st_size)
