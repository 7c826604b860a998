"""Serve the page: find a free port, say the address, and answer until the end."""

from __future__ import annotations

import errno
import ipaddress
import socket
from dataclasses import dataclass
from urllib.parse import quote

import pyarrow as pa
import uvicorn

from kdtune.errors import RequestError
from kdtune.watch.analyst_process import AnalystProcess
from kdtune.watch.answer_cache import AnswerCache
from kdtune.watch.app import WatchPage, make_app
from kdtune.watch.guards import LOOPBACK_NAMES
from kdtune.watch.watched_folders import WatchedFolders

DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 8700
_MAX_PORTS_TRIED = 50


@dataclass(frozen=True)
class Address:
    """Where the page listens.

    Attributes
    ----------
    host : what was asked for: an address or a name of this machine.
    port : the port; 0 takes any free one.
    token : what the address must have to be answered; None if nothing is asked for.
    """

    host: str = DEFAULT_HOST
    port: int = DEFAULT_PORT
    token: str | None = None

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine reaches it."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"

    def write_url(self, port: int) -> str:
        """Return the address to open in a browser."""
        host = self.host
        if host in ("0.0.0.0", "::"):
            host = socket.gethostname()
        elif ":" in host:
            host = f"[{host}]"
        query = f"?token={quote(self.token, safe='')}" if self.token else ""
        return f"http://{host}:{port}/{query}"


def open_socket(address: Address) -> socket.socket:
    """Return a socket that is bound to an address, on the next free port if its own is taken.

    Raises
    ------
    RequestError
        If the host is none of this machine's, its ports may not be used, or none is free.
    """
    try:
        family, _, _, _, (ip, *_) = socket.getaddrinfo(address.host, None, type=socket.SOCK_STREAM)[0]
    except (OSError, UnicodeError):
        raise RequestError(f"--host {address.host}: there is no such host") from None
    last_port = min(65_535, address.port + _MAX_PORTS_TRIED)
    for port in range(address.port, last_port + 1):
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # A server before it may have ended just now.
        try:
            listener.bind((ip, port))
            listener.listen()
            return listener
        except OSError as error:
            listener.close()
            if error.errno != errno.EADDRINUSE:
                raise RequestError(f"{address.host}:{port} cannot be used: {error.strerror}") from None
    raise RequestError(f"the ports {address.port} to {last_port} are taken; name another one with --port")


class WatchServer:
    """The server of the page. Its address is taken when it is made, so that the page can be opened from then on.

    Parameters
    ----------
    folders : The sweeps to show.
    address : Where to listen.

    Raises
    ------
    RequestError
        If the address cannot be used.
    """

    def __init__(self, folders: WatchedFolders, address: Address) -> None:
        self._listener = open_socket(address)
        self.port = int(self._listener.getsockname()[1])
        self.url = address.write_url(self.port)  # to open in a browser
        self._analyst = AnalystProcess()
        self.page = WatchPage(folders, AnswerCache(self._analyst))
        host_names = [*LOOPBACK_NAMES, address.host.lower()] if address.is_loopback else None
        app = make_app(self.page, address.token, host_names)
        self._server = uvicorn.Server(
            uvicorn.Config(
                app, log_level="error", access_log=False, server_header=False, lifespan="off", ws="none",
                loop="asyncio", http="h11", timeout_graceful_shutdown=2,
            )
        )  # fmt: skip

    def run(self) -> None:
        """Answer until the process is interrupted, or ``end`` is called from another thread."""
        pa.set_memory_pool(pa.system_memory_pool())  # It gives back what reading a table took; others keep it.
        try:
            self._server.run(sockets=[self._listener])
        finally:
            self._analyst.end()
            self._listener.close()

    def end(self) -> None:
        """Let ``run`` return."""
        self._server.should_exit = True
