"""The process that holds Ray, when it dies, hangs or prints; a stand-in for Ray where Ray itself is not the point."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from kdtune.errors import RequestError, SweepError
from kdtune.plan.plan import Plan
from kdtune.results.store import Store
from kdtune.run import ray_session, supervisor
from kdtune.run.patience import Patience
from kdtune.run.process_session import is_running, kill_session
from kdtune.run.ray_messages import Broken, Connect, Connected
from kdtune.run.ray_session import RayDiedError, RaySession
from kdtune.run.supervisor import RayWorkers
from kdtune.run.worker_options import WorkerOptions

NOWHERE = Connect("127.0.0.1:1", cpus=1, verbose=False, code_folder=None)


@pytest.fixture
def session(tmp_path):
    """A session that has not connected yet: its process waits to be told."""
    session = RaySession(NOWHERE, tmp_path / "ray.log", tmp_path)
    yield session
    session.kill()


def receive_all(session: RaySession) -> None:
    while True:
        session.receive()


def test_a_process_that_was_killed_is_noticed(session):
    os.kill(session.pid, signal.SIGKILL)
    with pytest.raises(RayDiedError, match="its process was killed by signal 9"):
        receive_all(session)


def test_a_process_that_hangs_is_noticed_and_killed(session, monkeypatch):
    monkeypatch.setattr(ray_session, "HANG_SECONDS", 1.0)
    os.kill(session.pid, signal.SIGSTOP)
    with pytest.raises(RayDiedError, match="it has not answered"):
        receive_all(session)
    session.kill()
    assert not is_running(session.pid)


def test_a_ray_that_breaks_off_while_it_starts_says_why(session):
    session._inbox.put(Broken("Exception: the node timed out"))
    with pytest.raises(RayDiedError, match="the node timed out"):
        session.connect()


def test_a_process_that_ray_needs_is_missed(session):
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(100)"])
    session.vital_pids = {process.pid: "raylet"}
    assert session.receive() is None
    process.kill()
    with pytest.raises(RayDiedError, match="its process raylet died"):
        session.receive()
    process.wait()


def test_the_processes_of_a_session_end_wherever_they_are_in_the_tree():
    code = "import subprocess, sys; print(subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(99)']).pid)"
    leader = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, start_new_session=True)
    orphan = int(leader.stdout.readline())
    leader.wait()
    other = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(99)"])
    assert is_running(orphan)
    kill_session(leader.pid)
    assert not is_running(orphan)
    assert is_running(other.pid)
    other.kill()
    other.communicate()


def test_a_ray_of_the_sweeps_own_has_neither_dashboard_nor_autoscaler(tmp_path):
    session = RaySession(Connect(None, cpus=1, verbose=False, code_folder=None), tmp_path / "ray.log", tmp_path)
    try:
        session.connect()
        children = [child for child in psutil.Process(session.pid).children() if is_running(child.pid)]
        scripts = {Path(part).name for child in children for part in child.cmdline()[:4]}
    finally:
        session.kill()
    assert sorted(session.vital_pids.values()) == ["gcs_server", "raylet"]
    assert scripts >= {"gcs_server", "raylet"}
    assert not scripts & {"dashboard.py", "monitor.py", "log_monitor.py"}


def _get_session(pid):
    try:
        return os.getsid(pid)
    except OSError:
        return None


def test_a_supervisor_that_is_killed_leaves_no_process(tmp_path):
    code = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from kdtune.run.ray_messages import Connect\n"
        "from kdtune.run.ray_session import RaySession\n"
        "folder = Path(sys.argv[1])\n"
        "session = RaySession(Connect(None, 1, False, None), folder / 'ray.log', folder)\n"
        "session.connect()\n"
        "print(session.pid, *session.vital_pids, flush=True)\n"
        "time.sleep(600)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    pids = process.stdout.readline().split()
    assert len(pids) == 3, "Ray's process, the GCS and the raylet"
    assert all(is_running(int(pid)) for pid in pids)
    process.kill()
    process.communicate()
    end = time.monotonic() + 30
    while any(is_running(int(pid)) for pid in pids) and time.monotonic() < end:
        time.sleep(0.2)
    assert not any(is_running(int(pid)) for pid in pids)
    assert not [pid for pid in psutil.pids() if _get_session(pid) == int(pids[0]) and is_running(pid)]


class Dead:
    """A session whose Ray is dead from the start, or a cluster that is away."""

    error: Exception = RayDiedError("its process was killed by signal 9")

    def __init__(self, *_):
        pass

    def connect(self):
        raise self.error

    def kill(self):
        pass

    close = kill


class Silence:
    def __init__(self):
        self.deaths = []

    def on_training_changed(self, in_training): ...

    def on_workers_changed(self, workers):
        pass

    def on_ray_died(self, reason):
        self.deaths.append(reason)


def run_dead(plan: Plan, tmp_path, monkeypatch, patience, address=None):
    said, listener = [], Silence()
    monkeypatch.setattr(supervisor, "RaySession", Dead)
    monkeypatch.setattr(supervisor, "PAUSES", (0.0,))
    monkeypatch.setattr(supervisor, "CLUSTER_SECONDS", 0.01)
    request = Connect(address, cpus=1, verbose=False, code_folder=None)
    workers = RayWorkers(request, tmp_path, tmp_path / "ray.log", patience, said.append)

    def break_off(*_):
        raise RayDiedError("it has not answered for 60 s")

    monkeypatch.setattr(workers, "_serve", break_off)
    options = WorkerOptions(workers=1)
    with pytest.raises(SweepError) as caught:
        workers.run_packs(plan.packs, Store(tmp_path, "small"), options, listener, print)
    return str(caught.value), said, listener.deaths


@pytest.mark.parametrize("restarts", [0, 1, 3])
def test_a_sweep_gives_up_after_so_many_restarts_in_vain(plan, tmp_path, monkeypatch, restarts):
    error, said, deaths = run_dead(plan(), tmp_path, monkeypatch, Patience(restarts))
    assert len(said) == restarts
    assert len(deaths) == restarts + 1
    times = "1 time" if restarts == 0 else f"{restarts + 1} times"
    assert error.startswith(f"Ray died {times} without a pack finished in between, the last time because")
    assert str(tmp_path / "ray.log") in error
    assert "Run the same command to continue." in error


def test_a_cluster_that_is_away_is_waited_for_each_minute_said(plan, tmp_path, monkeypatch):
    monkeypatch.setattr(Dead, "error", RequestError("address '10.0.0.1:6379': no Ray cluster answers there"))
    now = [0.0]
    monkeypatch.setattr(supervisor.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(supervisor.time, "sleep", lambda seconds: now.__setitem__(0, now[0] + 5.0))
    patience = Patience(cluster_minutes=3)
    error, said, _ = run_dead(plan(), tmp_path, monkeypatch, patience, "10.0.0.1:6379")
    assert error.startswith("the cluster has not come back: address '10.0.0.1:6379'")
    assert said[0].startswith("Ray died: it has not answered for 60 s. Joining it again (restart 1 of 3).")
    waits = [line for line in said if line.startswith("Waiting")]
    assert waits[0] == "Waiting for the Ray cluster at 10.0.0.1:6379; giving up after 3 min."
    ending = "for the Ray cluster at 10.0.0.1:6379; giving up after 3 min."
    assert waits[1:] == [f"Waiting for {minutes} min {ending}" for minutes in (1, 2, 3)]


@pytest.mark.parametrize("values", [{"restarts": -1}, {"restarts": 1.5}, {"cluster_minutes": -1}])
def test_wrong_patience_is_refused(values):
    with pytest.raises(RequestError):
        Patience(**values)


def test_a_ray_that_dies_while_it_starts_for_the_first_time_is_started_again(tmp_path, monkeypatch):
    attempts, said = [], []

    class DeadAtFirst(Dead):
        def connect(self):
            attempts.append(self)
            if len(attempts) < 3:
                raise RayDiedError("its process gcs_server died")
            return Connected(nodes=(), session_folder="")

    monkeypatch.setattr(supervisor, "RaySession", DeadAtFirst)
    monkeypatch.setattr(supervisor, "PAUSES", (0.0,))
    request = Connect(None, cpus=1, verbose=False, code_folder=None)
    RayWorkers(request, tmp_path, tmp_path / "ray.log", Patience(), said.append).connect()
    assert len(attempts) == 3
    assert [line.partition(" What")[0] for line in said] == [
        "Ray died: its process gcs_server died. Starting it again (restart 1 of 3).",
        "Ray died: its process gcs_server died. Starting it again (restart 2 of 3).",
    ]
