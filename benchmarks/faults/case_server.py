"""A process that has kdtune imported and runs one case after the other, each in a fork of its own.

    python -m benchmarks.faults.case_server MODULES < requests > answers

MODULES is a file with the names of modules that are imported first: cases need not import them then. A request is a
line of JSON: ``folder``, ``arguments``, ``seconds`` (after which the case is killed) and ``is_warm_up`` (whether what
the case imports is imported here as well, and added to that file). The answer is one as well, see ``Measured``. What
the case prints is in the files ``screen.txt`` and ``errors.txt`` of its folder.
"""

from __future__ import annotations

import faulthandler
import importlib
import json
import os
import resource
import signal
import sys
import time
import warnings
from dataclasses import asdict, dataclass
from pathlib import Path

import kdtune.run.estimate_time
import kdtune.train.timing
from benchmarks.faults.commands import run_command

POLL_SECONDS = 0.02
MAX_MEGABYTES = 3000  # A case that takes more is killed, before the machine suffers.

SCREEN, ERRORS = "screen.txt", "errors.txt"


@dataclass(frozen=True)
class Measured:
    """How a case ended."""

    exit_code: int  # negative: the signal that ended it
    seconds: float  # without those in which it waited for a processor
    megabytes: float  # beyond what this process held when the case began, at its peak
    is_killed: bool  # it took too long


def serve(modules: Path) -> None:
    """Answer requests until there are no more."""
    # `kdtune plan` times up to twelve kinds of pack for half a second; that it does is enough here, not how precisely.
    kdtune.train.timing.TIMED_SECONDS = 0.01
    kdtune.run.estimate_time.MAX_TIMED_KINDS = 2
    _import_modules(modules)
    with os.fdopen(os.dup(1), "w") as answers:
        for line in sys.stdin:
            request = json.loads(line)
            folder, modules_to_add = Path(request["folder"]), modules if request["is_warm_up"] else None
            measured = _run_case(folder, request["arguments"], request["seconds"], modules_to_add)
            if modules_to_add:
                _import_modules(modules)
            print(json.dumps(asdict(measured)), file=answers, flush=True)


def _run_case(folder: Path, arguments: list[str], max_seconds: float, modules_to_add: Path | None) -> Measured:
    """Run a case in a fork, watch it, and kill it if it takes too long or too much memory."""
    start, start_megabytes = time.monotonic(), _read_megabytes(os.getpid())
    pid = os.fork()
    if not pid:
        _become_case(folder, arguments, modules_to_add)
    peak_megabytes, is_killed = 0.0, False
    # Its record is read before it is collected: afterwards nothing tells how long it waited for a processor.
    while os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
        peak_megabytes = max(peak_megabytes, _read_megabytes(pid))
        is_too_long = time.monotonic() - start - _read_waited_seconds(pid) > max_seconds
        if not is_killed and (is_too_long or peak_megabytes - start_megabytes > MAX_MEGABYTES):
            is_killed = is_too_long
            os.kill(pid, signal.SIGUSR1)  # It prints where it is.
            time.sleep(0.2)
            os.kill(pid, signal.SIGKILL)
        time.sleep(POLL_SECONDS)
    seconds = time.monotonic() - start - _read_waited_seconds(pid)
    _, status, usage = os.wait4(pid, 0)
    # Polling may miss a short peak. The system's own record has none of them, but counts pages of libraries as well.
    recorded_megabytes = 1.024e-3 * (usage.ru_maxrss - resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
    megabytes = max(peak_megabytes - start_megabytes, recorded_megabytes, 0.0)
    return Measured(os.waitstatus_to_exitcode(status), seconds, megabytes, is_killed)


def _become_case(folder: Path, arguments: list[str], modules_to_add: Path | None) -> None:
    """Run the case as its own process would; does not return."""
    exit_code = 1
    try:
        os.chdir(folder)
        for name, stream in ((SCREEN, 1), (ERRORS, 2)):
            os.dup2(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644), stream)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        faulthandler.register(signal.SIGUSR1)
        exit_code = run_command(arguments)
        sys.stdout.flush()
        sys.stderr.flush()
        if modules_to_add:
            modules_to_add.write_text("\n".join(name for name in sys.modules if name != "__main__"))
    finally:
        os._exit(exit_code)


def _read_megabytes(pid: int) -> float:
    """Return the memory of a process that no file backs; 0 once it has ended."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next((int(line.split()[1]) * 1.024e-3 for line in lines if line.startswith("RssAnon:")), 0.0)


def _read_waited_seconds(pid: int) -> float:
    """Return how long a process has waited for a processor; 0 if this system does not record that."""
    try:
        return int(Path(f"/proc/{pid}/schedstat").read_text().split()[1]) / 1e9
    except (OSError, IndexError):
        return 0.0


def _import_modules(modules: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in modules.read_text().split() if modules.exists() else ():
            try:
                importlib.import_module(name)
            except Exception:
                continue


if __name__ == "__main__":
    serve(Path(sys.argv[1]))
