"""What there is to run on, and each worker's share of it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from kdtune.errors import RequestError
from kdtune.run.request import Request
from kdtune.run.worker_options import WorkerOptions
from kdtune.settings import Resources
from kdtune.spec.sweep_spec import SweepSpec


@dataclass(frozen=True)
class ClusterShares:
    """A cluster divided among equal workers."""

    workers: int
    cpus_per_worker: int
    gpus_per_worker: float


def merge_resources(spec: SweepSpec, request: Request) -> Resources:
    """Return the file's resources, with those of the request in their place where it names some."""
    return spec.resources.model_copy(update=request.resources.model_dump(exclude_none=True))


@contextmanager
def open_cluster(spec: SweepSpec, request: Request) -> Iterator[WorkerOptions]:
    """Start Ray or join a cluster for the length of a sweep, and say how to run on what it has.

    Raises
    ------
    RequestError
        If the cluster cannot be joined, or not even one worker fits.
    SweepError
        If Ray does not start on this machine.
    """
    resources = merge_resources(spec, request)
    n_cores = count_cores()
    cpus_per_worker = resources.cpus_per_worker or 1
    if request.address is None and cpus_per_worker > n_cores:
        raise _refuse_share("CPUs", cpus_per_worker, n_cores)
    cpus = max(n_cores, (resources.workers or 0) * cpus_per_worker)

    from kdtune.run.cluster import connect_to_ray  # Ray: seconds to import

    with connect_to_ray(request.address, cpus, request.verbose) as size:
        shares = share_cluster(size.cpus, size.gpus, resources, can_grow=request.address is not None)
        yield WorkerOptions(
            workers=shares.workers,
            cpus_per_worker=shares.cpus_per_worker,
            gpus_per_worker=shares.gpus_per_worker,
            keep_weights=request.keep_students != "none",
            retries=request.retries,
            verbose=request.verbose,
        )


def share_cluster(cpus: int, gpus: float, resources: Resources, can_grow: bool = False) -> ClusterShares:
    """Divide a cluster among workers: one for each CPU or, where there are GPUs, one for each GPU.

    Parameters
    ----------
    cpus, gpus : what the cluster has now.
    resources : what the user asked for; what is None there is chosen here.
    can_grow : the cluster may have more later than it has now: a number of workers that was asked for is
        not reduced to those that fit now.

    Raises
    ------
    RequestError
        If not even one worker fits.
    """
    if can_grow and resources.workers:
        return ClusterShares(resources.workers, resources.cpus_per_worker or 1, resources.gpus_per_worker or 0.0)
    gpus_per_worker = resources.gpus_per_worker
    if gpus_per_worker is None:
        gpus_per_worker = 1.0 if gpus > 0 else 0.0
    if gpus_per_worker > gpus:
        raise _refuse_share("GPUs", gpus_per_worker, gpus)
    fitting_workers = int(gpus // gpus_per_worker) if gpus_per_worker else cpus
    cpus_per_worker = resources.cpus_per_worker
    if cpus_per_worker is None:
        cpus_per_worker = 1
        if gpus_per_worker:  # the CPUs beside the GPUs would idle otherwise
            cpus_per_worker = max(1, cpus // max(1, resources.workers or fitting_workers))
    if cpus_per_worker > cpus:
        raise _refuse_share("CPUs", cpus_per_worker, cpus)
    fitting_workers = min(fitting_workers, cpus // cpus_per_worker)
    workers = min(resources.workers or fitting_workers, fitting_workers)
    return ClusterShares(workers, cpus_per_worker, gpus_per_worker)


def _refuse_share(unit: str, per_worker: float, available: float) -> RequestError:
    setting = f"{unit.lower()}_per_worker"
    return RequestError(
        f"not even one worker fits: it needs {per_worker:g} {unit}, but there are {available:g}; lower {setting}"
    )


def count_cores() -> int:
    """Count the cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):  # Linux
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
