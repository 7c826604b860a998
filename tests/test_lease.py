"""The lease of a driver: one holder at a time, whoever is killed, late or cut off."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from kdtune.errors import RequestError, StorageError
from kdtune.objects import lease as lease_module
from kdtune.objects.folder import ObjectFolder
from kdtune.objects.lease import LEASE_NAME, Lease, LeaseLostError, hold_lease

RENEW, VOID = 0.2, 1.0  # seconds, in place of 15 and 60


@pytest.fixture
def folder(bucket: str, monkeypatch: pytest.MonkeyPatch) -> ObjectFolder:
    monkeypatch.setattr(lease_module, "RENEW_SECONDS", RENEW)
    monkeypatch.setattr(lease_module, "VOID_SECONDS", VOID)
    monkeypatch.setattr(lease_module, "POLL_SECONDS", 0.05)
    return ObjectFolder(f"{bucket}/sweep")


def test_a_second_driver_is_refused_with_the_name_of_the_first(folder: ObjectFolder) -> None:
    lines: list[str] = []
    with hold_lease(folder) as lease:
        refusal = pytest.raises(RequestError, match=rf"in use by another sweep \(host .*, pid {os.getpid()}, since")
        with refusal, hold_lease(folder, say=lines.append):
            pass
        lease.check()
    assert len(lines) == 1
    assert "Looking whether it still runs" in lines[0]
    assert folder.read(LEASE_NAME) is None


def test_a_holder_keeps_its_lease_for_many_times_its_length(folder: ObjectFolder) -> None:
    with hold_lease(folder) as lease:
        time.sleep(2.5 * VOID)
        lease.check()


def test_a_driver_that_waits_gets_the_lease_when_it_is_given_back(folder: ObjectFolder) -> None:
    order: list[str] = []

    def wait() -> None:
        with hold_lease(folder, waits=True):
            order.append("second")

    with hold_lease(folder):
        thread = threading.Thread(target=wait)
        thread.start()
        time.sleep(2 * VOID)  # It is renewed: the waiter may not take it over.
        order.append("first")
    thread.join(timeout=10)
    assert order == ["first", "second"]


def test_the_lease_of_a_killed_process_is_taken_over(folder: ObjectFolder) -> None:
    script = (
        "import sys, time\n"
        "from kdtune.objects.folder import ObjectFolder\n"
        "from kdtune.objects.lease import hold_lease\n"
        "with hold_lease(ObjectFolder(sys.argv[1])):\n"
        "    print('held', flush=True)\n"
        "    time.sleep(600)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", script, folder.url], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    started_at = time.monotonic()
    with hold_lease(folder) as lease:
        assert time.monotonic() - started_at > VOID
        lease.check()


def test_a_holder_that_was_stopped_learns_that_it_lost(folder: ObjectFolder) -> None:
    with hold_lease(folder) as late:
        _stop_renewing(late)
        with hold_lease(folder, waits=True) as lease:
            lease.check()
            late._renew()
            with pytest.raises(LeaseLostError, match=r"another driver has taken over \(host"):
                late.check()
            late.release()  # It must not remove the other's.
            lease.check()
            assert folder.read(LEASE_NAME) is not None


def test_a_holder_that_cannot_renew_stops_before_another_may_take_over(
    folder: ObjectFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    with hold_lease(folder) as lease:

        def refuse(*arguments: object) -> None:
            raise StorageError("the network is away")

        monkeypatch.setattr(lease._folder, "update", refuse)
        with hold_lease(ObjectFolder(folder.url), waits=True), pytest.raises(LeaseLostError, match="not be renewed"):
            lease.check()


def test_a_lost_answer_to_a_renewal_is_no_loss(folder: ObjectFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    """The store has written, and the client repeats the request: it is told that the ETag has changed."""
    with hold_lease(folder) as lease:
        _stop_renewing(lease)
        update = lease._folder.update

        def lose_answer(name: str, content: bytes, etag: str) -> None:
            assert update(name, content, etag)

        monkeypatch.setattr(lease._folder, "update", lose_answer)
        lease._renew()
        monkeypatch.setattr(lease._folder, "update", update)
        lease._renew()
        lease.check()


def test_many_drivers_hold_the_lease_one_after_the_other(folder: ObjectFolder) -> None:
    holders: list[int] = []
    most = []

    def drive(number: int) -> None:
        with hold_lease(ObjectFolder(folder.url), waits=True):
            holders.append(number)
            most.append(len(holders))
            time.sleep(0.05)
            holders.remove(number)

    threads = [threading.Thread(target=drive, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert most == [1] * 6


def test_a_lease_of_another_version_is_respected_until_it_is_void(folder: ObjectFolder) -> None:
    folder.write(LEASE_NAME, b"of another version")
    lines: list[str] = []
    with hold_lease(folder, say=lines.append) as lease:
        lease.check()
    assert "another version" in lines[0]


def _stop_renewing(lease: Lease) -> None:
    """Stop the thread that renews a lease, as a machine that is suspended would."""
    lease._is_over.set()
    lease._thread.join()


def test_a_lease_of_a_process_that_has_ended_here_is_taken_over_at_once(folder: ObjectFolder, tmp_path: Path) -> None:
    token_path = tmp_path / "token"
    lines: list[str] = []
    with hold_lease(folder, token_path=token_path) as dead:
        _stop_renewing(dead)
        with hold_lease(folder, say=lines.append, token_path=token_path) as lease:
            lease.check()
            dead._renew()
            with pytest.raises(LeaseLostError):
                dead.check()
    assert lines == []
