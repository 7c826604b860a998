"""Divide a cluster among equal workers. This module does not import Ray."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from kdtune.errors import RequestError
from kdtune.plan.network import Pack
from kdtune.run.worker_options import WorkerOptions
from kdtune.settings import Resources

# Ray counts a resource in units of 0.0001, the smallest share that its documentation of fractional resources names.
UNITS_PER_GPU = 10_000


@dataclass(frozen=True)
class NodeSize:
    """What one machine of a cluster has."""

    cpus: int
    gpus: int = 0
    memory: int | None = None  # bytes that workers may use; None if it is not known


def share_cluster(nodes: Sequence[NodeSize], resources: Resources, can_grow: bool = False) -> WorkerOptions:
    """Divide a cluster among workers: one for each CPU or, where there are GPUs, one for each GPU.

    No worker spans two machines, and no fraction of a GPU spans two GPUs. Where some machines of a cluster have GPUs
    and others have none, those get workers of their own.

    Parameters
    ----------
    nodes : the machines that the cluster has now.
    resources : what the user asked for; what is None there is chosen here. Where the cluster has a GPU now, a
        worker takes one unless ``gpus_per_worker`` says otherwise; 0 trains on CPUs.
    can_grow : whether the cluster may have more machines later. If a number of workers is asked for, it is
        then kept, with their CPUs and GPUs, even if fewer fit now or none: a cluster that scales from zero
        starts its GPU machines only for workers that ask for GPUs. If none is asked for, the number of workers
        follows the machines.

    Raises
    ------
    RequestError
        If not even one worker fits, or workers without a GPU are asked for beside others without one.
    """
    gpus_per_worker = resources.gpus_per_worker
    if gpus_per_worker is None:
        gpus_per_worker = 1.0 if any(node.gpus for node in nodes) else 0.0
    cpus_per_worker = resources.cpus_per_worker
    if cpus_per_worker is None:
        cpus_per_worker = _choose_cpus_per_worker(nodes, gpus_per_worker, resources.workers)
    if resources.cpu_only_workers and not gpus_per_worker:
        raise RequestError("cpu_only_workers: no worker has a GPU here; give workers alone")
    options = WorkerOptions(
        workers=resources.workers or 0,
        cpus_per_worker=cpus_per_worker,
        gpus_per_worker=gpus_per_worker,
        cpu_only_workers=resources.cpu_only_workers or 0,
        cpus_per_cpu_only_worker=resources.cpus_per_worker or 1,
    )
    if can_grow and resources.workers:
        return options

    fitting = count_fitting_workers(nodes, options)
    if fitting.workers == 0:
        raise _refuse_shares(nodes, cpus_per_worker, gpus_per_worker)
    if not can_grow:
        return replace(options, workers=min(resources.workers or fitting.workers, fitting.workers))
    options = replace(options, workers=fitting.workers, follows_cluster=True)
    if gpus_per_worker == 0 or resources.cpu_only_workers is not None or fitting.cpu_only_workers == 0:
        return options
    return replace(options, cpu_only_workers=fitting.cpu_only_workers, cpu_only_follow=True)


@dataclass(frozen=True)
class FittingWorkers:
    """How many workers of each kind a cluster has room for."""

    workers: int
    cpu_only_workers: int


def count_fitting_workers(nodes: Iterable[NodeSize], options: WorkerOptions) -> FittingWorkers:
    """Count the workers that fit on a cluster: those without a GPU on machines that have none."""
    workers = cpu_only_workers = 0
    for node in nodes:
        workers += _count_on_node(node, options.cpus_per_worker, options.gpus_per_worker, options.memory_per_worker)
        if options.gpus_per_worker and not node.gpus:
            cpu_only_workers += _count_on_node(node, options.cpus_per_cpu_only_worker, 0.0, options.memory_per_worker)
    return FittingWorkers(workers, cpu_only_workers)


def follow_nodes(options: WorkerOptions, nodes: Sequence[NodeSize]) -> WorkerOptions:
    """Return the options with as many workers as these machines hold, of the kinds that follow the machines."""
    fitting = count_fitting_workers(nodes, options)
    if options.follows_cluster:
        options = replace(options, workers=fitting.workers)
    if options.cpu_only_follow:
        options = replace(options, cpu_only_workers=fitting.cpu_only_workers)
    return options


# What a worker's process takes before it has any data: Python, torch, Ray.
WORKER_BYTES = 400 << 20
MEMORY_UNIT = 256 << 20


def ask_for_memory(options: WorkerOptions, nodes: Sequence[NodeSize], packs: Sequence[Pack]) -> WorkerOptions:
    """Let each worker ask for the memory that the largest of these packs needs; fewer of them may fit then.

    Where no machine that has the CPUs and GPUs of a worker has so much, they ask for as much as one has. Where a
    machine does not say what it has, they ask for none. What the options ask for already stays.
    """
    needed = WORKER_BYTES + max((pack.estimated_bytes for pack in packs), default=0)
    needed = options.memory_per_worker or -(-needed // MEMORY_UNIT) * MEMORY_UNIT
    kinds = [options.for_kind(is_cpu_only) for is_cpu_only in ((False, True) if options.cpu_only_workers else (False,))]
    for kind in kinds:
        memories = [
            node.memory for node in nodes if _count_on_node(node, kind.cpus_per_worker, kind.gpus_per_worker, 0)
        ]
        known_memories = [memory for memory in memories if memory is not None]
        if not memories or len(known_memories) < len(memories):
            return options
        needed = min(needed, max(known_memories))
    return follow_nodes(replace(options, memory_per_worker=needed), nodes)


def check_gpus_per_worker(gpus_per_worker: float | None) -> None:
    """Refuse numbers of GPUs that Ray cannot give to a worker.

    Raises
    ------
    RequestError
        If the number is above 1 and not whole, or smaller than the smallest share that Ray counts.
    """
    if gpus_per_worker is None or gpus_per_worker == 0:
        return
    if gpus_per_worker > 1 and not gpus_per_worker.is_integer():
        raise RequestError(
            f"gpus_per_worker must be a fraction of one GPU or a whole number of GPUs, not {gpus_per_worker:g}"
        )
    if gpus_per_worker < 1 / UNITS_PER_GPU:
        raise RequestError(f"gpus_per_worker must be 0 or at least {1 / UNITS_PER_GPU:g}, not {gpus_per_worker:g}")


def count_needed_gpus(workers: int, gpus_per_worker: float) -> int:
    """Return how many GPUs a number of workers needs."""
    if gpus_per_worker == 0:
        return 0
    if gpus_per_worker >= 1:
        return workers * int(gpus_per_worker)
    return math.ceil(workers / _count_workers_per_gpu(gpus_per_worker))


def _choose_cpus_per_worker(nodes: Sequence[NodeSize], gpus_per_worker: float, workers: int | None) -> int:
    """Return 1, or the CPUs beside each worker's GPUs, which would be idle otherwise."""
    if gpus_per_worker == 0:
        return 1
    cpu_shares = []
    for node in nodes:
        n_sharing = min(node.cpus, _count_gpu_workers(node.gpus, gpus_per_worker))
        if workers is not None:
            n_sharing = min(n_sharing, workers)
        if n_sharing > 0:
            cpu_shares.append(node.cpus // n_sharing)
    return min(cpu_shares, default=1)


def _count_on_node(node: NodeSize, cpus_per_worker: int, gpus_per_worker: float, memory_per_worker: int) -> int:
    """Return how many workers fit on a machine."""
    fitting_workers = node.cpus // cpus_per_worker
    if gpus_per_worker > 0:
        fitting_workers = min(fitting_workers, _count_gpu_workers(node.gpus, gpus_per_worker))
    if memory_per_worker and node.memory is not None:
        fitting_workers = min(fitting_workers, node.memory // memory_per_worker)
    return fitting_workers


def _count_gpu_workers(gpus: int, gpus_per_worker: float) -> int:
    """Return how many workers the GPUs of a machine serve."""
    if gpus_per_worker >= 1:
        return gpus // int(gpus_per_worker)
    return gpus * _count_workers_per_gpu(gpus_per_worker)


def _count_workers_per_gpu(fraction: float) -> int:
    """Return how many workers share one GPU, in whole units: as floats, ten tenths are more than one."""
    return UNITS_PER_GPU // round(UNITS_PER_GPU * fraction)


def _refuse_shares(nodes: Sequence[NodeSize], cpus_per_worker: int, gpus_per_worker: float) -> RequestError:
    max_cpus = max((node.cpus for node in nodes), default=0)
    max_gpus = max((node.gpus for node in nodes), default=0)
    if max_cpus == 0:
        return RequestError("the cluster has no CPUs now; if it scales from zero, give the number of workers")
    if gpus_per_worker > max_gpus:
        return refuse_share("GPUs", gpus_per_worker, max_gpus)
    if cpus_per_worker > max_cpus:
        return refuse_share("CPUs", cpus_per_worker, max_cpus)
    return RequestError(
        f"not even one worker fits: no machine has both {cpus_per_worker} CPUs and {gpus_per_worker:g} GPUs; "
        f"lower cpus_per_worker or gpus_per_worker"
    )


def refuse_share(unit: str, per_worker: float, available: int) -> RequestError:
    """Return the error for a worker that needs more CPUs or GPUs than any machine has."""
    setting = f"{unit.lower()}_per_worker"
    return RequestError(
        f"not even one worker fits: it needs {per_worker:g} {unit}, but a machine has {available} at most; "
        f"lower {setting}"
    )
