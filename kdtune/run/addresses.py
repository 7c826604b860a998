"""Parse and check the address of a Ray cluster as a user gives it. This module does not import Ray."""

from __future__ import annotations

import re
import socket
import sys
from dataclasses import dataclass

from kdtune.errors import RequestError

AUTO = "auto"  # Ray's own word for "the cluster that runs on this machine"
DEFAULT_PORT = 6379  # of `ray start --head`
CONNECT_SECONDS = 5.0
REMEDY = f"give HOST:PORT as `ray start --head` prints it (its port is {DEFAULT_PORT} unless chosen otherwise)"


@dataclass(frozen=True)
class HostPort:
    """Where the head node of a Ray cluster listens."""

    host: str  # a name or an IP address, without brackets
    port: int


def parse_address(address: str) -> HostPort | None:
    """Return the host and port that an address names; None for ``auto``.

    Raises
    ------
    RequestError
        If it is neither ``auto`` nor HOST:PORT; the message says what is wrong and what to give instead.
    """
    if address == AUTO:
        return None
    _refuse_other_services(address)
    if address.count(":") > 1 and not address.startswith("["):
        raise _refuse(address, "an IPv6 address stands in brackets, as in [::1]:6379")
    if ":" not in address.rpartition("]")[2]:
        raise _refuse(address, f"the port is missing; {REMEDY}, for example {address or 'HOST'}:{DEFAULT_PORT}")
    host, _, port_text = address.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not host:
        raise _refuse(address, f"the host is missing; {REMEDY}")
    if not re.fullmatch("[0-9]+", port_text):
        raise _refuse(address, f"the port must be a number, not {port_text!r}; {REMEDY}")
    port = int(port_text)
    if not 1 <= port <= 65535:
        raise _refuse(address, f"the port must lie between 1 and 65535, not {port_text}; {REMEDY}")
    return HostPort(host, port)


def resolve_auto(address: str | None) -> str | None:
    """Return the address; for ``auto`` that of the Ray that this process uses, if it uses one."""
    ray = sys.modules.get("ray")
    if address == AUTO and ray is not None and ray.is_initialized():
        running_address: str = ray.get_runtime_context().gcs_address
        return running_address
    return address


def check_port_is_open(address: str) -> None:
    """Check that something listens at the address of a cluster; ``auto`` is not checked.

    Raises
    ------
    RequestError
        If the host is not known or nothing listens there.
    """
    head = parse_address(address)
    if head is None:
        return
    try:
        socket.create_connection((head.host, head.port), timeout=CONNECT_SECONDS).close()
    except socket.gaierror:
        raise _refuse(address, f"there is no host {head.host!r} that this machine can find; {REMEDY}") from None
    except (OSError, UnicodeError) as error:
        remedy = f"{REMEDY}, or {AUTO} on one of the cluster's machines"
        raise _refuse(address, f"no Ray cluster answers there ({error}); {remedy}") from None


def _refuse_other_services(address: str) -> None:
    """Refuse the addresses of Ray's other services, and ``local``, which makes Ray start a new cluster."""
    scheme, separator, location = address.partition("://")
    if separator:
        host = location.partition("/")[0].rpartition(":")[0] or location.partition("/")[0]
        advice = f"on a machine of the cluster, give {host}:{DEFAULT_PORT} (the port of `ray start --head`) or {AUTO}"
        if scheme == "ray":
            raise _refuse(address, f"a sweep cannot run through the Ray client (ray://); {advice}")
        if scheme in ("http", "https"):
            raise _refuse(address, f"that is a web page, such as Ray's dashboard, not the cluster itself; {advice}")
        raise _refuse(address, f"an address has no {scheme}:// before it; {REMEDY}")
    if address == "local":
        raise _refuse(address, "leave the address out, and the sweep starts a Ray of its own on this machine")


def _refuse(address: str, reason: str) -> RequestError:
    return RequestError(f"address {address!r}: {reason}")
