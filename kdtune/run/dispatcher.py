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
from typing import Any

from ray import tune
from ray.tune.search import Searcher

from kdtune.errors import StorageError
from kdtune.plan.network import Pack
from kdtune.plan.ready_queue import ReadyQueue
from kdtune.results.store import Store
from kdtune.run.listener import Listener
from kdtune.run.ray_output import read_crash_reason
from kdtune.run.row_collector import RowCollector
from kdtune.run.trainable import FAILED_TEACHERS, PACK_ID, STORAGE_ERROR
from kdtune.run.worker_options import WorkerOptions
from kdtune.text import pluralize
from kdtune.train.rows import make_failed_row


class Dispatcher(Searcher):
    """Suggests packs in the ready queue's order, never more at a time than there are workers."""

    def __init__(self, packs: list[Pack], store: Store, options: WorkerOptions, listener: Listener) -> None:
        super().__init__()
        self.store = store
        self.options = options
        self.listener = listener
        self.ready_queue = ReadyQueue(packs)
        self.collector = RowCollector(store, self.ready_queue, listener)
        self.planned_pack_by_network_id = {network.id: pack for pack in packs for network in pack.networks}
        self.running_packs: dict[str, Pack] = {}  # by the id of the trial
        self.crashes: Counter[str] = Counter()  # by the id of the pack
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
                self.collector.collect(pack)

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
        self.collector.collect(pack)

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
