"""How a sweep is run; nothing here changes what it gives."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class WorkerOptions:
    """How to run: what a worker takes, where, how often a crash is retried."""

    workers: int  # 0: as many as fit
    cpus_per_worker: int = 1
    gpus_per_worker: float = 0.0
    keep_weights: bool = False
    address: str | None = None
    retries: int = 3
    verbose: bool = False
