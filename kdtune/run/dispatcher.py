"""Dependencies between trials, which Ray Tune does not have: a search algorithm that hands out packs as ordered.

Tune asks its search algorithm for the configuration of each next trial. ``Dispatcher`` answers with the next pack that
the supervisor has ordered, with "nothing yet" while there is none, and with "finished" once the supervisor says so.
Tune tells the dispatcher how each trial ended, and the dispatcher reports it to the supervisor, which decides what
follows. Tune itself retries only trials whose machine was taken away with notice (a preemption).
"""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ray import tune
from ray.tune.search import Searcher

from kdtune.run.ray_messages import Crashed, Ended, Finish, FromRay, Order, Resized, Started, Tick
from kdtune.run.ray_output import read_crash_reason
from kdtune.run.shares import NodeSize, follow_nodes
from kdtune.run.trainable import FAILED_TEACHERS, IS_CPU_ONLY, PACK_ID, STORAGE_ERROR
from kdtune.run.worker_options import WorkerOptions

TICK_SECONDS = 1.0
MEASURE_SECONDS = 5.0


@dataclass(frozen=True)
class _RunningPack:
    pack_id: str
    is_cpu_only: bool


class Dispatcher(Searcher):
    """Suggests packs as they are ordered, never more at a time than there are workers.

    Where some workers have a GPU and others have none, a pack goes to whichever kind is free, a GPU first.

    Parameters
    ----------
    options : how many workers there are, of which kinds, and whether their number follows the cluster.
    orders : the supervisor's orders, to which another thread appends.
    report : tells the supervisor.
    measure_nodes : returns the machines that the cluster has now.
    """

    def __init__(
        self,
        options: WorkerOptions,
        orders: deque[Order | Finish],
        report: Callable[[FromRay], None],
        measure_nodes: Callable[[], Sequence[NodeSize]],
    ) -> None:
        super().__init__()
        self.options = options
        self.n_reported = options.total_workers
        self.orders = orders
        self.report = report
        self.measure_nodes = measure_nodes
        self.running_packs: dict[str, _RunningPack] = {}  # by trial
        self.next_tick = 0.0  # on the monotonic clock
        self.next_measurement = time.monotonic() + MEASURE_SECONDS

    # --- what Tune asks ---------------------------------------------------------------------------

    def suggest(self, trial_id: str) -> Any:
        """Return the configuration of the next trial, None to be asked again later, or ``FINISHED``."""
        if not self.orders:
            return None
        order = self.orders[0]
        if isinstance(order, Finish):
            return None if self.running_packs else Searcher.FINISHED
        is_cpu_only = self._find_free_kind()
        if is_cpu_only is None:
            return None
        self.orders.popleft()
        self.running_packs[trial_id] = _RunningPack(order.pack_id, is_cpu_only)
        self.report(Started(order.pack_id))
        return {PACK_ID: order.pack_id, FAILED_TEACHERS: list(order.failed_teachers), IS_CPU_ONLY: is_cpu_only}

    def _find_free_kind(self) -> bool | None:
        """Return whether the next pack gets a worker without a GPU where others have one; None if no worker is free."""
        n_running = Counter(each.is_cpu_only for each in self.running_packs.values())
        if n_running[False] < self.options.workers:
            return False
        return True if n_running[True] < self.options.cpu_only_workers else None

    def is_stranded(self, config: Mapping[str, Any]) -> bool:
        """Return whether a trial waits for a worker of a kind that is gone, while there are workers of the other."""
        return not (self.options.cpu_only_workers if config[IS_CPU_ONLY] else self.options.workers)

    # --- what Tune reports ------------------------------------------------------------------------

    def on_trial_complete(self, trial_id: str, result: Any = None, error: bool = False) -> None:
        """Report a trial that ended.

        If the trial failed, Tune calls ``DispatcherCallback.on_trial_error`` next, which also knows why.
        """
        if error:
            return
        pack_id = self.running_packs.pop(trial_id).pack_id
        if not result:  # It ended before its first result, and Tune does not say why.
            self.report(Crashed(pack_id, reason=""))
        else:
            self.report(Ended(pack_id, result.get(STORAGE_ERROR)))

    def on_trial_crash(self, trial_id: str, reason: str) -> None:
        """Report a trial whose worker died, perhaps with its machine: the pack must not wait for that."""
        if self.options.follows_cluster:
            self._follow_cluster()
        self.report(Crashed(self.running_packs.pop(trial_id).pack_id, reason))

    def on_step_end(self) -> None:
        """Report each second that Tune's loop goes on."""
        now = time.monotonic()
        if now >= self.next_tick:
            self.next_tick = now + TICK_SECONDS
            self.report(Tick())
        if self.options.follows_cluster and now >= self.next_measurement:
            self.next_measurement = now + MEASURE_SECONDS
            self._follow_cluster()

    def _follow_cluster(self) -> None:
        """Let there be as many workers as the machines that the cluster has now hold, or one that waits for some."""
        options = follow_nodes(self.options, self.measure_nodes())
        if options.total_workers != self.n_reported:
            self.n_reported = options.total_workers
            self.report(Resized(options.total_workers))
        self.options = options if options.total_workers else replace(options, workers=1)

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
