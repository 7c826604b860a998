"""What a sweep shows while it runs: a bar in a terminal or a notebook, plain lines elsewhere."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pyarrow as pa
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar

from kdtune.columns import DONE, ID, SKIPPED, STATUS
from kdtune.plan.network import Pack
from kdtune.plan.plan import Plan
from kdtune.results.store import Store
from kdtune.text import plural

LINE_SECONDS = 10.0  # between plain lines


class Progress:
    """Counts networks as packs start and finish; silent without a console."""

    def __init__(self, console: Console | None) -> None:
        self.console = console
        self.total = self.done = self.failed = self.in_flight = 0
        self.work = self.work_done = 0
        self.sizes: dict[str, int] = {}  # work of each network still to train
        self.started_at = time.monotonic()
        self.bar: Bar | None = None

    def say(self, text: str) -> None:
        if self.console:
            self.console.print(escape(text), soft_wrap=True, highlight=False)

    def begin(self, plan: Plan, store: Store) -> None:
        """Say what there is to do and what was found."""
        for warning in store.warnings:
            self.say(f"warning: {warning}")
        ready = len(plan.networks) - len({network.id for network in plan.missing_networks}) - len(plan.skipped)
        if plan.skipped:
            self.say(f"{len(plan.skipped)} networks are skipped: their teachers diverged.")
        if not plan.packs:
            self.say(f"{ready} of {len(plan.networks)} networks are done already; nothing to train.")
        elif ready:
            self.say(
                f"{ready} of {len(plan.networks)} networks are done already; {len(plan.missing_networks)} to train."
            )

    @contextmanager
    def running(self, plan: Plan, workers: int) -> Iterator[None]:
        """Show progress for as long as packs run."""
        self.sizes = {network.id: network.work for network in plan.missing_networks}
        self.total, self.work = len(self.sizes), sum(self.sizes.values())
        self.started_at = time.monotonic()
        self.say(
            f"Training {plural(self.total, 'network')} in {plural(len(plan.packs), 'pack')} "
            f"on {plural(workers, 'worker')}."
        )
        if self.console and (self.console.is_terminal or self.console.is_jupyter):
            columns = [
                BarColumn(bar_width=None),
                MofNCompleteColumn(),
                TextColumn("{task.fields[state]}"),
                TimeElapsedColumn(),
                TextColumn("{task.fields[left]}"),
            ]
            with Bar(*columns, console=self.console, expand=True, transient=True) as self.bar:
                self.task = self.bar.add_task("", total=self.total, state="", left="")
                yield
        else:
            stop = threading.Event()
            ticker = threading.Thread(target=self._tick, args=(stop,), daemon=True)
            ticker.start()
            try:
                yield
            finally:
                stop.set()
                ticker.join()
                self._line()

    def started(self, pack: Pack) -> None:
        self.in_flight += len(pack.networks)
        self._show()

    def crashed(self, pack: Pack, times: int) -> None:
        self.say(
            f"A worker died with pack {pack.id} ({plural(len(pack.networks), 'network')}); "
            f"crash {times} of it, trying again."
        )

    def finished(self, rows: pa.Table) -> None:
        for name, status in zip(rows[ID].to_pylist(), rows[STATUS].to_pylist(), strict=True):
            self.in_flight -= status != SKIPPED
            self.done += status == DONE
            self.failed += status != DONE
            self.work_done += self.sizes.pop(name, 0)
        self._show()

    def _state(self) -> str:
        failed = f", {self.failed} failed" if self.failed else ""
        return f"done{failed}, {self.in_flight} running"

    def _left(self) -> str:
        """Time left at the pace so far, in work rather than networks."""
        if not self.work_done:
            return "time left unknown yet"
        elapsed = time.monotonic() - self.started_at
        left = elapsed * (self.work - self.work_done) / self.work_done
        return f"about {timedelta(seconds=round(left))} left"

    def _show(self) -> None:
        if self.bar:
            self.bar.update(self.task, completed=self.done + self.failed, state=self._state(), left=self._left())

    def _tick(self, stop: threading.Event) -> None:
        while not stop.wait(LINE_SECONDS):
            self._line()

    def _line(self) -> None:
        elapsed = timedelta(seconds=round(time.monotonic() - self.started_at))
        self.say(f"{elapsed} {self.done} of {self.total} networks {self._state()}, {self._left()}")
