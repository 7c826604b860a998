"""How a sweep is run. On a CPU, none of this changes a network's numbers."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class WorkerOptions:
    """How many workers train, what each of them takes, and how often a crash is retried."""

    workers: int
    """The number of workers, without those that have no GPU where the others have one."""
    cpus_per_worker: int = 1
    gpus_per_worker: float = 0.0
    """A fraction shares one GPU among several workers."""
    cpu_only_workers: int = 0
    """The number of further workers without a GPU, in a cluster whose machines differ."""
    cpus_per_cpu_only_worker: int = 1
    memory_per_worker: int = 0
    """The bytes of memory that a machine must have left for each worker; 0 asks for none in particular."""
    follows_cluster: bool = False
    """Whether the number of workers follows the machines that the cluster has, which may come and go."""
    cpu_only_follow: bool = False
    """Whether that of the workers without a GPU does."""
    keep_weights: bool = False
    """Whether to write students' weights too; a teacher's are always written."""
    retries: int = 3
    """How often a pack is tried again after a crash of its worker."""
    verbose: bool = False
    """Whether to show what Ray Tune prints."""
    is_in_process: bool = False
    """Whether the one worker is the process that runs the sweep, without Ray."""

    @property
    def total_workers(self) -> int:
        """The number of packs that train at the same time."""
        return self.workers + self.cpu_only_workers

    def for_kind(self, is_cpu_only: bool) -> WorkerOptions:
        """Return the options of one worker: of those that have no GPU where others have one, or of the others."""
        if not is_cpu_only:
            return self
        return replace(self, cpus_per_worker=self.cpus_per_cpu_only_worker, gpus_per_worker=0.0)
