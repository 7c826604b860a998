"""Decide which pack may start next: a queue of packs, some of which wait for their teachers.

The queue knows packs and the ids of teachers, nothing of Ray, files or the clock.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

from kdtune.plan.network import Network, Pack


class Priority(IntEnum):
    """The order in which packs that may start are handed out; lower values go first."""

    REQUEUED = 0
    STUDENTS = 1
    TEACHERS = 2


class _ReadyPack(NamedTuple):
    """A pack that may start, as an entry of the heap.

    ``tie_break`` is the pack's index in the plan, or the running number of a requeued pack. It is unique
    within a priority, so that the heap never compares packs.
    """

    priority: Priority
    tie_break: int
    pack: Pack


@dataclass
class _WaitingPack:
    """A pack that may not start yet, and the teachers that it waits for."""

    plan_index: int
    pack: Pack
    untrained_teacher_ids: set[str]


class ReadyQueue:
    """The packs of a plan, each handed out once its teachers are trained.

    Students go before teachers, so that they start as soon as their own teacher is trained, whatever
    other teachers are still to train. Among students, and among teachers, packs keep the order of the
    plan. Packs that were requeued go before all others.

    A teacher that is in none of the packs counts as trained: a plan leaves out the teachers whose logits
    are stored. So every pack is handed out in the end, if each teacher of the packs is marked as trained
    or failed; no pack can wait for itself, since a ``Pack`` holds either teachers or students.

    Parameters
    ----------
    packs : the packs in the order of the plan.
    """

    def __init__(self, packs: Sequence[Pack]) -> None:
        self._ready: list[_ReadyPack] = []  # a heap
        self._waiting_by_teacher: dict[str, list[_WaitingPack]] = {}
        self._n_requeued = 0
        self._failed_teacher_ids: set[str] = set()

        teachers_to_train = {network.id for pack in packs if pack.is_teacher_pack for network in pack.networks}
        for plan_index, pack in enumerate(packs):
            untrained_teacher_ids = set(pack.teacher_ids & teachers_to_train)
            if not untrained_teacher_ids:
                self._add_ready(plan_index, pack)
                continue
            waiting = _WaitingPack(plan_index, pack, untrained_teacher_ids)
            for teacher_id in untrained_teacher_ids:
                self._waiting_by_teacher.setdefault(teacher_id, []).append(waiting)

    def pop(self) -> Pack | None:
        """Hand out the next pack that may start; None if there is none at present."""
        if not self._ready:
            return None
        return heapq.heappop(self._ready).pack

    def requeue(self, pack: Pack) -> None:
        """Put back a pack that was handed out: it goes before all packs that were not.

        Of several requeued packs the one that was requeued first goes first.
        """
        heapq.heappush(self._ready, _ReadyPack(Priority.REQUEUED, self._n_requeued, pack))
        self._n_requeued += 1

    @property
    def is_empty(self) -> bool:
        """Whether every pack has been handed out."""
        return not self._ready and not self._waiting_by_teacher

    def mark_trained(self, teacher_id: str) -> None:
        """Record that a teacher is trained: packs that waited for no other may start."""
        self._release_students(teacher_id)

    def mark_failed(self, teacher_id: str) -> list[Network]:
        """Record that a teacher failed for good, and return its students, which are never handed out.

        The other networks of the students' packs, such as baselines, are still handed out.
        """
        self._failed_teacher_ids.add(teacher_id)
        students = [
            network
            for waiting in self._waiting_by_teacher.get(teacher_id, [])
            for network in waiting.pack.networks
            if network.teacher and network.teacher.id == teacher_id
        ]
        self._release_students(teacher_id)
        return students

    def _add_ready(self, plan_index: int, pack: Pack) -> None:
        priority = Priority.TEACHERS if pack.is_teacher_pack else Priority.STUDENTS
        heapq.heappush(self._ready, _ReadyPack(priority, plan_index, pack))

    def _release_students(self, teacher_id: str) -> None:
        """Stop waiting for a teacher that is trained or failed: packs that wait for no other become ready."""
        for waiting in self._waiting_by_teacher.pop(teacher_id, []):
            waiting.untrained_teacher_ids.remove(teacher_id)
            if waiting.untrained_teacher_ids:
                continue
            pack = waiting.pack.without_teachers(self._failed_teacher_ids)
            if pack.networks:
                self._add_ready(waiting.plan_index, pack)
