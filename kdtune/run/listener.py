"""What a run reports while it trains. This module does not import Ray."""

from __future__ import annotations

from typing import Protocol

import pyarrow as pa

from kdtune.plan.network import Pack


class Listener(Protocol):
    """Receives the events of a run, in the thread that runs it."""

    def on_pack_started(self, pack: Pack) -> None:
        """Handle that a pack starts to train for the first time."""

    def on_rows_finished(self, rows: pa.Table) -> None:
        """Handle rows that are on disk now: trained, failed or skipped."""

    def on_pack_crashed(self, pack: Pack, crashes: int) -> None:
        """Handle that a pack's worker has died for the ``crashes``-th time; the pack is tried again."""

    def on_tick(self) -> None:
        """Handle that time has passed; called several times per second while workers train, else after each pack."""
