"""`kdtune watch` as a command, and the page's process beside a sweep."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kdtune.errors import RequestError
from kdtune.watch.beside_sweep import start_watching
from kdtune.watch.serve import Address
from kdtune.watch.watched_folders import WatchedFolders, locate_watched_folders
from tests.watched import TOKEN, copy_table, set_status, wait_for

TO_REFUSE = {
    "a folder that does not exist": (["nothing"], "there is no such file, folder or sweep"),
    "a folder without sweeps": (["pictures"], "the folder holds no sweep"),
    "a table from elsewhere": (["runs.csv"], "only the folder of a sweep can be watched"),
    "an empty name": ([""], "the name of the folder is empty"),
    "a short token": (["--token", "1234"], "must have 8 characters or more"),
    "two wishes": (["--token", TOKEN, "--no-token"], "contradict each other"),
    "no token for others": (["--no-token", "--host", "0.0.0.0"], "needs a token"),
    "a host of another machine": (["--host", "203.0.113.7"], "cannot be used"),
    "a port that is none": (["--port", "70000"], "70000"),
}


@pytest.mark.parametrize(("arguments", "message"), TO_REFUSE.values(), ids=TO_REFUSE)
def test_a_wrong_command_is_refused(call: Callable[..., Any], arguments: list[str], message: str) -> None:
    Path("pictures").mkdir()
    Path("pictures", "cat.png").touch()
    Path("runs.csv").write_text("temp,num_error\n")
    result = call("watch", *arguments)
    assert (result.exit_code, "Traceback" in result.output) == (2, False)
    assert message in result.output


def test_what_is_watched_is_found_as_analyze_finds_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    results = tmp_path / "results"
    assert locate_watched_folders(None) == WatchedFolders(results)
    assert WatchedFolders(results).list_sweeps() == []
    for age, name in enumerate(("old", "new")):
        copy_table("forest", results / name)
        for path in (results / name).iterdir():
            os.utime(path, (1e9 + age, 1e9 + age))
    (results / "teachers").mkdir()
    (results / ".hidden").mkdir()
    (results / "notes").mkdir()
    assert WatchedFolders(results).list_sweeps() == ["new", "old"]
    for name in ("new", "results/new", "results/new/table.parquet", str(results / "new")):
        assert locate_watched_folders(name) == WatchedFolders(results, "new")
    assert locate_watched_folders("results").list_sweeps() == ["new", "old"]
    monkeypatch.chdir(results / "old")
    assert locate_watched_folders(".") == WatchedFolders(results, "old")
    assert locate_watched_folders("..").list_sweeps() == ["new", "old"]


def ask(url: str, path: str = "") -> int:
    """Return the status of an answer; 0 if nobody answers."""
    address, _, query = url.partition("?")
    try:
        with urllib.request.urlopen(f"{address}{path}?{query}", timeout=10) as response:
            return int(response.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


def test_a_port_that_is_taken_is_said_and_the_next_free_one_used(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        command = [sys.executable, "-m", "kdtune", "watch", "--port", str(port), "--token", TOKEN]
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=tmp_path
        ) as process:
            assert process.stdout is not None
            first, second = process.stdout.readline(), process.stdout.readline()
            try:
                assert first.startswith(f"Port {port} is taken, so the page is on port ")
                url = second.removeprefix("Watch: ").strip()
                assert re.fullmatch(rf"http://127\.0\.0\.1:\d+/\?token={TOKEN}", url)
                assert ask(url) == ask(url, "api/status") == 200
                assert ask(url.replace(TOKEN, "wrong-token")) == 403
            finally:
                process.send_signal(signal.SIGINT)
            assert process.wait(timeout=20) == 130  # as every command that Ctrl-C ends


def test_the_page_beside_a_sweep_ends_when_it_is_told(tmp_path: Path) -> None:
    server = start_watching(tmp_path / "results" / "mine", Address(port=0, token=TOKEN))
    assert ask(server.url, "api/status") == 200
    assert not (tmp_path / "results").exists()  # a sweep that is refused leaves nothing, and neither does its page
    server.process.send_signal(signal.SIGINT)  # Ctrl-C on the terminal is for the sweep.
    set_status(tmp_path / "results" / "mine")
    assert ask(server.url, "api/status") == 200
    server.end()
    assert ask(server.url) == 0
    assert server.process.returncode == 0


def test_the_page_beside_a_sweep_ends_with_a_sweep_that_is_killed(tmp_path: Path) -> None:
    script = (
        "import time; from pathlib import Path; from kdtune.watch.beside_sweep import start_watching; "
        "from kdtune.watch.serve import Address; "
        f"server = start_watching(Path('mine'), Address(port=0, token='{TOKEN}')); "
        "print(server.url, flush=True); time.sleep(600)"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, cwd=tmp_path) as sweep:
        assert sweep.stdout is not None
        url = sweep.stdout.readline().strip()
        assert ask(url, "api/status") == 200
        sweep.kill()
        wait_for(lambda: ask(url) == 0)


def test_an_address_that_cannot_be_used_is_said_to_the_sweep(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="cannot be used"):
        start_watching(tmp_path, Address(host="203.0.113.7", token=TOKEN))
