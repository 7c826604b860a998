"""Dependencies between trials, which Ray Tune does not have: a search algorithm that hands out packs as ordered.

Tune asks its search algorithm for the configuration of each next trial. ``Dispatcher`` answers with the next pack that
the supervisor has ordered, with "nothing yet" while there is none, and with "finished" once the supervisor says so.
Tune tells the dispatcher how each trial ended, and the dispatcher reports it to the supervisor, which decides what
follows. Tune itself retries only trials whose machine was taken away with notice (a preemption).
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import Any

from ray import tune
from ray.tune.search import Searcher

from kdtune.run.ray_messages import Crashed, Ended, Finish, FromRay, Order, Started, Tick
from kdtune.run.ray_output import read_crash_reason
from kdtune.run.trainable import FAILED_TEACHERS, PACK_ID, STORAGE_ERROR

TICK_SECONDS = 1.0


class Dispatcher(Searcher):
    """Suggests packs as they are ordered, never more at a time than there are workers.

    Parameters
    ----------
    workers : the number of workers.
    orders : the supervisor's orders, to which another thread appends.
    report : tells the supervisor.
    """

    def __init__(self, workers: int, orders: deque[Order | Finish], report: Callable[[FromRay], None]) -> None:
        super().__init__()
        self.workers = workers
        self.orders = orders
        self.report = report
        self.running_packs: dict[str, str] = {}  # the id of the pack by that of the trial
        self.next_tick = 0.0  # on the monotonic clock

    # --- what Tune asks ---------------------------------------------------------------------------

    def suggest(self, trial_id: str) -> Any:
        """Return the configuration of the next trial, None to be asked again later, or ``FINISHED``."""
        if not self.orders or len(self.running_packs) >= self.workers:
            return None
        order = self.orders[0]
        if isinstance(order, Finish):
            return None if self.running_packs else Searcher.FINISHED
        self.orders.popleft()
        self.running_packs[trial_id] = order.pack_id
        self.report(Started(order.pack_id))
        return {PACK_ID: order.pack_id, FAILED_TEACHERS: list(order.failed_teachers)}

    # --- what Tune reports ------------------------------------------------------------------------

    def on_trial_complete(self, trial_id: str, result: Any = None, error: bool = False) -> None:
        """Report a trial that ended.

        If the trial failed, Tune calls ``DispatcherCallback.on_trial_error`` next, which also knows why.
        """
        if error:
            return
        pack_id = self.running_packs.pop(trial_id)
        if not result:  # It ended before its first result, and Tune does not say why.
            self.report(Crashed(pack_id, reason=""))
        else:
            self.report(Ended(pack_id, result.get(STORAGE_ERROR)))

    def on_trial_crash(self, trial_id: str, reason: str) -> None:
        """Report a trial whose worker died."""
        self.report(Crashed(self.running_packs.pop(trial_id), reason))

    def on_step_end(self) -> None:
        """Report each second that Tune's loop goes on."""
        now = time.monotonic()
        if now >= self.next_tick:
            self.next_tick = now + TICK_SECONDS
            self.report(Tick())

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
