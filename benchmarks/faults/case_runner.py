"""Run cases in a server process, and judge how they ended."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.faults.case_server import ERRORS, SCREEN, Measured

MAX_SECONDS = 2.0  # until a file is refused, beyond what the command takes for the undamaged file
MAX_MEGABYTES = 500.0  # beyond what Python and its libraries take
MAX_MESSAGE_LINES = 40
# After these a case is killed. What is accepted may be larger than the undamaged file and take longer than two seconds:
# steps are timed, networks are trained, and a table that falls into 89 settings has a figure for each.
MAX_WORK_SECONDS = 30.0
WORKING_COMMANDS = ("plan", "sweep", "plot", "report")

EXIT_CODES = {0: "accepted", 1: "broken off (1)", 2: "refused (2)"}

# One processor each: its time is then the time of the command. No graphics card, no data sets of this machine.
VARIABLES = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "CUDA_VISIBLE_DEVICES": "",
    "KDTUNE_DATA": os.devnull + "/none",
    "COLUMNS": "120",
}
TRIED_MODULE = ("mynets.py", "kdtune/stacked/")  # in the stack of a command that was ended while it tried a module
TO_TRAIN = "to train"  # what `kdtune plan` prints of a sweep that it has accepted
# Root reads a file whatever its mode says, unless it has given up these two rights.
DROPPED_RIGHTS = ("setpriv", "--bounding-set", "-dac_override,-dac_read_search")

RAW_EXCEPTION = re.compile(r"\b[A-Za-z]*(?:Error|Exception|Invalid)\(|<[\w.]+ object at 0x|\bArrowInvalid\b")
PYTHON_WARNING = re.compile(r"\.py:\d+: \w*Warning:")


@dataclass(frozen=True)
class Case:
    """A command on files that lie in a folder of their own."""

    kind: str
    folder: Path
    arguments: list[str]

    @property
    def command(self) -> str:
        """The name of the command."""
        return self.arguments[0]

    @property
    def is_working(self) -> bool:
        """Whether the command does as much work as its files ask for."""
        return self.command in WORKING_COMMANDS


@dataclass(frozen=True)
class Verdict:
    """What came of a case."""

    outcome: str
    problems: list[str]
    measured: Measured
    printed: str


class CaseServer:
    """A server process.

    Parameters
    ----------
    modules : A file with the names of modules, which the server imports before the first case and adds to.
    max_seconds : After these a case is killed.
    """

    def __init__(self, modules: Path, max_seconds: float = MAX_WORK_SECONDS) -> None:
        self.max_seconds = max_seconds
        has_rights = os.geteuid() == 0 and shutil.which(DROPPED_RIGHTS[0])
        command = [sys.executable, "-m", "benchmarks.faults.case_server", str(modules.absolute())]
        self.process = subprocess.Popen(
            [*(DROPPED_RIGHTS if has_rights else ()), *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | VARIABLES,
        )

    def run(self, case: Case, is_warm_up: bool = False) -> Measured:
        """Run a case and return how it ended."""
        request: dict[str, Any] = {
            "folder": str(case.folder.absolute()),
            "arguments": case.arguments,
            "seconds": self.max_seconds,
            "is_warm_up": is_warm_up,
        }
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        print(json.dumps(request), file=self.process.stdin, flush=True)
        answer = self.process.stdout.readline()
        if not answer:
            raise RuntimeError(f"the server that ran {case.arguments} in {case.folder} has died")
        return Measured(**json.loads(answer))

    def close(self) -> None:
        """End the server."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()


def judge_case(case: Case, measured: Measured, undamaged: Measured | None = None) -> Verdict:
    """Say how a case ended and what is wrong with that, beside what the command takes for the undamaged files."""
    screen, errors = (_read_text(case.folder / name) for name in (SCREEN, ERRORS))
    problems = []
    outcome = EXIT_CODES.get(measured.exit_code, f"exit code {measured.exit_code}")
    # Once a plan has been accepted, its networks are built and timed: they may be of any size.
    is_being_timed = case.command == "plan" and TO_TRAIN in screen and measured.exit_code != 2
    if is_being_timed and measured.exit_code not in EXIT_CODES:
        return Verdict("accepted, too large to time", [], measured, screen + errors)
    # The harness ends what takes too much memory, and a module of the user's takes what its sizes ask for when it is
    # tried on a few examples.
    if measured.exit_code == -signal.SIGKILL and any(name in errors for name in TRIED_MODULE):
        return Verdict("too large a module", [], measured, screen + errors)
    if measured.is_killed:
        outcome = "killed"
        problems.append(f"hang: killed after {measured.seconds:.1f} s")
    elif measured.exit_code not in EXIT_CODES:
        problems.append(f"ended with exit code {measured.exit_code}")
    has_time_to_work = case.is_working and measured.exit_code != 2
    max_seconds = MAX_SECONDS + (undamaged.seconds if undamaged else 0.0)
    if not measured.is_killed and not has_time_to_work and measured.seconds > max_seconds:
        problems.append(f"slow: {measured.seconds:.1f} s")
    if not is_being_timed and measured.megabytes > MAX_MEGABYTES + (undamaged.megabytes if undamaged else 0.0):
        problems.append(f"memory: {measured.megabytes:.0f} MB")
    if "Traceback (most recent call last)" in errors + screen:
        problems.append(f"traceback: {_name_error(errors)}")
    elif measured.exit_code in (1, 2):
        problems += _judge_message(errors)
    if RAW_EXCEPTION.search(errors):
        problems.append(f"raw exception: {RAW_EXCEPTION.search(errors)[0]}")  # type: ignore[index]
    if PYTHON_WARNING.search(errors):
        problems.append(f"Python's warning: {PYTHON_WARNING.search(errors)[0]}")  # type: ignore[index]
    return Verdict(outcome, problems, measured, screen + errors)


def _judge_message(errors: str) -> list[str]:
    """Say what is wrong with the message of a command that failed."""
    lines = [line for line in errors.splitlines() if line.strip() and not line.startswith("Sweep file:")]
    if not lines:
        return ["no message"]
    if len(lines) > MAX_MESSAGE_LINES:
        return [f"a message of {len(lines)} lines"]
    return []


def _name_error(text: str) -> str:
    """Return the line of the last traceback that names the error."""
    lines = text.rpartition("Traceback (most recent call last)")[2].splitlines()[1:]
    return next((line[:150] for line in lines if line.strip() and not line.startswith((" ", "\t"))), "")


def _read_text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
