"""The table of a sweep that is under way, kept up to date on disk."""

from __future__ import annotations

import time

import pyarrow as pa

from kdtune.plan.plan import Plan
from kdtune.results.store import Store
from kdtune.table import merge_tables, select_networks, stamp_versions, write_table
from kdtune.versions import list_versions

REFRESH_SECONDS = 5.0  # between two writes of table.parquet, at least
# A large table takes long to write. It is written more rarely then: writing takes a twentieth of the time at most.
WAIT_PER_WRITE = 20


class LiveTable:
    """The rows that are known so far, written to ``table.parquet`` as they come.

    Parameters
    ----------
    store : the sweep's folder.
    plan : its networks choose the table's rows and their order.
    rows : those that are known already.
    """

    def __init__(self, store: Store, plan: Plan, rows: pa.Table) -> None:
        self.path = store.table_path
        self.network_ids = [network.id for network in plan.networks]
        self.versions = list_versions()
        self.tables = [rows]
        self.next_write = 0.0  # on the monotonic clock
        self.write()

    def add(self, rows: pa.Table) -> None:
        """Add rows, and write the table if the last write is long enough ago."""
        self.tables.append(rows)
        if time.monotonic() >= self.next_write:
            self.write()

    def merge(self) -> pa.Table:
        """Return all rows, those of networks that the sweep no longer asks for included."""
        self.tables = [merge_tables(self.tables)]
        return self.tables[0]

    def write(self) -> None:
        """Write the rows of the sweep's networks."""
        start = time.monotonic()
        selected = select_networks(self.merge(), self.network_ids)
        write_table(stamp_versions(selected, self.versions), self.path)
        end = time.monotonic()
        self.next_write = end + max(REFRESH_SECONDS, WAIT_PER_WRITE * (end - start))
