"""What a run reports while it trains. This module does not import Ray."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import pyarrow as pa

from kdtune.plan.network import Pack


@dataclass(frozen=True)
class PackInTraining:
    """A pack that a worker trains at this moment."""

    pack: Pack
    worker: int  # from 1
    since: float  # seconds since 1970, UTC


class Listener(Protocol):
    """Receives the events of a run, in the thread that runs it."""

    def on_training_changed(self, in_training: tuple[PackInTraining, ...]) -> None:
        """Handle that these packs, and no others, are trained now."""

    def on_rows_finished(self, rows: pa.Table) -> None:
        """Handle rows that are on disk now: trained, failed or skipped."""

    def on_pack_crashed(self, pack: Pack, crashes: int, memory: str) -> None:
        """Handle that a pack's worker has died for the ``crashes``-th time; the pack is tried again.

        ``memory`` says how much memory was used, as the end of a clause; it is empty if there was enough.
        """

    def on_workers_changed(self, workers: int) -> None:
        """Handle that the cluster has room for so many workers now, as machines have come or gone."""

    def on_ray_died(self, reason: str) -> None:
        """Handle that Ray died, and is started or joined again."""

    def on_tick(self) -> None:
        """Handle that time has passed; called several times per second while workers train, else after each pack."""
