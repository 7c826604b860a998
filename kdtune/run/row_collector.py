"""Collect the rows of packs that have ended, and let the students of their teachers start or be skipped.

This module does not import Ray.
"""

from __future__ import annotations

import pyarrow as pa

from kdtune.columns import DONE, ERROR, ID, STATUS, TEACHER
from kdtune.errors import SweepError
from kdtune.plan.identity import hash_text
from kdtune.plan.network import Pack
from kdtune.plan.ready_queue import ReadyQueue
from kdtune.results.store import MAX_PARTS, Store
from kdtune.run.listener import Listener
from kdtune.train.rows import make_skipped_row


class RowCollector:
    """Reads the rows of each pack that has ended, passes them to the listener and tells the queue of its teachers."""

    def __init__(self, store: Store, ready_queue: ReadyQueue, listener: Listener) -> None:
        self.store = store
        self.ready_queue = ready_queue
        self.listener = listener
        self.parts_to_compact: list[str] = []  # ids of parts that were read and are not compacted yet

    def collect(self, pack: Pack) -> None:
        """Read a pack's rows, pass them on, and let its teachers' students start or be skipped.

        Raises
        ------
        SweepError
            If a row is missing or cannot be read.
        StorageError
            If the results folder takes no rows of skipped students.
        """
        rows = self._read_part(pack.id)
        row_of_network = {row[ID]: row for row in rows.select([ID, STATUS, ERROR]).to_pylist()}
        for network in pack.networks:
            if network.id not in row_of_network:
                raise SweepError(f"a worker's rows are incomplete: pack {pack.id} has no row of network {network.id}")
        self.listener.on_rows_finished(rows)
        self._compact_later(pack.id)
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
        part_id = hash_text(f"skipped|{teacher_id}")
        self.store.write_part(part_id, [make_skipped_row(network, reason) for network in students])
        self.listener.on_rows_finished(self._read_part(part_id))
        self._compact_later(part_id)

    def _compact_later(self, part_id: str) -> None:
        """Compact the parts that were read, once there are many."""
        self.parts_to_compact.append(part_id)
        if len(self.parts_to_compact) >= MAX_PARTS:
            self.store.compact_packs(self.parts_to_compact)
            self.parts_to_compact = []

    def _read_part(self, part_id: str) -> pa.Table:
        """Read rows that were just written; SweepError if they cannot be read."""
        try:
            return self.store.read_part(part_id)
        except ValueError as error:
            raise SweepError(
                f"rows that were just written cannot be read: {error}; "
                f"every worker must see the folder {self.store.root}"
            ) from error
