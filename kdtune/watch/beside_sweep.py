"""Serve the page of a sweep in a process beside it, which ends with it: `kdtune sweep --watch`.

    python -m kdtune.watch.beside_sweep FOLDER PARENT_PID HOST PORT    the token is in the environment

The process prints one line of JSON, with ``url`` or with ``error``.
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from kdtune.errors import KdtuneError, RequestError
from kdtune.watch.app import WatchPage
from kdtune.watch.serve import Address, WatchServer
from kdtune.watch.token_file import get_token
from kdtune.watch.watched_folders import watch_one

_TOKEN_VARIABLE = "KDTUNE_WATCH_TOKEN"  # An argument could be read by every user of the machine.
_START_SECONDS = 60.0  # A cold disk takes some seconds to import what it needs.
_FAREWELL_SECONDS = 3.0  # for open pages to see how the sweep ended


@dataclass
class WatchProcess:
    """A process that serves the page of a sweep."""

    url: str  # to open in a browser, with the token
    process: subprocess.Popen[str]

    def end(self) -> None:
        """End the process, after open pages have seen how the sweep ended: this takes some seconds at most."""
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()  # The process ends when its standard input does.
        try:
            self.process.wait(timeout=2 * _FAREWELL_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def start_watching(folder: Path, address: Address | None = None) -> WatchProcess:
    """Start a process that serves the page of a sweep, and return it once the page can be opened.

    It ends with the process that calls this, however that ends. The sweep's folder need not exist yet.

    Parameters
    ----------
    folder : The sweep's folder.
    address : Where to listen; by default on this machine only, with the user's token.

    Raises
    ------
    RequestError
        If the address cannot be used, or the process cannot be started.
    """
    address = address or Address(token=get_token())
    process = subprocess.Popen(
        [sys.executable, "-m", __name__, str(folder.absolute()), str(os.getpid()), address.host, str(address.port)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        encoding="utf-8",
        env=os.environ | {_TOKEN_VARIABLE: address.token or ""},
    )
    line = _read_line(process)
    if not line:
        process.kill()
        process.wait()
        raise RequestError("the page that watches the sweep did not start; `kdtune watch` says why")
    message = json.loads(line)
    if "error" in message:
        process.wait()
        raise RequestError(message["error"])
    return WatchProcess(message["url"], process)


def _read_line(process: subprocess.Popen[str]) -> str:
    """Return the first line that a process prints; nothing if it ends without one, or takes too long."""
    assert process.stdout is not None
    is_readable, _, _ = select.select([process.stdout], [], [], _START_SECONDS)
    return process.stdout.readline() if is_readable else ""


def main(folder: str, parent_pid: str, host: str, port: str) -> None:
    """Serve the page until the parent ends, or closes this process's standard input."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the sweep, which then ends this process.
    address = Address(host, int(port), os.environ.pop(_TOKEN_VARIABLE, "") or None)
    try:
        server = WatchServer(watch_one(Path(folder)), address)
    except KdtuneError as error:
        print(json.dumps({"error": str(error)}), flush=True)
        return
    # The server treats signals only in the main thread.
    thread = threading.Thread(target=server.run)
    thread.start()
    print(json.dumps({"url": server.url}), flush=True)
    _wait_for_end_of_parent(int(parent_pid))
    _wait_for_readers(server.page)
    server.end()
    thread.join()


def _wait_for_end_of_parent(parent_pid: int) -> None:
    """Return when the parent is gone, or has closed this process's standard input."""
    while os.getppid() == parent_pid:
        is_closed, _, _ = select.select([sys.stdin], [], [], 1.0)
        if is_closed:
            return


def _wait_for_readers(page: WatchPage) -> None:
    """Return when an open page has asked once more, so that it shows how the sweep ended; at once if none is open."""
    start = time.monotonic()
    has_readers = start - page.polled_at < _FAREWELL_SECONDS
    while has_readers and page.polled_at < start and time.monotonic() < start + _FAREWELL_SECONDS:
        time.sleep(0.1)


if __name__ == "__main__":
    main(*sys.argv[1:])
