"""Let others see what the driver writes while a sweep runs."""

from __future__ import annotations

import time

from kdtune.results.store import Store

PUBLISH_SECONDS = 5.0


class Publisher:
    """Publishes what was written to the results, at most every few seconds."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.next_time = 0.0  # on the monotonic clock

    def publish_if_due(self) -> None:
        """Publish, if the last time is long enough ago; StorageError if it cannot be, or this driver was replaced."""
        if time.monotonic() >= self.next_time:
            self.store.publish()
            self.next_time = time.monotonic() + PUBLISH_SECONDS
