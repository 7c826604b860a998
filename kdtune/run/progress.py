"""Show the progress of a sweep: as a bar in a terminal or a notebook, as plain lines elsewhere."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta

import pyarrow as pa
import pyarrow.compute as pc
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar

from kdtune.columns import ACCURACY, DONE, ID, REPLICATE, STATUS, TEACHER, VAL_ACCURACY
from kdtune.plan.network import Pack
from kdtune.plan.network_types import NetworkTypes
from kdtune.plan.plan import Plan
from kdtune.plan.training_time import estimate_stacked_seconds
from kdtune.run.time_left import TimeLeft
from kdtune.text import pluralize

USER_KINDS = ("logits", "probabilities", "sklearn", "python")  # of teachers, which users bring
LINE_SECONDS = 10.0  # between two plain lines


class Progress:
    """Counts networks as packs start and finish, and shows the counts; silent without a console."""

    def __init__(self, console: Console | None) -> None:
        self.console = console
        self.n_networks = 0
        self.n_done = 0
        self.n_failed = 0  # skipped ones included
        self.n_running = 0
        self.unreported_teachers: dict[str, str] = {}  # names of the user's teachers by id, until one was reported
        self.time_left = TimeLeft({})
        self.started_at = time.monotonic()
        self.bar: Bar | None = None

    def say(self, text: str) -> None:
        """Print a line."""
        if self.console:
            self.console.print(escape(text), soft_wrap=True, highlight=False)

    def describe_plan(self, plan: Plan, warnings: Sequence[str]) -> None:
        """Print warnings, how many networks are done already, and how many there are to train."""
        for warning in warnings:
            self.say(f"warning: {warning}")
        if plan.skipped:
            self.say(f"{len(plan.skipped)} networks are skipped: their teachers diverged.")
        n_to_train = len(plan.networks_to_train)
        n_ready = len(plan.networks) - n_to_train - len(plan.skipped)
        done_text = f"{n_ready} of {len(plan.networks)} networks are done already"
        if n_to_train == 0:
            self.say(f"{done_text}; nothing to train.")
        elif n_ready > 0:
            self.say(f"{done_text}; {n_to_train} to train.")

    @contextmanager
    def show_training(self, plan: Plan, workers: int, is_in_process: bool = False) -> Iterator[None]:
        """Show the progress while packs run, on workers or one after the other in this process."""
        types = NetworkTypes()
        self.time_left = TimeLeft(
            {network.id: estimate_stacked_seconds(types.find(network)) for network in plan.networks_to_train}
        )
        self.unreported_teachers = _name_teachers(plan)
        self.n_networks = len(plan.networks_to_train)
        self.started_at = time.monotonic()
        place = "in this process" if is_in_process else f"on {pluralize(workers, 'worker')}"
        self.say(f"Training {pluralize(self.n_networks, 'network')} in {pluralize(len(plan.packs), 'pack')} {place}.")
        if self.console and (self.console.is_terminal or self.console.is_jupyter):
            with self._show_bar(self.console):
                yield
        else:
            with self._print_lines():
                yield

    def set_workers(self, workers: int) -> None:
        """Say that the cluster has room for so many workers now."""
        self.say(f"The cluster has room for {pluralize(workers, 'worker')} now.{'' if workers else ' Waiting.'}")

    def set_running(self, packs: Sequence[Pack]) -> None:
        """Show that the networks of these packs are trained now."""
        self.n_running = sum(len(pack.networks) for pack in packs)
        self.time_left.set_running(packs)
        self._update_bar()

    def add_finished(self, rows: pa.Table) -> None:
        """Count the networks of these rows as done or failed."""
        for network_id, status in zip(rows[ID].to_pylist(), rows[STATUS].to_pylist(), strict=True):
            if status == DONE:
                self.n_done += 1
                self._report_teacher(rows, network_id)
            else:
                self.n_failed += 1
        self.time_left.finish(rows[ID].to_pylist())
        self._update_bar()

    def _report_teacher(self, rows: pa.Table, network_id: str) -> None:
        """Print the errors of a teacher of the user's, of the first of its kind: a wrong one is better seen early."""
        name = self.unreported_teachers.get(network_id)
        if name is None:
            return
        row = rows.filter(pc.equal(rows[ID], network_id)).to_pylist()[0]
        has_replicates = any(other == name for id, other in self.unreported_teachers.items() if id != network_id)
        replicate = f", in replicate {row[REPLICATE]}" if has_replicates else ""
        self.unreported_teachers = {id: other for id, other in self.unreported_teachers.items() if other != name}
        self.say(
            f"{name} makes {1 - row[VAL_ACCURACY]:.1%} errors on the validation split and {1 - row[ACCURACY]:.1%} on "
            f"the test split{replicate}."
        )

    def report_crash(self, pack: Pack, crashes: int, memory: str) -> None:
        """Print that a pack's worker died, at how much memory in use, and that the pack is tried again."""
        networks = pluralize(len(pack.networks), "network")
        self.say(f"A worker died{memory}. Trying its {networks} again (crash {crashes} of pack {pack.id}).")

    # --- a bar ------------------------------------------------------------------------------------

    @contextmanager
    def _show_bar(self, console: Console) -> Iterator[None]:
        columns = [
            BarColumn(bar_width=None),
            MofNCompleteColumn(),
            TextColumn("{task.fields[counts]}"),
            TimeElapsedColumn(),
            TextColumn("{task.fields[time_left]}"),
        ]
        self.bar = Bar(*columns, console=console, expand=True, transient=True)
        with self.bar:
            self.bar_task = self.bar.add_task("", total=self.n_networks, counts="", time_left="")
            yield

    def _update_bar(self) -> None:
        if self.bar:
            self.bar.update(
                self.bar_task,
                completed=self.n_done + self.n_failed,
                counts=self._format_counts(),
                time_left=self._format_time_left(),
            )

    # --- plain lines ------------------------------------------------------------------------------

    @contextmanager
    def _print_lines(self) -> Iterator[None]:
        """Print a line every few seconds, and one at the end."""
        stop = threading.Event()

        def print_until_stopped() -> None:
            while not stop.wait(LINE_SECONDS):
                self._print_line()

        printer = threading.Thread(target=print_until_stopped, daemon=True)
        printer.start()
        try:
            yield
        finally:
            stop.set()
            printer.join()
            self._print_line()

    def _print_line(self) -> None:
        elapsed = timedelta(seconds=round(time.monotonic() - self.started_at))
        line = f"{elapsed}  {self.n_done:,} of {self.n_networks:,} networks {self._format_counts()}"
        time_left = self._format_time_left()
        self.say(f"{line}, {time_left}" if time_left else line)

    # --- words for both ---------------------------------------------------------------------------

    def _format_counts(self) -> str:
        """Return what follows the number of networks: ``done, 2 failed, 9 running``."""
        words = ["done"]
        if self.n_failed:
            words.append(f"{self.n_failed:,} failed")
        if self.n_running:
            words.append(f"{self.n_running:,} running")
        return ", ".join(words)

    def _format_time_left(self) -> str:
        """Return the time left; empty at the end."""
        if self.n_done + self.n_failed == self.n_networks:
            return ""
        seconds = self.time_left.estimate_seconds()
        return "time left unknown yet" if seconds is None else f"about {_format_roughly(seconds)} left"


def _format_roughly(seconds: float) -> str:
    """Return a duration that is only an estimate, in its largest fitting unit: 90 s, 25 min, 30 h."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    if seconds < 100 * 60:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:,.0f} h"


def _name_teachers(plan: Plan) -> dict[str, str]:
    """Return what the teachers of the user's that are to be trained are called in messages, by id."""
    return {
        network.id: f"{network.data.settings.dataset_name}: the teacher ({network.shape.to_columns()['architecture']})"
        for network in plan.networks_to_train
        if network.model == TEACHER and network.shape.kind in USER_KINDS
    }
