"""Connect to Ray for the length of a sweep: start one, join a cluster, or use the Ray of this process.

Importing this module takes seconds: do it when there is something to train.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import ray

from kdtune.run.authentication import preserve_authentication
from kdtune.run.join_ray import check_names_running_ray, join_ray
from kdtune.run.process_state import (
    preserve_process_state,
    read_signal_handlers,
    restore_signal_handlers,
    set_ray_variables,
)
from kdtune.run.ray_output import quiet_ray
from kdtune.run.shares import NodeSize
from kdtune.run.start_ray import start_ray


@contextmanager
def connect_to_ray(
    address: str | None, cpus: int, verbose: bool = False, code_folder: Path | None = None
) -> Iterator[list[NodeSize]]:
    """Connect to Ray, and restore the process's state on leaving.

    Yields the machines that the cluster has now; one that scales itself may have more later.

    Parameters
    ----------
    address : the cluster to join; None starts a Ray on this machine, which ends on leaving. If this process is
        connected to Ray already, ``address`` must name that Ray; it stays running afterwards.
    cpus : how many CPUs a Ray that is started on this machine is told of.
    verbose : whether to show what Ray prints.
    code_folder : the user's own modules, which the workers of a cluster that is joined get; those on this machine find
        them where they are.

    Raises
    ------
    RequestError
        If the named cluster does not answer or cannot be joined.
    SweepError
        If Ray does not start on this machine.
    """
    with set_ray_variables(), preserve_process_state(), quiet_ray(verbose):
        if ray.is_initialized():
            check_names_running_ray(address)
            yield _measure_nodes()
            return
        handlers = read_signal_handlers()
        with preserve_authentication():
            try:
                if address is None:
                    start_ray(cpus, verbose)
                else:
                    join_ray(address, verbose, code_folder)
                # Ray's SIGTERM handler would end the process at once, without clean-up.
                restore_signal_handlers(handlers)
                yield _measure_nodes()
            finally:
                ray.shutdown()


def _measure_nodes() -> list[NodeSize]:
    """Return what each machine of the cluster has."""
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]  # type: ignore[no-untyped-call]
    return [NodeSize(cpus=int(resources.get("CPU", 0)), gpus=int(resources.get("GPU", 0))) for resources in nodes]
