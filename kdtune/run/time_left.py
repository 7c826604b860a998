"""Estimate how long a sweep still takes, from the pace of the packs that have ended."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence

from kdtune.plan.network import Pack

# Until this share of the work is done, its pace cannot be told.
MIN_SHARE_DONE = 0.01


class TimeLeft:
    """Follows which packs train, and for how long.

    Work is counted in estimated seconds of one core. A worker's pace is the work of the networks that are finished by
    the seconds that their packs trained: what workers have done of the packs that they train now is known only when
    these end, so that it may not count as time in which nothing was done.

    Parameters
    ----------
    work : the work of each network that is to be trained, by its id.
    """

    def __init__(self, work: Mapping[str, float]) -> None:
        self._unfinished = dict(work)
        self._total = sum(work.values())
        self._seconds_of_ended = 0.0  # of all packs that have ended, one beside the other
        self._running: dict[str, tuple[Pack, float]] = {}  # each pack's id -> it, and when it began

    def set_running(self, packs: Sequence[Pack]) -> None:
        """Take note of the packs that train now."""
        now = time.monotonic()
        ids = {pack.id for pack in packs}
        self._seconds_of_ended += sum(now - start for id, (_, start) in self._running.items() if id not in ids)
        self._running = {pack.id: self._running.get(pack.id, (pack, now)) for pack in packs}

    def finish(self, network_ids: Iterable[str]) -> None:
        """Take note of networks that are done, or will not be."""
        for network_id in network_ids:
            self._unfinished.pop(network_id, None)

    def estimate_seconds(self) -> float | None:
        """Return the seconds left if as many packs train at a time as now; None if too little is done to say."""
        if not self._unfinished:
            return 0.0
        left = sum(self._unfinished.values())
        done = self._total - left
        if self._seconds_of_ended <= 0 or done < MIN_SHARE_DONE * self._total:
            return None
        pace = done / self._seconds_of_ended
        now = time.monotonic()
        seconds = []
        for pack, start in self._running.values():
            work = sum(self._unfinished.get(network.id, 0.0) for network in pack.networks)
            left -= work
            seconds.append(max(0.0, work / pace - (now - start)))
        return max([*seconds, (sum(seconds) + left / pace) / max(1, len(seconds))])
