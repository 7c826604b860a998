"""End all processes that a process has started, wherever they are in the tree of processes.

The workers of a Ray that died have no parent left that leads to them. Each process inherits its environment, however,
so that a variable with a unique value marks them all.
"""

from __future__ import annotations

import os
from contextlib import suppress

import psutil

MARK = "KDTUNE_RAY_PROCESS"  # the environment variable
_END_SECONDS = 3.0


def kill_marked_processes(mark: str | None = None) -> None:
    """Kill the processes that bear a mark, but for this one, and wait until they have ended.

    Parameters
    ----------
    mark : the value of ``MARK`` in their environment; None for this process's own.
    """
    wanted = os.environ.get(MARK) if mark is None else mark
    if wanted is None:
        return
    for _ in range(3):  # One of them may start another at the same time.
        processes = _list_marked_processes(wanted)
        if not processes:
            return
        for process in processes:
            with suppress(psutil.Error):
                process.kill()
        psutil.wait_procs(processes, timeout=_END_SECONDS)


def _list_marked_processes(mark: str) -> list[psutil.Process]:
    """List the living processes of this user that bear a mark, but for this one."""
    marked = []
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            if process.pid == os.getpid() or process.status() == psutil.STATUS_ZOMBIE:
                continue
            if process.environ().get(MARK) == mark:
                marked.append(process)
    return marked


def is_running(pid: int) -> bool:
    """Return whether a process runs; one that has ended and is not collected yet does not."""
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False
