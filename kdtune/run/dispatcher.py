"""Dependencies between trials, which Ray Tune does not have: a search algorithm that hands out packs.

Tune asks its search algorithm for the configuration of each next trial. ``Dispatcher`` answers with a
pack whose teachers are trained, with "nothing yet" while all that is left waits for a teacher, and with
"finished" once every pack is done. Tune tells it how each trial ended:

- The pack was trained, or failed with an error: its rows lie in the results folder and are read there.
  Teachers that are done release the packs of their students; the students of one that failed are skipped.
- Its worker crashed: Tune restarts the trial, up to ``retries`` times (``CrashCounter`` hears of it).
  A trial that Tune gives up before is handed out again by the dispatcher.
- The results folder took no more: no more packs are handed out, and ``StopOnFatalError`` ends the rest.
"""

from __future__ import annotations

from collections import Counter
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
from kdtune.run.trainable import FAILED_TEACHERS, PACK_ID, STORAGE_ERROR
from kdtune.run.worker_options import WorkerOptions
from kdtune.train.rows import make_failed_row, make_skipped_row


class Listener(Protocol):
    """Whoever is told what happens to packs, as it happens."""

    def on_pack_started(self, pack: Pack) -> None:
        """Hear that a pack is handed to a worker for the first time."""

    def on_rows_finished(self, rows: pa.Table) -> None:
        """Hear of rows that are on disk now: trained, failed or skipped."""

    def on_pack_crashed(self, pack: Pack, crashes: int) -> None:
        """Hear that a pack's worker died, and for which time; the pack is tried again."""


class Dispatcher(Searcher):
    """Suggests packs in the ready queue's order, never more at a time than there are workers."""

    def __init__(self, packs: list[Pack], store: Store, options: WorkerOptions, listener: Listener) -> None:
        super().__init__()
        self.store = store
        self.options = options
        self.listener = listener
        self.ready_queue = ReadyQueue(packs)
        self.full_pack_of_network = {network.id: pack for pack in packs for network in pack.networks}
        self.running_packs: dict[str, Pack] = {}  # by the id of the trial
        self.crashes: Counter[str] = Counter()  # by the id of the pack
        self.parts_to_compact: list[str] = []  # ids of packs whose part files were read and not yet compacted
        self.fatal_error: SweepError | None = None  # why nothing more can be stored

    # --- what Tune asks ---------------------------------------------------------------------------

    def suggest(self, trial_id: str) -> Any:
        """Return the configuration of the next trial, None to be asked again later, or ``FINISHED``."""
        if self.fatal_error is not None:
            return Searcher.FINISHED
        if self.ready_queue.is_empty and not self.running_packs:
            return Searcher.FINISHED
        if len(self.running_packs) >= self.options.workers:
            return None
        pack = self.ready_queue.pop()
        if pack is None:
            return None
        self.running_packs[trial_id] = pack
        if self.crashes[pack.id] == 0:
            self.listener.on_pack_started(pack)
        # The workers know the packs of the plan. Of such a pack, this one may be what a failed teacher left.
        full_pack = self.full_pack_of_network[pack.networks[0].id]
        return {PACK_ID: full_pack.id, FAILED_TEACHERS: sorted(full_pack.teacher_ids - pack.teacher_ids)}

    # --- what Tune tells --------------------------------------------------------------------------

    def on_trial_complete(self, trial_id: str, result: Any = None, error: bool = False) -> None:
        """Collect the rows of a trial that ended, whichever way it did."""
        pack = self.running_packs.pop(trial_id)
        if self.fatal_error is not None:
            return  # the trial was stopped, not finished
        try:
            if error or not result:
                self._retry_or_fail(pack)
            elif STORAGE_ERROR in result:
                raise StorageError(result[STORAGE_ERROR])
            else:
                self._collect_rows(pack)
        except SweepError as problem:
            self.fatal_error = problem
        except ValueError as problem:
            self.fatal_error = SweepError(
                f"a worker's rows cannot be read: {problem}; every worker must see the folder {self.store.root}"
            )

    def count_crash(self, pack: Pack) -> bool:
        """Count a crash of a pack's worker; return whether the pack is tried again."""
        self.crashes[pack.id] += 1
        if self.crashes[pack.id] > self.options.retries:
            return False
        self.listener.on_pack_crashed(pack, self.crashes[pack.id])
        return True

    def _retry_or_fail(self, pack: Pack) -> None:
        # Tune gives up a trial whose worker died between two packs, without a retry: that is not the pack's fault.
        if self.count_crash(pack):
            self.ready_queue.requeue(pack)
            return
        reason = f"its worker crashed {self.crashes[pack.id]} times"
        self.store.write_part(pack.id, [make_failed_row(network, reason) for network in pack.networks])
        self._collect_rows(pack)

    def _collect_rows(self, pack: Pack) -> None:
        """Read a pack's rows, pass them on, and let its teachers' students start or be skipped."""
        rows = self.store.read_part(pack.id)
        self.listener.on_rows_finished(rows)
        self.parts_to_compact.append(pack.id)
        if len(self.parts_to_compact) >= MAX_PARTS:
            self.store.compact_packs(self.parts_to_compact)
            self.parts_to_compact = []
        row_of_network = {row[ID]: row for row in rows.select([ID, STATUS, ERROR]).to_pylist()}
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
        part = hash_text(f"skipped|{teacher_id}")
        self.store.write_part(part, [make_skipped_row(network, reason) for network in students])
        self.listener.on_rows_finished(self.store.read_part(part))

    # --- what Tune would save ---------------------------------------------------------------------
    # Tune saves its search algorithm for a restore. Nothing needs that: what is done is not planned again.

    def __getstate__(self) -> dict[str, Any]:
        return {}

    def save(self, checkpoint_path: str) -> None:
        """Save nothing."""

    def restore(self, checkpoint_path: str) -> None:
        """Restore nothing, as nothing was saved."""


class CrashCounter(tune.Callback):
    """Tells the dispatcher of crashes after which Tune itself tries a trial again."""

    def __init__(self, dispatcher: Dispatcher) -> None:
        self.dispatcher = dispatcher

    def on_trial_recover(self, iteration: int, trials: Any, trial: Any, **info: Any) -> None:
        """Count the crash of a trial's worker."""
        pack = self.dispatcher.running_packs.get(trial.trial_id)
        if pack is not None:
            self.dispatcher.count_crash(pack)


class StopOnFatalError(tune.Stopper):
    """Ends all trials once nothing more can be stored."""

    def __init__(self, dispatcher: Dispatcher) -> None:
        self.dispatcher = dispatcher

    def __call__(self, trial_id: str, result: Any) -> bool:
        """Return that no single trial is to end by itself."""
        return False

    def stop_all(self) -> bool:
        """Return whether all trials are to end."""
        return self.dispatcher.fatal_error is not None
