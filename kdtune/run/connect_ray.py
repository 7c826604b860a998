"""Connect Ray's process to Ray: start one on this machine, or join a cluster.

Importing this module takes seconds.
"""

from __future__ import annotations

import ray

from kdtune.run.check_machines import check_machines
from kdtune.run.join_ray import join_ray
from kdtune.run.ray_messages import Connect, Connected
from kdtune.run.shares import NodeSize
from kdtune.run.start_ray import start_ray


def connect_to_ray(request: Connect) -> Connected:
    """Start a Ray on this machine, or join a cluster, which may have more machines later if it scales itself.

    Raises
    ------
    RequestError
        If the named cluster does not answer, cannot be joined, or has machines that do not see the results.
    SweepError
        If Ray cannot start on this machine. Any other error may pass with the next attempt.
    """
    session_folder = ""
    if request.address is None:
        session_folder = start_ray(request.cpus, request.verbose)
    else:
        join_ray(request.address, request.verbose, request.code_folder)
        if request.shared_file is not None:
            check_machines([node for node in ray.nodes() if node["Alive"]], request.shared_file)  # type: ignore[no-untyped-call]
    return Connected(measure_nodes(), session_folder)


def measure_nodes() -> tuple[NodeSize, ...]:
    """Return what each machine of the cluster has."""
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]  # type: ignore[no-untyped-call]
    return tuple(
        NodeSize(int(each.get("CPU", 0)), int(each.get("GPU", 0)), int(each["memory"]) if "memory" in each else None)
        for each in nodes
    )
