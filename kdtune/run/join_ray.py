"""Join a running Ray cluster, or say why it cannot be joined."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import ray

from kdtune.errors import RequestError
from kdtune.run.addresses import AUTO, HostPort, check_port_is_open, parse_address
from kdtune.run.authentication import explain_refused_token
from kdtune.run.probe_cluster import Answer, probe_cluster
from kdtune.run.ray_output import format_on_one_line, make_logging_options


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


def check_names_running_ray(address: str | None) -> None:
    """Check that an address names the Ray that this process already uses; RequestError if it does not."""
    if ray.util.client.ray.is_connected():  # type: ignore[no-untyped-call]
        raise RequestError(
            "this process is connected to Ray through the Ray client (ray://), through which a sweep cannot run; "
            "call ray.shutdown() first"
        )
    running_address = ray.get_runtime_context().gcs_address
    if address is None:
        raise RequestError(
            f"Ray already runs in this process; give the address {running_address!r} (or {AUTO!r}) to use it, "
            f"or call ray.shutdown() first to start another"
        )
    head = parse_address(address)
    if head is not None and not _is_same_head(head, parse_address(running_address)):
        raise RequestError(
            f"address {address!r}: this process already uses the Ray at {running_address!r}; give that address "
            f"(or {AUTO!r}), or call ray.shutdown() first to join another"
        )


def _is_same_head(head: HostPort, running_head: HostPort | None) -> bool:
    if running_head is None or head.port != running_head.port:
        return False
    return head.host == running_head.host or bool(_find_ips(head.host) & _find_ips(running_head.host))


def _find_ips(host: str) -> set[str]:
    """Return the IP addresses of a host; one address of this machine stands for all of them."""
    try:
        ips = {str(entry[4][0]) for entry in socket.getaddrinfo(host, None)}
    except OSError:
        return set()
    this_machine = {"127.0.0.1", "::1", ray.util.get_node_ip_address()}  # type: ignore[no-untyped-call]
    return ips | this_machine if ips & this_machine else ips
