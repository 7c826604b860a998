"""What happened in a test, and when: a file that a reader can follow."""

from __future__ import annotations

import time
from pathlib import Path


class EventLog:
    """Lines of seconds and words, which are also printed.

    Parameters
    ----------
    path : the file. It is written anew.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._started_at = time.monotonic()
        path.write_text(time.strftime("Started %Y-%m-%d %H:%M:%S UTC\n", time.gmtime()), encoding="utf-8")

    def write(self, text: str) -> None:
        """Add an event."""
        line = f"{time.monotonic() - self._started_at:7.1f} s  {text}"
        print(line, flush=True)
        with self.path.open("a", encoding="utf-8") as file:
            file.write(f"{line}\n")
