"""Let a worker that becomes free take the next pack, not the one that waits for another worker to start.

Tune's own order is first come, first served: a free worker gets the pack for which a worker is being started, and that
worker is ended. If packs take less time than a worker takes to start, this goes on for ever, and one worker trains all
(``TuneController._maybe_add_actors`` in ``ray/tune/execution/tune_controller.py``, Ray 2.60).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ray.tune.execution.tune_controller import TuneController
from ray.tune.experiment import Trial
from ray.tune.schedulers import FIFOScheduler


class NewestFirst(FIFOScheduler):
    """Chooses the newest of the trials that wait: all older ones wait for a worker of their own to start.

    Of trials that need workers of different kinds, the newest of each kind is chosen in turn, so that a trial that no
    worker can take holds up none of another kind. A trial that waits for a kind of worker that is gone is ended.

    Parameters
    ----------
    is_stranded : says of a trial's configuration whether it waits for such a kind.
    """

    def __init__(self, is_stranded: Callable[[dict[str, Any]], bool]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.is_stranded = is_stranded
        self.pending_trials: list[Trial] = []
        self._last_chosen: Any = None  # what the trial that was chosen last needs

    def on_trial_add(self, tune_controller: TuneController, trial: Trial) -> None:
        """Note a new trial."""
        self.pending_trials.append(trial)

    def choose_trial_to_run(self, tune_controller: TuneController) -> Trial | None:
        """Return the newest trial that waits, which gets a free worker if there is one."""
        self.pending_trials = [trial for trial in self.pending_trials if trial.status == Trial.PENDING]
        for trial in [trial for trial in self.pending_trials if self.is_stranded(trial.config)]:
            tune_controller.stop_trial(trial)  # type: ignore[no-untyped-call]  # The search algorithm is told.
            self.pending_trials.remove(trial)
        if not self.pending_trials:
            return None
        newest = {trial.placement_group_factory: trial for trial in self.pending_trials}
        others = [trial for needs, trial in newest.items() if needs != self._last_chosen]
        chosen = others[-1] if others else self.pending_trials[-1]
        self._last_chosen = chosen.placement_group_factory
        return chosen
