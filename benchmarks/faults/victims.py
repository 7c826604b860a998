"""The processes of a sweep that bear a mark, by what they are. Nothing else is ever killed."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress

import psutil

MARK = "KDTUNE_CHAOS"  # the environment variable; its value is another one in each run of a command

Predicate = Callable[[str], bool]  # of a process's command line

# What kills a process: the driver by itself, everything else by what its command line has.
PROCESSES: dict[str, Predicate] = {
    "supervisor": lambda line: False,  # the process of the command itself
    "Ray process": lambda line: "kdtune.run.ray_process" in line,
    "worker": lambda line: line.startswith("ray::") and "Trainable" in line,
    # They give themselves a title once they have started.
    "agent": lambda line: any(
        name in line
        for name in ("dashboard/agent.py", "runtime_env/agent", "ray::DashboardAgent", "ray::RuntimeEnvAgent")
    ),
    "raylet": lambda line: line.split(" ")[0].endswith("/raylet/raylet"),
    "GCS": lambda line: line.split(" ")[0].endswith("/gcs_server"),
}
SIGNALS = {"Ctrl-C": signal.SIGINT, "SIGTERM": signal.SIGTERM}
EVERYTHING, DISK = "everything", "full disk"
VICTIMS = (*PROCESSES, *SIGNALS, EVERYTHING, DISK)
# After these the same command must be run again. All others the sweep survives by itself.
NEED_HELP = ("supervisor", *SIGNALS, EVERYTHING, DISK)
RAY_VICTIMS = ("Ray process", "agent", "raylet", "GCS")


class Family:
    """The processes of one run of a command.

    Parameters
    ----------
    mark : the value of ``MARK`` in their environment.
    """

    def __init__(self, mark: str) -> None:
        self.mark = mark
        self.known: set[psutil.Process] = set()  # A process that has changed its title may have lost its environment.

    def list_processes(self) -> list[psutil.Process]:
        """List the marked processes that live, and their children."""
        for process in psutil.process_iter():
            with suppress(psutil.Error, OSError):
                if process not in self.known and process.environ().get(MARK) == self.mark:
                    self.known.add(process)
        for process in list(self.known):
            with suppress(psutil.Error):
                self.known.update(process.children(recursive=True))
        self.known = {process for process in self.known if _is_alive(process)}
        return sorted(self.known, key=lambda process: process.pid)

    def find(self, victim: str) -> list[psutil.Process]:
        """List the processes of a kind."""
        return [process for process in self.list_processes() if PROCESSES[victim](_get_command_line(process))]

    def kill_all(self) -> None:
        """Kill all, until there are none: one of them may start another at the same time."""
        while processes := self.list_processes():
            for process in processes:
                with suppress(psutil.Error):
                    process.kill()
            time.sleep(0.05)  # psutil's own wait would take the exit code of the command, which others ask for.

    def wait_until_gone(self, seconds: float) -> list[str]:
        """Wait until no process is left, and return the command lines of those that are after some seconds."""
        end = time.monotonic() + seconds
        while (processes := self.list_processes()) and time.monotonic() < end:
            time.sleep(0.2)
        return [f"{process.pid} {_get_command_line(process).strip()[:100]}" for process in processes]


def _is_alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE and process.pid != os.getpid()
    except psutil.Error:
        return False


def _get_command_line(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""
