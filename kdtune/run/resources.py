"""Decide what a sweep runs on, and start or join Ray for it if it has workers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from kdtune.cores import count_cores
from kdtune.errors import RequestError
from kdtune.files.atomic import make_temporary_path
from kdtune.files.storage_errors import convert_os_errors
from kdtune.objects.urls import is_object_url
from kdtune.plan.network import Pack
from kdtune.results.store import Store
from kdtune.run.addresses import resolve_auto
from kdtune.run.in_process import run_packs_in_process
from kdtune.run.listener import Listener
from kdtune.run.pack_training import TrainFunction
from kdtune.run.ray_messages import Connect
from kdtune.run.request import Request
from kdtune.run.scratch_folder import open_scratch_folder
from kdtune.run.shares import check_gpus_per_worker, refuse_share, share_cluster
from kdtune.run.supervisor import RayWorkers
from kdtune.run.user_code import copy_user_code
from kdtune.run.worker_options import WorkerOptions
from kdtune.settings import Resources
from kdtune.spec.sweep_spec import SweepSpec
from kdtune.text import pluralize


def merge_resources(spec: SweepSpec, request: Request) -> Resources:
    """Return the resources of the sweep file, replaced by those of the request where it names some.

    Raises
    ------
    RequestError
        If Ray cannot give a worker that number of GPUs, or a cluster is named although there are no workers.
    """
    resources = spec.resources.model_copy(update=request.resources.model_dump(exclude_none=True))
    check_gpus_per_worker(resources.gpus_per_worker)
    if resources.workers == 0 and request.address is not None:
        raise RequestError(
            f"workers: 0 trains in this process, without Ray, but there is the address of a Ray cluster, "
            f"{request.address}; leave out one of the two"
        )
    return resources


RunPacks = Callable[[Sequence[Pack], Store, WorkerOptions, Listener, TrainFunction], None]


@contextmanager
def open_workers(
    spec: SweepSpec,
    resources: Resources,
    request: Request,
    log_path: Path,
    say: Callable[[str], None],
) -> Iterator[tuple[WorkerOptions, RunPacks]]:
    """Provide what trains for the length of a sweep: Ray's workers, or this process.

    Parameters
    ----------
    spec, resources, request : the sweep, what it may use and what the user asked for.
    log_path : the file for what Ray prints.
    say : prints a line.

    Yields
    ------
    The options of the workers, and the function that trains packs on them.

    Raises
    ------
    RequestError
        If the cluster cannot be joined, or not even one worker fits.
    SweepError
        If Ray does not start on this machine.
    """
    if resources.workers == 0:
        yield _add_request(choose_in_process_options(resources), request), run_packs_in_process
        return
    cpus_per_worker = resources.cpus_per_worker or 1
    n_cores = count_cores()
    if request.address is None and cpus_per_worker > n_cores:
        raise refuse_share("CPUs", cpus_per_worker, n_cores)
    # Ray counts CPUs and does not measure them: telling it of more lets the user run more workers than cores.
    cpus = max(n_cores, (resources.workers or 0) * cpus_per_worker)

    with open_scratch_folder() as scratch_folder, ExitStack() as stack:
        code_folder = copy_user_code(spec, scratch_folder / "code")
        address = resolve_auto(request.address)
        is_shared = address is not None and not is_object_url(request.results)
        shared_file = stack.enter_context(_write_shared_file(log_path.parent)) if is_shared else None
        connect = Connect(address, cpus, request.verbose, code_folder, shared_file)
        workers = RayWorkers(connect, scratch_folder, None if request.verbose else log_path, request.patience, say)
        try:
            nodes = workers.connect().nodes
            if address is None and resources.cpu_only_workers is not None:
                say("note: cpu_only_workers is for a cluster, and is left out here.")
                resources = resources.model_copy(update={"cpu_only_workers": None})
            options = share_cluster(nodes, resources, can_grow=address is not None)
            if options.cpu_only_workers:
                say(f"note: {_describe_kinds(options)}")
            yield _add_request(options, request), workers.run_packs
        except BaseException:
            workers.kill()
            raise
        finally:
            workers.close()


def _describe_kinds(options: WorkerOptions) -> str:
    """Say that workers of two kinds train, and what follows from that."""
    return (
        f"{pluralize(options.workers, 'worker')} with a GPU and {options.cpu_only_workers} without one train this "
        f"sweep. The column device says which of them trained a network: the two differ in the last digits. "
        f"--cpu-only-workers 0 trains on GPUs alone, --gpus-per-worker 0 on CPUs alone."
    )


@contextmanager
def _write_shared_file(folder: Path) -> Iterator[Path]:
    """Keep a file in the results folder until the block ends, for the machines of a cluster to see."""
    path = make_temporary_path(folder / "seen-by-all-machines")
    with convert_os_errors(f"write {folder}"):
        path.touch()
    try:
        yield path
    finally:
        with suppress(OSError):
            path.unlink()


def choose_in_process_options(resources: Resources, must_fit: bool = True) -> WorkerOptions:
    """Return how this process trains: on one thread and without a GPU, unless the resources ask for more.

    Parameters
    ----------
    must_fit : whether to refuse more cores or GPUs than this machine has.

    Raises
    ------
    RequestError
        If this machine has fewer cores or GPUs.
    """
    cpus, gpus = resources.cpus_per_worker or 1, resources.gpus_per_worker or 0.0
    if must_fit and cpus > count_cores():
        raise refuse_share("CPUs", cpus, count_cores())
    if must_fit and gpus > 0:
        import torch  # seconds to import

        if gpus > torch.cuda.device_count():
            raise refuse_share("GPUs", gpus, torch.cuda.device_count())
    return WorkerOptions(workers=1, is_in_process=True, cpus_per_worker=cpus, gpus_per_worker=gpus)


def _add_request(options: WorkerOptions, request: Request) -> WorkerOptions:
    """Return the options with what the request says about weights, retries and messages."""
    return replace(
        options, keep_weights=request.keep_students != "none", retries=request.retries, verbose=request.verbose
    )
