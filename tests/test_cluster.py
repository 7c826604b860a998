"""Starting, joining and leaving Ray: what is refused and with which words, and a process left as it was."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
import ray

from kdtune.errors import RequestError, SweepError
from kdtune.run import probe_cluster, start_ray
from kdtune.run.addresses import HostPort, parse_address
from kdtune.run.connect_ray import connect_to_ray
from kdtune.run.ray_messages import Connect
from tests.conftest import start_cluster

pytestmark = pytest.mark.xdist_group("ray")


def connect(address: str | None) -> None:
    connect_to_ray(Connect(address, cpus=1, verbose=False, code_folder=None))


def run_python(code: str, *arguments: object, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run code in a process of its own: what Ray does to a process would stay in this one."""
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)],
        env={name: value for name, value in os.environ.items() if not name.startswith("RAY_")} | variables,
        cwd=Path(__file__).parent.parent,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )


# --- addresses ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("auto", None),
        ("myhost:6379", HostPort("myhost", 6379)),
        ("10.0.0.1:1", HostPort("10.0.0.1", 1)),
        ("[::1]:65535", HostPort("::1", 65535)),
    ],
)
def test_an_address_is_a_host_and_a_port(address, expected):
    assert parse_address(address) == expected


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("", "the port is missing"),
        ("myhost", r"the port is missing; .*for example myhost:6379"),
        ("[::1]", r"the port is missing; .*for example \[::1\]:6379"),
        (":6379", "the host is missing"),
        ("host:notaport", "must be a number, not 'notaport'"),
        ("host:", "must be a number, not ''"),
        ("host:6379 ", "must be a number"),
        ("host:-1", "must be a number, not '-1'"),
        ("host:0", "between 1 and 65535, not 0"),
        ("host:65536", "between 1 and 65535, not 65536"),
        ("::1:6379", r"in brackets, as in \[::1\]:6379"),
        ("ray://host:10001", "Ray client .* give host:6379"),
        ("http://host:8265", "dashboard, .* give host:6379"),
        ("https://host/", "dashboard, .* give host:6379"),
        ("tcp://host:6379", "no tcp:// before it"),
        ("local", "leave the address out"),
    ],
)
def test_any_other_address_is_refused_with_what_to_give_instead(address, message):
    with pytest.raises(RequestError, match=message):
        parse_address(address)


def test_a_host_that_is_not_known_and_a_port_where_nothing_listens_are_refused():
    with (
        pytest.raises(RequestError, match=r"there is no host 'no\.such\.host\.invalid'"),
    ):
        connect("no.such.host.invalid:6379")
    with pytest.raises(RequestError, match="no Ray cluster answers there"):
        connect("127.0.0.1:1")


def test_a_port_of_something_else_than_ray_is_refused(monkeypatch):
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        monkeypatch.setattr(probe_cluster, "ANSWER_SECONDS", 2.0)
        with pytest.raises(RequestError, match="does not answer as a Ray cluster does"):
            connect(address)
    assert not ray.is_initialized()


def test_auto_is_refused_if_the_cluster_that_ran_last_has_ended(monkeypatch, tmp_path):
    (tmp_path / "ray").mkdir()
    (tmp_path / "ray/ray_current_cluster").write_text("127.0.0.1:1")
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))
    monkeypatch.setattr(probe_cluster, "ANSWER_SECONDS", 2.0)
    if ray._private.services.find_gcs_addresses():
        pytest.skip("a Ray runs on this machine, which auto finds by its processes")
    with pytest.raises(RequestError, match="no longer answers; give HOST:PORT"):
        connect("auto")


# --- failing to start and to join -----------------------------------------------------------------


def test_a_ray_that_does_not_start_is_reported(monkeypatch):
    monkeypatch.setattr(start_ray, "OBJECT_STORE_BYTES", 1)
    with pytest.raises(SweepError, match=r"Ray does not start on this machine: .+; --verbose"):
        connect(None)
    assert not ray.is_initialized()


START_RAY = """
from kdtune.errors import SweepError
from kdtune.run.connect_ray import connect_to_ray
from kdtune.run.ray_messages import Connect
try:
    connect_to_ray(Connect(None, cpus=1, verbose=False, code_folder=None))
    print("started")
except SweepError as error:
    print(error)
"""


@pytest.mark.slow
def test_a_temporary_folder_that_is_too_long_is_named_with_the_remedy(tmp_path):
    folder = tmp_path / ("long" * 25)
    folder.mkdir()
    for variable in ("TMPDIR", "RAY_TMPDIR"):
        run = run_python(START_RAY, **{variable: str(folder)})
        assert f"{folder} (from {variable}), is too long" in run.stdout, run.stderr
        assert "set RAY_TMPDIR to a short one, as in RAY_TMPDIR=/tmp" in run.stdout
        assert "Traceback" not in run.stdout + run.stderr
    assert run_python(START_RAY, TMPDIR=str(folder), RAY_TMPDIR="/tmp").stdout == "started\n"


def test_a_temporary_folder_that_cannot_be_made_is_named_with_the_remedy(tmp_path):
    (tmp_path / "file").touch()
    run = run_python(START_RAY, TMPDIR="/tmp", RAY_TMPDIR=str(tmp_path / "file"))
    assert f"below {tmp_path / 'file'} (from RAY_TMPDIR)" in run.stdout, run.stderr


@pytest.mark.slow
def test_a_cluster_that_wants_a_token_says_so_at_once(kdtune, write, monkeypatch):
    token = "0123456789abcdef" * 2
    monkeypatch.delenv("RAY_AUTH_MODE", raising=False)
    with start_cluster(n_nodes=1, RAY_AUTH_MODE="token", RAY_AUTH_TOKEN=token) as address:
        start = time.monotonic()
        run = kdtune("sweep", write(), "--address", address)
        seconds = time.monotonic() - start
        assert run.returncode == 2
        assert "the cluster wants a token; set RAY_AUTH_MODE=token" in run.stderr
        assert "InvalidAuthToken" not in run.stderr
        assert len(run.stderr.splitlines()) == 3, run.stderr  # the file, the joining, the refusal
        assert seconds < 15, "Ray itself tries for 20 seconds"

        monkeypatch.setenv("RAY_AUTH_MODE", "token")
        monkeypatch.setenv("RAY_AUTH_TOKEN", token[::-1])
        run = kdtune("sweep", write(), "--address", address)
        assert run.returncode == 2
        assert "the cluster refuses this token" in run.stderr

        monkeypatch.setenv("RAY_AUTH_TOKEN", token)
        run = kdtune("sweep", write(), "--address", address)
        assert run.returncode == 0, run.stderr


# --- the process of the user ----------------------------------------------------------------------


@pytest.mark.slow
def test_auto_is_the_ray_of_this_process_and_a_ray_of_its_own_starts_beside_it(write, tmp_path):
    run = run_python(
        """
        import sys
        import kdtune, ray
        ray.init(address="local", num_cpus=2, include_dashboard=False, logging_level="ERROR")
        try:
            kdtune.sweep(sys.argv[1], results=sys.argv[2] + "/no", address="127.0.0.1:1", progress=False)
        except kdtune.RequestError as error:
            print(error)
        for i, right in enumerate(("auto", None)):
            table = kdtune.sweep(sys.argv[1], results=f"{sys.argv[2]}/{i}", address=right, progress=False)
            assert (table["status"] == "done").all()
            assert ray.is_initialized()
            assert ray.get(ray.remote(lambda: 42).remote()) == 42
            assert len(ray._private.state.jobs()) == 2, "the first sweep joined, the second has a Ray of its own"
        print("everything as it should be")
        """,
        write(),
        tmp_path / "results",
        RAY_AUTH_MODE="disabled",
        RAY_TMPDIR="/tmp",
    )
    assert run.stdout.endswith("everything as it should be\n"), run.stdout + run.stderr
    assert "no Ray cluster answers there" in run.stdout


OBSERVE_PROCESS = """
import faulthandler, gc, os, resource, signal, sys, threading
import kdtune, psutil, torch

def observe():
    return {
        "environment": dict(os.environ),
        "signals": {number: signal.getsignal(number) for number in signal.valid_signals()},
        "garbage collection": (gc.isenabled(), gc.get_threshold()),
        "threads of torch": torch.get_num_threads(),
        "fault handler": faulthandler.is_enabled(),
        "open files": resource.getrlimit(resource.RLIMIT_NOFILE),
        "folder": os.getcwd(),
        "ray": "ray" in sys.modules,
        "processes": psutil.Process().children(recursive=True),
        "scratch folders": sorted(path for path in os.listdir(os.environ["TMPDIR"])),
    }

def on_terminate(*_):
    pass

path, results, address = sys.argv[1:]
gc.disable()
torch.set_num_threads(2)
signal.signal(signal.SIGTERM, on_terminate)
resource.setrlimit(resource.RLIMIT_NOFILE, (5000, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
before = observe()

def check(what):
    after = observe()
    changed = {name: (before[name], after[name]) for name in before if before[name] != after[name]}
    assert not changed, (what, changed)
    print(what)
"""


@pytest.mark.slow
def test_a_sweep_leaves_the_process_as_it_was(write, tmp_path, ray_address):
    """After sweeps that end, on a Ray of their own and on one that runs, that are refused, interrupted or break."""
    (tmp_path / "tmp").mkdir()
    run = run_python(
        OBSERVE_PROCESS
        + """
kdtune.sweep(path, results=results, set=["distill.T=3"], address=address, progress=False)
check("joined")
del os.environ["RAY_AUTH_MODE"]
before = observe()
kdtune.sweep(path, results=results, progress=False)
check("started")
for wrong in ("127.0.0.1:1", address + "0"):
    try:
        kdtune.sweep(path, results=results, set=["distill.T=7"], address=wrong, progress=False)
    except kdtune.RequestError:
        check("refused")
from kdtune.run.supervisor import RayWorkers
def interrupt(*_):
    raise KeyboardInterrupt
def break_off(*_):
    raise kdtune.SweepError
for stop, word in ((interrupt, "interrupted"), (break_off, "failed")):
    RayWorkers.run_packs, run_packs = stop, RayWorkers.run_packs
    try:
        kdtune.sweep(path, results=results, set=["distill.T=7"], progress=False)
    except (KeyboardInterrupt, kdtune.SweepError):
        check(word)
    RayWorkers.run_packs = run_packs
""",
        write(),
        tmp_path / "results",
        ray_address,
        RAY_AUTH_MODE="disabled",
        TMPDIR=str(tmp_path / "tmp"),
        RAY_TMPDIR="/tmp",
    )
    assert run.stdout.split() == ["joined", "started", "refused", "refused", "interrupted", "failed"], run.stderr


@pytest.mark.parametrize(
    ("versions", "said"),
    [(("2.59.0", "3.11.7"), "Ray: 2.59.0"), (("2.60.0", "3.10.1"), "Python: 3.10.1")],
)
@pytest.mark.slow
def test_another_version_of_ray_or_python_is_refused_in_one_message(versions, said, ray_address):
    code = f"""
        import ray._private.utils
        from kdtune.errors import RequestError
        from kdtune.run.connect_ray import connect_to_ray
        from kdtune.run.ray_messages import Connect
        ray._private.utils.compute_version_info = lambda: {versions}
        try:
            connect_to_ray(Connect({ray_address!r}, cpus=1, verbose=False, code_folder=None))
        except RequestError as error:
            print(error)
    """
    run = run_python(code, RAY_AUTH_MODE="disabled")
    assert "cannot join the Ray cluster" in run.stdout, run.stderr
    assert "Version mismatch" in run.stdout
    assert said in run.stdout
    assert len(run.stdout.splitlines()) == 1
