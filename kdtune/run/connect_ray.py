"""Connect Ray's process to Ray: start one on this machine, or join a cluster.

Importing this module takes seconds.
"""

from __future__ import annotations

from typing import Any

import ray

from kdtune.run.join_ray import join_ray
from kdtune.run.ray_messages import Connect, Connected
from kdtune.run.shares import NodeSize
from kdtune.run.start_ray import start_ray

VITAL_KINDS = ("gcs_server", "raylet")  # as Ray names its processes


def connect_to_ray(request: Connect) -> Connected:
    """Start a Ray on this machine, or join a cluster, which may have more machines later if it scales itself.

    Raises
    ------
    RequestError
        If the named cluster does not answer or cannot be joined.
    SweepError
        If Ray does not start on this machine.
    """
    if request.address is None:
        start_ray(request.cpus, request.verbose)
    else:
        join_ray(request.address, request.verbose, request.code_folder)
    if request.address is not None:
        return Connected(_measure_nodes(), session_folder="", vital_pids={})
    node: Any = ray._private.worker._global_node
    return Connected(_measure_nodes(), node.get_session_dir_path(), _find_vital_processes(node))


def _measure_nodes() -> tuple[NodeSize, ...]:
    """Return what each machine of the cluster has."""
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]  # type: ignore[no-untyped-call]
    return tuple(NodeSize(cpus=int(each.get("CPU", 0)), gpus=int(each.get("GPU", 0))) for each in nodes)


def _find_vital_processes(node: Any) -> dict[int, str]:
    """Return the names of the processes that a Ray on this machine cannot do without, by their ids."""
    processes = node.all_processes
    return {each.process.pid: kind for kind in VITAL_KINDS for each in processes.get(kind, [])}
