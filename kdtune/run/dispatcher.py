"""Dependencies between trials, which Ray Tune does not have: a search algorithm that hands out packs.

Tune asks its search algorithm for the configuration of each next trial. ``Dispatcher`` answers with a
pack whose teachers are trained, with "nothing yet" while every remaining pack waits for a teacher, and with
"finished" once every pack is done. Tune reports how each trial ended:

- The pack was trained, or failed with an error: its rows are in the results folder and are read there.
  Teachers that are done release the packs of their students; the students of one that failed are skipped.
- Its worker crashed: the pack is handed out again as a new trial, up to ``retries`` times in all. Tune itself
  retries only trials whose machine was taken away with notice (a preemption); these count as no crash.
- The results folder took no more rows: no more packs are handed out, and ``StopOnFatalError`` ends the
  trials that run.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import pyarrow as pa
from ray import tune
from ray.tune.search import Searcher

from kdtune.columns import DONE, ERROR, ID, STATUS, TEACHER
from kdtune.errors import StorageError, SweepError
from kdtune.plan.identity import hash_text
from kdtune.plan.network import Pack
from kdtune.plan.ready_queue import ReadyQueue
from kdtune.results.store import MAX_PARTS, Store
from kdtune.run.ray_output import read_crash_reason
from kdtune.run.trainable import FAILED_TEACHERS, PACK_ID, STORAGE_ERROR
from kdtune.run.worker_options import WorkerOptions
from kdtune.text import pluralize
from kdtune.train.rows import make_failed_row, make_skipped_row


class Listener(Protocol):
    """Receives the events of a run, in the thread that runs it."""

    def on_pack_started(self, pack: Pack) -> None:
        """Handle that a pack is handed to a worker for the first time."""

    def on_rows_finished(self, rows: pa.Table) -> None:
        """Handle rows that are on disk now: trained, failed or skipped."""

    def on_pack_crashed(self, pack: Pack, crashes: int) -> None:
        """Handle that a pack's worker has died for the ``crashes``-th time; the pack is tried again."""

    def on_tick(self) -> None:
        """Handle that time has passed; called several times per second while packs run."""


class Dispatcher(Searcher):
    """Suggests packs in the ready queue's order, never more at a time than there are workers."""

    def __init__(self, packs: list[Pack], store: Store, options: WorkerOptions, listener: Listener) -> None:
        super().__init__()
        self.store = store
        self.options = options
        self.listener = listener
        self.ready_queue = ReadyQueue(packs)
        self.planned_pack_by_network_id = {network.id: pack for pack in packs for network in pack.networks}
        self.running_packs: dict[str, Pack] = {}  # by the id of the trial
        self.crashes: Counter[str] = Counter()  # by the id of the pack
        self.parts_to_compact: list[str] = []  # ids of parts that were read and are not compacted yet
        self.fatal_error: Exception | None = None  # why the sweep must end

    @property
    def is_finished(self) -> bool:
        """Whether every pack was handed out, and all trials have ended."""
        return self.ready_queue.is_empty and not self.running_packs

    # --- what Tune asks ---------------------------------------------------------------------------

    def suggest(self, trial_id: str) -> Any:
        """Return the configuration of the next trial, None to be asked again later, or ``FINISHED``."""
        if self.fatal_error is not None:
            return Searcher.FINISHED
        if self.is_finished:
            return Searcher.FINISHED
        if len(self.running_packs) >= self.options.workers:
            return None
        pack = self.ready_queue.pop()
        if pack is None:
            return None
        self.running_packs[trial_id] = pack
        if self.crashes[pack.id] == 0:
            with self._record_fatal_error():
                self.listener.on_pack_started(pack)
        # Workers hold the packs as planned. If a teacher failed, `pack` is the planned pack without its
        # students: name the planned pack and the failed teachers.
        planned_pack = self.planned_pack_by_network_id[pack.networks[0].id]
        return {PACK_ID: planned_pack.id, FAILED_TEACHERS: sorted(planned_pack.teacher_ids - pack.teacher_ids)}

    # --- what Tune reports ------------------------------------------------------------------------

    def on_trial_complete(self, trial_id: str, result: Any = None, error: bool = False) -> None:
        """Collect the rows of a trial that ended.

        If the trial failed, Tune calls ``DispatcherCallback.on_trial_error`` next, which also knows why.
        """
        if error:
            return
        pack = self.running_packs.pop(trial_id)
        if self.fatal_error is not None:
            return  # the trial was stopped, not finished
        with self._record_fatal_error():
            if not result:  # It ended before its first result, and Tune does not say why.
                self._requeue_or_fail(pack, reason="")
            elif STORAGE_ERROR in result:
                self.fatal_error = StorageError(result[STORAGE_ERROR])
            else:
                self._collect_rows(pack)

    def on_trial_crash(self, trial_id: str, reason: str) -> None:
        """Requeue the pack of a trial whose worker died, or write failed rows if that was too often."""
        pack = self.running_packs.pop(trial_id)
        if self.fatal_error is not None:
            return
        with self._record_fatal_error():
            self._requeue_or_fail(pack, reason)

    def on_step_end(self) -> None:
        """Give the listener an opportunity to do what is due by the clock."""
        if self.fatal_error is not None:
            return  # a full disk takes no table either
        with self._record_fatal_error():
            self.listener.on_tick()

    @contextmanager
    def _record_fatal_error(self) -> Iterator[None]:
        """Keep an error that ends the sweep, for ``run_packs`` to raise: Tune would log it and go on."""
        try:
            yield
        except Exception as error:
            if self.fatal_error is None:
                self.fatal_error = error

    def _requeue_or_fail(self, pack: Pack, reason: str) -> None:
        """Count a crash; requeue the pack if it may be tried again, else write failed rows for its networks."""
        self.crashes[pack.id] += 1
        crashes = self.crashes[pack.id]
        if crashes <= self.options.retries:
            self.listener.on_pack_crashed(pack, crashes)
            self.ready_queue.requeue(pack)
            return
        message = f"its worker crashed {pluralize(crashes, 'time')}"
        if reason:
            message = f"{message}: {reason}"
        self.store.write_part(pack.id, [make_failed_row(network, message) for network in pack.networks])
        self._collect_rows(pack)

    def _collect_rows(self, pack: Pack) -> None:
        """Read a pack's rows, pass them on, and let its teachers' students start or be skipped."""
        rows = self._read_part(pack.id)
        row_of_network = {row[ID]: row for row in rows.select([ID, STATUS, ERROR]).to_pylist()}
        for network in pack.networks:
            if network.id not in row_of_network:
                raise SweepError(f"a worker's rows are incomplete: pack {pack.id} has no row of network {network.id}")
        self.listener.on_rows_finished(rows)
        self._compact_later(pack.id)
        for network in pack.networks:
            if network.model != TEACHER:
                continue
            row = row_of_network[network.id]
            if row[STATUS] == DONE:
                self.ready_queue.mark_trained(network.id)
            else:
                self._skip_students(network.id, row[ERROR])

    def _skip_students(self, teacher_id: str, reason: str) -> None:
        """Write skipped rows for the students of a teacher that failed for good."""
        students = self.ready_queue.mark_failed(teacher_id)
        if not students:
            return
        part_id = hash_text(f"skipped|{teacher_id}")
        self.store.write_part(part_id, [make_skipped_row(network, reason) for network in students])
        self.listener.on_rows_finished(self._read_part(part_id))
        self._compact_later(part_id)

    def _compact_later(self, part_id: str) -> None:
        """Compact the parts that were read, once there are many."""
        self.parts_to_compact.append(part_id)
        if len(self.parts_to_compact) >= MAX_PARTS:
            self.store.compact_packs(self.parts_to_compact)
            self.parts_to_compact = []

    def _read_part(self, part_id: str) -> pa.Table:
        """Read rows that were just written; SweepError if they cannot be read."""
        try:
            return self.store.read_part(part_id)
        except ValueError as error:
            raise SweepError(
                f"rows that were just written cannot be read: {error}; "
                f"every worker must see the folder {self.store.root}"
            ) from error

    # --- what Tune would save ---------------------------------------------------------------------
    # Tune saves its search algorithm for a restore. A sweep is continued without one: networks that are done
    # are not planned again.

    def __getstate__(self) -> dict[str, Any]:
        return {}

    def save(self, checkpoint_path: str) -> None:
        """Save nothing."""

    def restore(self, checkpoint_path: str) -> None:
        """Restore nothing, as nothing was saved."""


class DispatcherCallback(tune.Callback):
    """Reports to the dispatcher what Tune tells its callbacks but not its search algorithm."""

    def __init__(self, dispatcher: Dispatcher) -> None:
        self.dispatcher = dispatcher

    def on_trial_error(self, iteration: int, trials: Any, trial: Any, **info: Any) -> None:
        """Report that a trial's worker died, and why."""
        self.dispatcher.on_trial_crash(trial.trial_id, read_crash_reason(trial.error_file))

    def on_step_end(self, iteration: int, trials: Any, **info: Any) -> None:
        """Report that a step of Tune's loop has ended; it takes a tenth of a second if nothing happens."""
        self.dispatcher.on_step_end()


class StopOnFatalError(tune.Stopper):
    """Ends all trials once the dispatcher has a fatal error."""

    def __init__(self, dispatcher: Dispatcher) -> None:
        self.dispatcher = dispatcher

    def __call__(self, trial_id: str, result: Any) -> bool:
        """Return False: no single trial ends because of its result."""
        return False

    def stop_all(self) -> bool:
        """Return whether all trials are to end."""
        return self.dispatcher.fatal_error is not None
