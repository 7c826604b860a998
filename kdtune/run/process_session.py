"""End all processes that a process has started, wherever they are in the tree of processes.

The workers of a Ray that died have no parent left that leads to them. They stay, however, in the POSIX session of the
process that started Ray, since Ray begins no session of its own. (Their environment would not do as a mark: some of
Ray's processes overwrite it when they change their title.)
"""

from __future__ import annotations

import os
from collections.abc import Collection
from contextlib import suppress

import psutil

_END_SECONDS = 3.0
_ATTEMPTS = 3  # One of the processes may start another while they are killed.


def kill_session(leader: int) -> None:
    """Kill the processes of a session, but for the calling one, and wait until they have ended.

    Parameters
    ----------
    leader : the id of the process that began the session; it may have ended.
    """
    for _ in range(_ATTEMPTS):
        processes = _list_session(leader)
        if not processes:
            return
        for process in processes:
            with suppress(psutil.Error):
                process.kill()
        psutil.wait_procs(processes, timeout=_END_SECONDS)


def _list_session(leader: int) -> list[psutil.Process]:
    """List the living processes of a session, but for this one; on Windows those below its leader."""
    if not hasattr(os, "getsid"):
        with suppress(psutil.Error):
            return list(psutil.Process(leader).children(recursive=True))
        return []
    members = []
    for pid in psutil.pids():
        with suppress(OSError, psutil.Error):
            if pid != os.getpid() and os.getsid(pid) == leader and is_running(pid):
                members.append(psutil.Process(pid))
    return members


def list_children(pid: int, names: Collection[str]) -> dict[int, str]:
    """Return the children of a process that have one of these names, by their ids; none if the process has ended."""
    children: dict[int, str] = {}
    with suppress(psutil.Error):
        for child in psutil.Process(pid).children():
            with suppress(psutil.Error):
                if (name := child.name()) in names:
                    children[child.pid] = name
    return children


def is_running(pid: int) -> bool:
    """Return whether a process runs; one that has ended and is not collected yet does not."""
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False
