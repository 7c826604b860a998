"""Which pack may start next. Pure: knows packs and teachers, nothing of Ray, files or the clock."""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from kdtune.plan.network import Network, Pack


@dataclass
class ReadyQueue:
    """The packs of a plan, handed out as their teachers come to be.

    Students go before teachers: a pack starts as soon as its own teacher is done, whatever else is
    still to be taught. Within either kind the order of the plan holds.
    """

    packs: Sequence[Pack]
    _ready: list[tuple[int, int, str, Pack]] = field(default_factory=list)
    _missing: dict[str, set[str]] = field(default_factory=dict)
    _waiting: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    _lost: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        to_train = {n.id for pack in self.packs for n in pack.networks if n.model == "teacher"}
        for place, pack in enumerate(self.packs):
            missing = set(pack.teacher_ids & to_train)
            if not missing:
                self._push(place, pack)
                continue
            self._missing[pack.id] = missing
            for teacher in missing:
                self._waiting[teacher].append(place)

    def pop(self) -> Pack | None:
        """The next pack that may start; None if all that is left waits for a teacher."""
        return heapq.heappop(self._ready)[3] if self._ready else None

    def requeue(self, pack: Pack) -> None:
        """Hand a pack out once more, before all others."""
        self._push(-1, pack)

    @property
    def is_empty(self) -> bool:
        """Whether every pack has been handed out."""
        return not self._ready and not self._missing

    def mark_trained(self, teachers: Collection[str]) -> None:
        """These teachers are done: what waited for the last of them may start."""
        self._settle(teachers)

    def mark_failed(self, teachers: Collection[str]) -> list[Network]:
        """These teachers failed for good: their students are skipped, and returned.

        What else is in a pack, the baseline say, is still trained.
        """
        self._lost |= set(teachers)
        places = {place for teacher in teachers for place in self._waiting[teacher]}
        self._settle(teachers)
        return [
            network
            for place in sorted(places)
            for network in self.packs[place].networks
            if network.teacher and network.teacher.id in teachers
        ]

    def _settle(self, teachers: Collection[str]) -> None:
        for teacher in teachers:
            for place in self._waiting.pop(teacher, []):
                pack = self.packs[place]
                self._missing[pack.id].discard(teacher)
                if not self._missing[pack.id]:
                    del self._missing[pack.id]
                    rest = pack.without_teachers(self._lost) if pack.teacher_ids & self._lost else pack
                    if rest.networks:
                        self._push(place, rest)

    def _push(self, place: int, pack: Pack) -> None:
        teaches = any(network.model == "teacher" for network in pack.networks)
        heapq.heappush(self._ready, (int(teaches), place, pack.id, pack))
