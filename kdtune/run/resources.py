"""Decide what a sweep runs on, and start or join Ray for it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from kdtune.run.request import Request
from kdtune.run.shares import check_gpus_per_worker, refuse_share, share_cluster
from kdtune.run.worker_options import WorkerOptions
from kdtune.settings import Resources
from kdtune.spec.sweep_spec import SweepSpec


def merge_resources(spec: SweepSpec, request: Request) -> Resources:
    """Return the resources of the sweep file, replaced by those of the request where it names some.

    Raises
    ------
    RequestError
        If Ray cannot give a worker that number of GPUs.
    """
    resources = spec.resources.model_copy(update=request.resources.model_dump(exclude_none=True))
    check_gpus_per_worker(resources.gpus_per_worker)
    return resources


@contextmanager
def open_cluster(spec: SweepSpec, request: Request) -> Iterator[WorkerOptions]:
    """Start Ray or join a cluster for the length of a sweep, and yield the options of its workers.

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
        raise refuse_share("CPUs", cpus_per_worker, n_cores)
    # Ray counts CPUs and does not measure them: telling it of more lets the user run more workers than cores.
    cpus = max(n_cores, (resources.workers or 0) * cpus_per_worker)

    from kdtune.run.cluster import connect_to_ray  # Importing Ray takes seconds.

    with connect_to_ray(request.address, cpus, request.verbose) as nodes:
        options = share_cluster(nodes, resources, can_grow=request.address is not None)
        yield replace(
            options,
            keep_weights=request.keep_students != "none",
            retries=request.retries,
            verbose=request.verbose,
        )


def count_cores() -> int:
    """Count the cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):  # Linux
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
