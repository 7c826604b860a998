"""How a sweep is run. On a CPU, none of this changes a network's numbers."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class WorkerOptions:
    """How many workers train, what each of them takes, and how often a crash is retried."""

    workers: int
    """The number of packs that train at the same time."""
    cpus_per_worker: int = 1
    gpus_per_worker: float = 0.0
    """A fraction shares one GPU among several workers."""
    keep_weights: bool = False
    """Whether to write students' weights too; a teacher's are always written."""
    retries: int = 3
    """How often a pack is tried again after a crash of its worker."""
    verbose: bool = False
    """Whether to show what Ray Tune prints."""
    is_in_process: bool = False
    """Whether the one worker is the process that runs the sweep, without Ray."""
