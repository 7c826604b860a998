"""How much memory this machine, or the container that this process runs in, has used of late."""

from __future__ import annotations

import time
from collections import deque
from pathlib import Path

import psutil

_CGROUP = Path("/sys/fs/cgroup")
_KEPT_SECONDS = 10.0  # What ran out of memory is dead, and its memory free, by the time that its death is known.
_FULL_SHARE = 0.9


class MemoryWatch:
    """Remembers the highest use of memory of the last seconds."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, float, float]] = deque()  # time, bytes used, bytes there are

    def look(self) -> None:
        """Measure once."""
        now = time.monotonic()
        self._seen.append((now, *measure_memory()))
        while self._seen[0][0] < now - _KEPT_SECONDS:
            self._seen.popleft()

    def describe(self) -> str:
        """Return how much was used, as the end of a clause, with what to do; empty if there was enough."""
        if not self._seen:
            return ""
        _, used, total = max(self._seen, key=lambda each: each[1] / each[2])
        if used < _FULL_SHARE * total:
            return ""
        return (
            f", at {used / 2**30:.1f} of {total / 2**30:.1f} GiB of memory: give packs fewer networks (--pack), use "
            f"fewer workers (--workers), or a machine with more memory"
        )


def measure_memory(cgroup: Path = _CGROUP) -> tuple[float, float]:
    """Return the bytes that are used and that there are; a container may have fewer than its machine.

    Copies of files that can be dropped at any time are not in use.

    Parameters
    ----------
    cgroup : the folder in which Linux describes the container (cgroup v2).
    """
    memory = psutil.virtual_memory()
    used, total = float(memory.total - memory.available), float(memory.total)
    try:
        limit = float((cgroup / "memory.max").read_text())
        statistics = dict(line.split() for line in (cgroup / "memory.stat").read_text().splitlines())
        current = float((cgroup / "memory.current").read_text()) - float(statistics["inactive_file"])
    except (OSError, ValueError, KeyError):  # no container, or one without a limit ("max")
        return used, total
    return (current, limit) if limit < total else (used, total)
