"""Check that the machines of a cluster can train for this sweep: that kdtune is there, and that they see the results.

Importing this module takes seconds.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from kdtune.errors import RequestError
from kdtune.text import join_names, pluralize

ANSWER_SECONDS = 30.0  # A machine that does not answer by then is left to Ray, which knows whether it is alive.
SEE_SECONDS = 3.0  # A network file system may show a new file a moment later.
MAX_NAMED = 5


def check_machines(nodes: list[dict[str, Any]], shared_file: Path) -> None:
    """Ask each machine that may train whether it sees a file in the results folder.

    Parameters
    ----------
    nodes : the machines, as ``ray.nodes`` describes them.
    shared_file : a file that this process has just written.

    Raises
    ------
    RequestError
        If a machine does not see it, or cannot import kdtune.
    """
    node_by_answer = {
        _check_visible.options(
            scheduling_strategy=NodeAffinitySchedulingStrategy(node["NodeID"], soft=False), num_cpus=0
        ).remote(str(shared_file)): node["NodeManagerAddress"]
        for node in nodes
        if node["Resources"].get("CPU") or node["Resources"].get("GPU")
    }
    answers, _ = ray.wait(list(node_by_answer), num_returns=len(node_by_answer), timeout=ANSWER_SECONDS)
    blind, without_kdtune = [], []
    for answer in answers:
        try:
            if not ray.get(answer):
                blind.append(node_by_answer[answer])
        except ray.exceptions.RayError as error:  # The machine died, which Ray mends, or lacks what it takes.
            if "No module named 'kdtune'" in str(error):
                without_kdtune.append(node_by_answer[answer])
    if without_kdtune:
        raise RequestError(f"kdtune is not installed on {_name(without_kdtune)} of the cluster; install it there")
    if blind:
        raise RequestError(
            f"{shared_file.parent}: {_name(blind)} of the cluster {'does' if len(blind) == 1 else 'do'} not see this "
            f"folder; give --results a folder that all machines share, or a place in an object store "
            f"(s3://BUCKET/PREFIX)"
        )


@ray.remote
def _check_visible(path: str) -> bool:
    """Return whether the machine that this runs on sees a file."""
    import kdtune.run.pack_training  # noqa: F401 - what its workers will import

    ends_at = time.monotonic() + SEE_SECONDS
    while not (is_seen := Path(path).exists()) and time.monotonic() < ends_at:
        time.sleep(0.25)
    return is_seen


def _name(addresses: list[str]) -> str:
    names = join_names(sorted(addresses), max_names=MAX_NAMED)
    return f"{pluralize(len(addresses), 'machine')} ({names})"
