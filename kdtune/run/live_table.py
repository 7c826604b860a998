"""The table of a sweep that is running, kept up to date on disk."""

from __future__ import annotations

import time

import pyarrow as pa

from kdtune.plan.plan import Plan
from kdtune.results.store import Store
from kdtune.table import merge_tables, select_networks, write_table
from kdtune.table_facts import AnswerFacts, stamp_facts, stamp_select, stamp_versions
from kdtune.versions import list_versions

MIN_SECONDS_BETWEEN_WRITES = 5.0
# A large table takes long to write. It is written less often then, so that writing takes a twentieth of the time.
WRITE_TIME_FACTOR = 20


class LiveTable:
    """The rows of a sweep that are known so far, written to ``table.parquet`` from time to time.

    Parameters
    ----------
    store : the sweep's folder.
    plan : its networks choose the table's rows and their order.
    rows : the rows that are known at the start.
    select : the measure that T is chosen by.
    facts : what an answer from the table must say beside its rows.
    """

    def __init__(self, store: Store, plan: Plan, rows: pa.Table, select: str, facts: AnswerFacts) -> None:
        self.path = store.table_path
        self.network_ids = [network.id for network in plan.networks]
        self.versions = list_versions()
        self.select = select
        self.facts = facts
        self.tables = [rows]
        self.has_new_rows = False  # since the last write
        self.next_write = 0.0  # on the monotonic clock
        self.write()

    def add(self, rows: pa.Table) -> None:
        """Add rows; ``write_if_due`` writes them."""
        self.tables.append(rows)
        self.has_new_rows = True

    def write_if_due(self) -> None:
        """Write the table if there are new rows and the last write is long enough ago."""
        if self.has_new_rows and time.monotonic() >= self.next_write:
            self.write()

    def merge(self) -> pa.Table:
        """Return all rows, including those of networks that the sweep no longer asks for."""
        self.tables = [merge_tables(self.tables)]
        return self.tables[0]

    def write(self) -> None:
        """Write the rows of the sweep's networks."""
        start = time.monotonic()
        selected = select_networks(self.merge(), self.network_ids)
        selected = stamp_facts(stamp_select(stamp_versions(selected, self.versions), self.select), self.facts)
        write_table(selected, self.path)
        self.has_new_rows = False
        end = time.monotonic()
        self.next_write = end + max(MIN_SECONDS_BETWEEN_WRITES, WRITE_TIME_FACTOR * (end - start))
