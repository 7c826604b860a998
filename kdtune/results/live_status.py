"""What a sweep is doing at this moment, in a small file of its folder that other processes may read.

    <name>/status.json     replaced each second or so while the sweep runs, and once when it ends

It is for people who watch. Nothing depends on it: a sweep is continued from its rows.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from kdtune.files.atomic import write_atomically

STATUS_FILE = "status.json"
STALE_SECONDS = 60.0  # A running sweep writes each second or so; one that has not for so long was killed, or hangs.

State = Literal["running", "restarting", "finished", "interrupted", "failed"]


class RunningPack(BaseModel):
    """A pack that a worker trains at this moment."""

    model_config = ConfigDict(frozen=True)

    worker: int  # the number of the worker, from 1
    n_networks: int
    what: str  # in words, as in "9 students: class_sep 1, width 16"
    since: float  # seconds since 1970, UTC, as are all times here


class Restart(BaseModel):
    """An end of Ray that the sweep mended."""

    model_config = ConfigDict(frozen=True)

    at: float
    reason: str


class LiveStatus(BaseModel):
    """What a sweep is doing, as of ``updated_at``."""

    model_config = ConfigDict(frozen=True)

    state: State
    host: str  # of the process that runs the sweep
    pid: int
    started_at: float
    updated_at: float
    n_networks: int  # of the whole sweep
    n_ready: int  # that were done before this run began
    n_done: int = 0  # of this run, as are the next three
    n_failed: int = 0  # those that were skipped included
    n_running: int = 0
    n_workers: int = 0  # 0 until they are known
    seconds_left: float | None = None  # None if it is unknown
    running: tuple[RunningPack, ...] = ()
    restarts: tuple[Restart, ...] = ()
    message: str = Field(default="", description="why the sweep ended, if it failed")


def write_status(folder: Path, status: LiveStatus) -> None:
    """Write what the sweep in a folder is doing; StorageError if the folder takes no file."""
    text = status.model_dump_json(indent=1)
    write_atomically(folder / STATUS_FILE, lambda path: path.write_text(text, encoding="utf-8"))


def read_status(folder: Path) -> LiveStatus | None:
    """Read what the sweep in a folder is doing; None if no file says so, or one of another version."""
    try:
        return LiveStatus.model_validate_json((folder / STATUS_FILE).read_bytes())
    except (OSError, ValidationError):
        return None
