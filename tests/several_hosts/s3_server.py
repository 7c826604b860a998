"""An S3 server as a process of its own: SeaweedFS, from PyPI."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.conftest import find_free_port
from tests.object_stores import VARIABLES

START_SECONDS = 60.0


def find_server() -> str | None:
    """Return the path of the program, or None if it is not installed."""
    beside_python = Path(sys.executable).with_name("weed")
    return str(beside_python) if beside_python.exists() else shutil.which("weed")


@contextmanager
def serve_seaweed(folder: Path, address: str = "127.0.0.1") -> Iterator[str]:
    """Serve S3 from files in a folder, to the keys of ``VARIABLES`` only, and yield the endpoint's URL."""
    program = find_server()
    assert program is not None
    folder.mkdir(parents=True, exist_ok=True)
    keys = {"accessKey": VARIABLES["AWS_ACCESS_KEY_ID"], "secretKey": VARIABLES["AWS_SECRET_ACCESS_KEY"]}
    actions = ["Admin", "Read", "Write", "List", "Tagging"]
    identity = {"name": "test", "credentials": [keys], "actions": actions}
    (folder / "s3.json").write_text(json.dumps({"identities": [identity]}))
    port = find_free_port()
    command = [
        program,
        "server",
        f"-dir={folder}",
        f"-ip={address}",
        "-ip.bind=0.0.0.0",
        "-master.volumeSizeLimitMB=64",
    ]
    command += ["-s3", f"-s3.port={port}", f"-s3.config={folder / 's3.json'}", "-volume.max=100"]
    command += [f"-{part}.port={find_free_port()}" for part in ("master", "volume", "filer")]
    # By default they are greater by 10,000, and some are no ports.
    command += [f"-{part}.port.grpc={find_free_port()}" for part in ("master", "volume", "filer", "s3")]
    command += ["-s3.port.iceberg=0", "-s3.port.lance=0", "-master.telemetry=false"]
    with (folder / "server.log").open("ab") as log:
        server = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
    try:
        _wait_for_port(address, port, server, folder)
        yield f"http://{address}:{port}"
    finally:
        server.kill()
        server.wait()


def _wait_for_port(address: str, port: int, server: subprocess.Popen[bytes], folder: Path) -> None:
    ends_at = time.monotonic() + START_SECONDS
    while time.monotonic() < ends_at and server.poll() is None:
        with suppress(OSError), socket.create_connection((address, port), timeout=1):
            return
        time.sleep(0.2)
    raise RuntimeError(f"the S3 server did not start: {(folder / 'server.log').read_text()[-2000:]}")
