"""Join a running Ray cluster, or say why it cannot be joined."""

from __future__ import annotations

import os
from pathlib import Path

import ray

from kdtune.errors import RequestError
from kdtune.run.addresses import AUTO, check_port_is_open
from kdtune.run.authentication import explain_refused_token
from kdtune.run.probe_cluster import Answer, probe_cluster
from kdtune.run.ray_output import make_logging_options
from kdtune.text import format_on_one_line


def join_ray(address: str, verbose: bool, code_folder: Path | None = None) -> None:
    """Join a running cluster; RequestError if it does not answer or refuses this process.

    Parameters
    ----------
    code_folder : the user's own modules, which every worker gets; None if there are none.
    """
    if address == AUTO:
        address = os.environ.get("RAY_ADDRESS") or AUTO  # as Ray does
    check_port_is_open(address)
    answer = probe_cluster(address, verbose)
    if answer is Answer.TOKEN_REFUSED:
        raise RequestError(f"address {address!r}: {explain_refused_token()}")
    if answer is Answer.SILENCE and address == AUTO:  # Ray leaves its address in a file, which may be old
        raise RequestError(
            f"address {AUTO!r}: the Ray cluster that ran last on this machine no longer answers; give HOST:PORT of "
            f"one that runs, or start one with `ray start --head`"
        )
    if answer is Answer.SILENCE:
        raise RequestError(
            f"address {address!r}: something listens there, but it does not answer as a Ray cluster does; give the "
            f"port that `ray start --head` prints (6379 unless chosen otherwise; 8265 is the dashboard's, 10001 "
            f"the Ray client's)"
        )
    try:
        environment = None if code_folder is None else {"working_dir": str(code_folder)}
        ray.init(address=address, runtime_env=environment, **make_logging_options(verbose))
    except (ConnectionError, RuntimeError, ValueError, OSError, ray.exceptions.RayError) as error:
        raise RequestError(f"address {address!r}: cannot join the Ray cluster: {format_on_one_line(error)}") from None
