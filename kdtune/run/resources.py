"""What there is to run on, and each worker's share of it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from kdtune.errors import RequestError
from kdtune.run.request import Request
from kdtune.run.worker_options import WorkerOptions
from kdtune.settings import Resources
from kdtune.spec.spec import SweepSpec


def merge_resources(spec: SweepSpec, request: Request) -> Resources:
    """The file's resources with the flags laid over them."""
    return spec.resources.model_copy(update=request.resources.model_dump(exclude_none=True))


@contextmanager
def cluster_for(spec: SweepSpec, request: Request) -> Iterator[WorkerOptions]:
    """Ray, and how to run on what it has."""
    from kdtune.run.cluster import cluster  # Ray: seconds to import

    asked = merge_resources(spec, request)
    if request.address is None and (asked.cpus_per_worker or 1) > count_cores():
        raise RequestError(
            f"a worker asks for {asked.cpus_per_worker} CPUs, but there are {count_cores()}; lower cpus_per_worker"
        )
    wanted = WorkerOptions(
        workers=asked.workers or 0,
        cpus_per_worker=asked.cpus_per_worker or 1,
        keep_weights=request.keep_students != "none",
        address=request.address,
        retries=request.retries,
        verbose=request.verbose,
    )
    with cluster(wanted, count_cores()) as (cpus, gpus):
        workers, per_cpu, per_gpu = share_cluster(cpus, gpus, asked, grows=request.address is not None)
        yield replace(wanted, workers=workers, cpus_per_worker=per_cpu, gpus_per_worker=per_gpu)


def share_cluster(cpus: int, gpus: float, asked: Resources, grows: bool = False) -> tuple[int, int, float]:
    """(workers, CPUs, GPUs of each): one worker a core; where there are GPUs, one worker a GPU.

    A cluster that ``grows`` may have less now than it will have: a number of workers that was asked
    for is believed.

    Raises
    ------
    RequestError
        If not even one worker fits.
    """
    if grows and asked.workers:
        return asked.workers, asked.cpus_per_worker or 1, asked.gpus_per_worker or 0.0
    per_gpu = asked.gpus_per_worker if asked.gpus_per_worker is not None else float(gpus > 0)
    if per_gpu > gpus:
        raise RequestError(f"a worker asks for {per_gpu:g} GPUs, but there are {gpus:g}; lower gpus_per_worker")
    fitting = int(gpus // per_gpu) if per_gpu else cpus
    per_cpu = asked.cpus_per_worker or (max(1, cpus // max(1, asked.workers or fitting)) if per_gpu else 1)
    if per_cpu > cpus:
        raise RequestError(f"a worker asks for {per_cpu} CPUs, but there are {cpus}; lower cpus_per_worker")
    fitting = min(fitting, cpus // per_cpu)
    return min(asked.workers or fitting, fitting), per_cpu, per_gpu


def count_cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
