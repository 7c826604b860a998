"""Keep ``status.json`` of a sweep up to date while it runs: see ``results/live_status.py``."""

from __future__ import annotations

import os
import socket
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from kdtune.columns import BASELINE, CLASS_SEP, P_INFORMATIVE, STUDENT, TEACHER
from kdtune.errors import StorageError
from kdtune.plan.network import Network, Pack
from kdtune.results.live_status import LiveStatus, Restart, RunningPack, State, write_status
from kdtune.run.listener import PackInTraining
from kdtune.run.progress import Progress
from kdtune.text import join_names, pluralize

WRITE_SECONDS = 1.0
_MODEL_WORDS = {TEACHER: "teacher", BASELINE: "baseline", STUDENT: "student"}
MAX_NAMED = 3  # values of a setting in the words for a pack


@dataclass
class StatusWriter:
    """Writes what a sweep is doing, at most once a second. A disk that takes no file is no reason to end a sweep."""

    folder: Path
    progress: Progress
    n_networks: int  # of the whole sweep
    n_ready: int  # that were done before
    n_workers: int
    started_at: float = field(default_factory=time.time)
    in_training: tuple[PackInTraining, ...] = ()  # set at each change; put into words only when it is written
    restarts: tuple[Restart, ...] = ()
    next_write: float = 0.0  # on the monotonic clock

    def add_restart(self, reason: str) -> None:
        """Note that Ray died and is started again."""
        self.in_training = ()
        self.restarts = (*self.restarts, Restart(at=time.time(), reason=reason))
        self.write("restarting")

    def write_if_due(self) -> None:
        """Write the status of a running sweep, if the last write is long enough ago."""
        if time.monotonic() >= self.next_write:
            self.write("running")

    def write(self, state: State, message: str = "") -> None:
        """Write the status now.

        Parameters
        ----------
        state : what the sweep does.
        message : why it ended, if it failed.
        """
        self.next_write = time.monotonic() + WRITE_SECONDS
        is_over = state in ("finished", "interrupted", "failed")
        running = (
            () if is_over else tuple(map(_describe_running, sorted(self.in_training, key=lambda each: each.worker)))
        )
        status = LiveStatus(
            state=state,
            host=socket.gethostname(),
            pid=os.getpid(),
            started_at=self.started_at,
            updated_at=time.time(),
            n_networks=self.n_networks,
            n_ready=self.n_ready,
            n_done=self.progress.n_done,
            n_failed=self.progress.n_failed,
            n_running=sum(each.n_networks for each in running),
            n_workers=self.n_workers,
            seconds_left=None if is_over else self.progress.time_left.estimate_seconds(),
            running=running,
            restarts=self.restarts,
            message=message,
        )
        with suppress(StorageError):
            write_status(self.folder, status)


def _describe_running(running: PackInTraining) -> RunningPack:
    pack = running.pack
    return RunningPack(
        worker=running.worker, n_networks=len(pack.networks), what=describe_pack(pack), since=running.since
    )


def describe_pack(pack: Pack) -> str:
    """Say in words what a pack trains, as in "9 students: mlp 20-20; T = 2 to 20; class_sep 0.2 (draw 1)"."""
    counts = Counter(network.model for network in pack.networks)
    what = ", ".join(pluralize(count, _MODEL_WORDS[model]) for model, count in counts.items())
    shapes = list(dict.fromkeys(_describe_shape(network) for network in pack.networks))
    temperatures = sorted({network.distill.T for network in pack.networks if network.distill is not None})
    parts = [join_names(shapes, max_names=MAX_NAMED)]
    if temperatures:
        low, high = f"{temperatures[0]:g}", f"{temperatures[-1]:g}"
        parts.append(f"T = {low}" if low == high else f"T = {low} to {high}")
    return f"{what}: {'; '.join([*parts, _describe_data(pack)])}"


def _describe_shape(network: Network) -> str:
    columns = network.shape.to_columns()
    hidden = columns.get("hidden")
    return f"{columns['architecture']} {hidden}" if hidden else str(columns["architecture"])


def _describe_data(pack: Pack) -> str:
    """Return the data sets of a pack, each with its draws."""
    draws_by_name: dict[str, set[int]] = {}
    for network in pack.networks:
        columns = network.data.settings.to_columns()
        settings = [f"{name} {columns[name]:g}" for name in (CLASS_SEP, P_INFORMATIVE) if columns.get(name) is not None]
        name = ", ".join(settings) or network.data.settings.dataset_name
        draws_by_name.setdefault(name, set()).add(network.data.draw)
    names = []
    for name, draws in draws_by_name.items():
        numbers = join_names([str(draw) for draw in sorted(draws)], max_names=MAX_NAMED)
        names.append(f"{name} ({'draw' if len(draws) == 1 else 'draws'} {numbers})")
    return join_names(names, max_names=MAX_NAMED)
