"""Keep account of the packs of a sweep: which wait, run and have ended, and how often each was killed.

This module does not import Ray, and starts nothing. What it knows outlives the workers and Ray itself:

- A pack starts once its teachers are trained. Teachers that are done release the packs of their students; the
  students of one that failed are skipped.
- A pack whose worker died, or that ran when Ray died, is handed out again, up to ``retries`` times. From the second
  time on it is handed out alone: what kills its worker or Ray each time is found, and others do not die of it.
- After more deaths than that its networks get failed rows. If Ray died, that is so only for a pack that ran alone.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from kdtune.plan.network import Pack
from kdtune.plan.ready_queue import ReadyQueue
from kdtune.results.store import Store
from kdtune.run.listener import Listener, PackInTraining
from kdtune.run.ray_messages import Order
from kdtune.run.row_collector import RowCollector
from kdtune.text import pluralize
from kdtune.train.rows import make_failed_row

SUSPECT_DEATHS = 2  # of its workers, or of Ray, after which a pack is handed out alone


@dataclass(frozen=True)
class _OrderedPack:
    """A pack that was handed out: without the students of failed teachers, it may have another id than planned."""

    pack: Pack
    planned_id: str


class PackRuns:
    """The packs of a plan while they are trained.

    Parameters
    ----------
    packs : the packs in the order of the plan.
    store : the results folder.
    workers : the number of packs that train at the same time.
    retries : how often a pack is tried again after its worker died.
    listener : receives the events of the run.
    """

    def __init__(self, packs: Sequence[Pack], store: Store, workers: int, retries: int, listener: Listener) -> None:
        self.store = store
        self.workers = workers
        self.retries = retries
        self.listener = listener
        self.packs = {pack.id: pack for pack in packs}  # as planned
        self.n_finished = 0  # packs whose rows are known, failed ones included
        self._ready_queue = ReadyQueue(packs)
        self._collector = RowCollector(store, self._ready_queue, listener)
        self._planned_id_by_network = {network.id: pack.id for pack in packs for network in pack.networks}
        self._ordered: dict[str, _OrderedPack] = {}  # by planned id
        self._in_training: dict[str, PackInTraining] = {}  # by planned id
        self._suspects: list[Pack] = []  # handed out alone, one after the other
        self._alone: str | None = None  # the planned id of the suspect that is handed out
        self._deaths: Counter[str] = Counter()  # by planned id

    @property
    def is_finished(self) -> bool:
        """Whether every pack has ended."""
        return self._ready_queue.is_empty and not self._ordered and not self._suspects

    def order_next(self) -> Order | None:
        """Hand out the next pack; None if there is none at present, or enough are handed out.

        For each worker one pack more is handed out than it trains, so that no worker waits for its next order.
        """
        if self._alone is not None or len(self._ordered) >= 2 * self.workers:
            return None
        if self._suspects:
            if self._ordered:
                return None  # until they have ended
            pack = self._suspects.pop(0)
            self._alone = self._find_planned_id(pack)
        else:
            queued_pack = self._ready_queue.pop()
            if queued_pack is None:
                return None
            pack = queued_pack
        planned_id = self._find_planned_id(pack)
        self._ordered[planned_id] = _OrderedPack(pack, planned_id)
        left_out = self.packs[planned_id].teacher_ids - pack.teacher_ids
        return Order(planned_id, tuple(sorted(left_out)))

    def mark_started(self, planned_id: str) -> None:
        """Record that a worker begins with a pack."""
        pack = self._ordered[planned_id].pack
        taken = {each.worker for each in self._in_training.values()}
        worker = next(number for number in range(1, len(taken) + 2) if number not in taken)
        self._in_training[planned_id] = PackInTraining(pack, worker, time.time())
        self._report_training()

    def mark_ended(self, planned_id: str) -> None:
        """Record that a pack has ended, and collect its rows; errors are those of ``RowCollector.collect``."""
        pack = self._release(planned_id)
        self._report_training()
        self._collect(pack)

    def mark_crashed(self, planned_id: str, reason: str, memory: str) -> None:
        """Record that the worker of a pack died; hand the pack out again, or write failed rows if it was too often.

        Parameters
        ----------
        reason : why, as far as Ray says it.
        memory : how much memory was used at that time, as a clause for a message; empty if there was enough.
        """
        was_alone = planned_id == self._alone
        pack = self._release(planned_id)
        self._report_training()
        self._deaths[planned_id] += 1
        deaths = self._deaths[planned_id]
        if deaths > self.retries:
            self._fail(pack, f"its worker crashed {pluralize(deaths, 'time')}", reason, memory)
            return
        self.listener.on_pack_crashed(pack, deaths, memory)
        self._put_back(pack, deaths, was_alone)

    def mark_all_crashed(self, memory: str, is_last_restart: bool = False) -> None:
        """Record that Ray died; hand the packs that ran out again, or write failed rows for one that ran alone.

        Parameters
        ----------
        memory : as of ``mark_crashed``.
        is_last_restart : whether the sweep would end, if this death were in vain, too: a pack that ran alone fails.
        """
        was_alone = self._alone
        for planned_id in list(self._ordered):
            was_in_training = planned_id in self._in_training
            pack = self._release(planned_id)
            if was_in_training:
                self._deaths[planned_id] += 1
            deaths = self._deaths[planned_id]
            is_culprit = was_in_training and planned_id == was_alone
            if is_culprit and (deaths > self.retries or is_last_restart):
                self._fail(pack, f"Ray died {pluralize(deaths, 'time')} while it trained", "", memory)
            else:
                self._put_back(pack, deaths, planned_id == was_alone)
        self._report_training()

    def list_remaining_packs(self) -> tuple[Pack, ...]:
        """Return the packs, as planned, that may still be handed out."""
        return tuple(self.packs.values())

    def _find_planned_id(self, pack: Pack) -> str:
        return self._planned_id_by_network[pack.networks[0].id]

    def _release(self, planned_id: str) -> Pack:
        """Take a pack from those that are handed out."""
        self._in_training.pop(planned_id, None)
        if self._alone == planned_id:
            self._alone = None
        return self._ordered.pop(planned_id).pack

    def _put_back(self, pack: Pack, deaths: int, was_alone: bool) -> None:
        """Queue a pack again; one that ran alone comes next, until it is known whether it was the cause."""
        if deaths >= SUSPECT_DEATHS:
            self._suspects.insert(0 if was_alone else len(self._suspects), pack)
        else:
            self._ready_queue.requeue(pack)

    def _fail(self, pack: Pack, what: str, reason: str, memory: str) -> None:
        """Write failed rows for a pack that kills what trains it."""
        message = f"{what}{memory}"
        if reason and not memory:
            message = f"{message}: {reason}"
        self.store.write_part(pack.id, [make_failed_row(network, message) for network in pack.networks])
        self._collect(pack)

    def _collect(self, pack: Pack) -> None:
        del self.packs[self._find_planned_id(pack)]
        self._collector.collect(pack)
        self.n_finished += 1

    def _report_training(self) -> None:
        self.listener.on_training_changed(tuple(self._in_training.values()))
