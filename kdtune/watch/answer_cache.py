"""Keep the last answer from each sweep's table, and compute a new one when the table is another one."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kdtune.cores import count_cores
from kdtune.watch.analyst_process import AnalystProcess
from kdtune.watch.table_stamp import TableStamp, read_stamp

# Beside a sweep that runs, the analysis has this share of the time of all cores, so that it hardly slows the sweep.
ANALYSIS_SHARE = 0.005
MIN_REST_SECONDS = 2.0
MAX_ANSWERS = 4  # of as many sweeps, kept at the same time


@dataclass
class CachedAnswer:
    """The last answer from the table of a sweep."""

    stamp: TableStamp | None = None  # of the table that it is from
    is_ended: bool = False  # whether the sweep had ended, so that the answer is complete
    computed_at: float = 0.0  # on the clock of ``time.time``
    seconds: float = 0.0  # of the CPU that it took
    summary: dict[str, Any] | None = None  # None if nothing can be said
    problem: str = ""  # why the newest table gives no answer
    is_computing: bool = False
    asked_at: float = field(default_factory=time.monotonic)

    @property
    def version(self) -> str:
        """What changes whenever the answer does; empty while there is none."""
        return f"{self.stamp.text}-{int(self.is_ended)}" if self.stamp is not None else ""


class AnswerCache:
    """The answers from the tables of sweeps. One analysis runs at a time, and only while somebody asks."""

    def __init__(self, analyst: AnalystProcess) -> None:
        self.analyst = analyst
        self._answers: dict[Path, CachedAnswer] = {}
        self._lock = threading.Lock()
        self._rest_until = 0.0  # on the monotonic clock

    def get(self, folder: Path, is_ended: bool) -> CachedAnswer:
        """Return the last answer from a sweep's table at once, and begin to compute a new one if it is time for it.

        Parameters
        ----------
        folder : The sweep's folder.
        is_ended : Whether the sweep has ended: the answer is then complete, and no sweep is slowed by it.
        """
        stamp = read_stamp(folder)
        with self._lock:
            answer = self._answers.setdefault(folder, CachedAnswer())
            answer.asked_at = time.monotonic()
            self._forget_oldest()
            is_current = answer.stamp == stamp and (answer.is_ended or not is_ended)
            is_resting = not is_ended and time.monotonic() < self._rest_until
            is_busy = any(other.is_computing for other in self._answers.values())
            if stamp is not None and not (is_current or is_resting or is_busy):
                answer.is_computing = True
                threading.Thread(target=self._compute, args=(folder, answer, stamp, is_ended), daemon=True).start()
            return answer

    def find(self, folder: Path) -> CachedAnswer | None:
        """Return the last answer from a sweep's table; None if there is none. This begins nothing."""
        with self._lock:
            return self._answers.get(folder)

    def _compute(self, folder: Path, answer: CachedAnswer, stamp: TableStamp, is_ended: bool) -> None:
        """Compute an answer, and put it in the place of the last one; a problem leaves that one."""
        result = self.analyst.ask(folder, is_ended)
        with self._lock:
            answer.stamp, answer.is_ended = stamp, is_ended
            answer.seconds, answer.problem = result["seconds"], result.get("problem", "")
            if "summary" in result:
                answer.summary, answer.computed_at = result["summary"], time.time()
            answer.is_computing = False
            rest = answer.seconds / (ANALYSIS_SHARE * count_cores())
            self._rest_until = time.monotonic() + max(MIN_REST_SECONDS, rest)

    def _forget_oldest(self) -> None:
        """Forget the answers that nobody has asked for longest, if there are too many."""
        idle = [folder for folder, answer in self._answers.items() if not answer.is_computing]
        idle.sort(key=lambda folder: self._answers[folder].asked_at)
        for folder in idle[: max(0, len(self._answers) - MAX_ANSWERS)]:
            del self._answers[folder]
