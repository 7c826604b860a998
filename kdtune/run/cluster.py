"""Ray itself: start one on this machine for the length of a sweep, join one that runs, or use this process's.

Importing this module takes seconds: do it when there is something to train.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

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
from kdtune.run.start_ray import start_ray


@dataclass(frozen=True)
class ClusterSize:
    """What a cluster has, now: one that scales itself may have more later."""

    cpus: int
    gpus: float


@contextmanager
def connect_to_ray(address: str | None, cpus: int, verbose: bool = False) -> Iterator[ClusterSize]:
    """Have Ray for the length of a sweep, and leave the process as it was.

    Parameters
    ----------
    address : a cluster to join; None starts a Ray on this machine and ends it afterwards. A Ray that this
        process already uses is used where the address names it, and left running.
    cpus : how many CPUs a Ray on this machine has.
    verbose : show what Ray prints.

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
            yield _measure_cluster()
            return
        handlers = read_signal_handlers()
        with preserve_authentication():
            try:
                if address is None:
                    start_ray(cpus, verbose)
                else:
                    join_ray(address, verbose)
                restore_signal_handlers(handlers)  # Ray's own for SIGTERM would end the process where it stands
                yield _measure_cluster()
            finally:
                ray.shutdown()


def _measure_cluster() -> ClusterSize:
    resources = ray.cluster_resources()  # type: ignore[no-untyped-call]
    return ClusterSize(cpus=int(resources.get("CPU", 0)), gpus=float(resources.get("GPU", 0)))
