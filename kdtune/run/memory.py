"""How much memory this machine, or the container that this process runs in, has used of late."""

from __future__ import annotations

import re
import time
from collections import deque
from pathlib import Path

import psutil

_CGROUP = Path("/sys/fs/cgroup")
_KEPT_SECONDS = 10.0  # What ran out of memory is dead, and its memory free, by the time that its death is known.
_FULL_SHARE = 0.9
# What Ray says of a worker that it killed: "Memory on the node (IP: 10.0.0.2, ID: f970) was 22.7GB used / 23.5GB".
# Its GB are GiB.
_KILLED_BY_RAY = re.compile(
    r"Memory on the node \(IP: (?P<host>[^,)]+).*?was (?P<used>[\d.]+)GB used / (?P<total>[\d.]+)GB"
)


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
        return _describe_full_memory(used / 2**30, total / 2**30)


def read_full_memory(reason: str) -> str:
    """Return how much memory was used where Ray killed a worker for it, as ``MemoryWatch.describe`` does.

    Parameters
    ----------
    reason : what Ray says of the worker's death; the result is empty if it is another.
    """
    match = _KILLED_BY_RAY.search(reason)
    return _describe_full_memory(float(match["used"]), float(match["total"]), match["host"]) if match else ""


def _describe_full_memory(used_gib: float, total_gib: float, host: str = "") -> str:
    place = f" of {host}" if host else ""
    return (
        f", at {used_gib:.1f} of {total_gib:.1f} GiB of memory{place}: give packs fewer networks (--pack), use fewer "
        f"workers (--workers), or a machine with more memory"
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
