"""A lease: an object that says which process drives a sweep, as no lock of the system can where folders are objects.

The holder renews the lease each ``RENEW_SECONDS`` by a write that is conditional on its ETag. Whoever waits for it
looks at the ETag: once it has not changed for ``VOID_SECONDS`` of the waiter's own clock, the lease is void and may be
taken over, again by a conditional write, so that of several waiters one succeeds. Clocks of different machines are
never compared. A holder that could not renew for so long stops before anybody can take over: its clock starts before
the write, the waiter's after it. (Gray and Cheriton, "Leases: An Efficient Fault-Tolerant Mechanism for Distributed
File Cache Consistency", SOSP 1989.)
"""

from __future__ import annotations

import os
import platform
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from kdtune.errors import RequestError, StorageError
from kdtune.files.atomic import write_atomically
from kdtune.objects.folder import ObjectFolder

LEASE_NAME = "lease.json"
RENEW_SECONDS = 15.0
VOID_SECONDS = 60.0
POLL_SECONDS = 1.0


class Holder(BaseModel):
    """Who holds a lease: the content of its object."""

    model_config = ConfigDict(frozen=True)

    token: str  # another one for each holder: a write whose answer was lost is recognized by it
    host: str
    pid: int
    since: str  # UTC
    renewals: int = 0  # counted so that the ETag, which may be a hash of the content, changes with each

    def __str__(self) -> str:
        return f"host {self.host}, pid {self.pid}, since {self.since} UTC"


class LeaseLostError(StorageError):
    """Another driver has taken over, or may have: this one must stop. What was finished is in the store."""


class Lease:
    """A lease that this process holds; a thread renews it.

    Parameters
    ----------
    folder : the folder of the lease.
    holder : who holds it: this process.
    etag : that of the lease as it was acquired.
    acquired_at : the monotonic time before it was acquired.
    """

    def __init__(self, folder: ObjectFolder, holder: Holder, etag: str, acquired_at: float) -> None:
        self._folder = folder
        self._holder = holder
        self._etag = etag
        self._renewed_at = acquired_at
        self._lost: str | None = None  # why it was lost
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._renew_until_over, name="lease", daemon=True)
        self._thread.start()

    @property
    def token(self) -> str:
        """What the lease is recognized by."""
        return self._holder.token

    def check(self) -> None:
        """Raise LeaseLostError if another driver has taken over, or may take over soon."""
        if self._lost is None and time.monotonic() - self._renewed_at > VOID_SECONDS:
            self._lost = (
                f"the lease could not be renewed for {VOID_SECONDS:.0f} s, so that another driver may take over"
            )
        if self._lost is not None:
            raise LeaseLostError(f"{self._folder.url}: {self._lost}; run the same command to continue")

    def release(self) -> None:
        """Give the lease back, so that nobody has to wait until it is void."""
        self._is_over.set()
        self._thread.join(timeout=RENEW_SECONDS)
        with suppress(StorageError):
            current = self._folder.read(LEASE_NAME)
            if current is not None and _is_held_by(current.content, self._holder):
                self._folder.delete([LEASE_NAME])

    def _renew_until_over(self) -> None:
        while not self._is_over.wait(RENEW_SECONDS) and self._lost is None:
            with suppress(StorageError):  # It is tried again; `check` counts the seconds.
                self._renew()

    def _renew(self) -> None:
        started_at = time.monotonic()
        self._holder = self._holder.model_copy(update={"renewals": self._holder.renewals + 1})
        etag = self._folder.update(LEASE_NAME, _to_content(self._holder), self._etag)
        if etag is None:
            current = self._folder.read(LEASE_NAME)
            if current is None or not _is_held_by(current.content, self._holder):
                taker = None if current is None else _parse(current.content)
                self._lost = f"another driver has taken over ({taker})" if taker else "the lease was removed"
                return
            etag = current.etag  # The write had succeeded, and its answer was lost.
        self._etag, self._renewed_at = etag, started_at


@contextmanager
def hold_lease(
    folder: ObjectFolder,
    waits: bool = False,
    say: Callable[[str], object] = lambda line: None,
    token_path: Path | None = None,
) -> Iterator[Lease]:
    """Hold the lease of a folder until the block ends.

    Parameters
    ----------
    folder : the folder of the sweep.
    waits : whether to wait for a holder that is alive; otherwise the request is refused.
    say : prints a line.
    token_path : the file in which this machine notes its own lease. The caller holds a lock of the system, so that the
        process that noted the last one has ended: such a lease is taken over at once.

    Raises
    ------
    RequestError
        If another driver holds the lease, whose host and process id the message names.
    StorageError
        If the store cannot be reached or refuses.
    """
    lease = _acquire(folder, waits, say, _read_token(token_path))
    if token_path is not None:
        write_atomically(token_path, lambda path: path.write_text(lease.token, encoding="utf-8"))
    try:
        yield lease
    finally:
        lease.release()


def _read_token(path: Path | None) -> str | None:
    """Return the token that was noted; None if there is none."""
    try:
        return None if path is None else path.read_text(encoding="utf-8")
    except (OSError, ValueError):
        return None


def _acquire(folder: ObjectFolder, waits: bool, say: Callable[[str], object], dead_token: str | None) -> Lease:
    """Acquire a lease that is free or void; wait for it, or find out whether its holder is alive.

    A lease with the token ``dead_token`` is void: its holder has ended.
    """
    holder = Holder(
        token=uuid.uuid4().hex,
        host=platform.node(),
        pid=os.getpid(),
        since=datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S"),
    )
    content = _to_content(holder)
    seen_etag, seen_at = "", 0.0
    while True:
        now = time.monotonic()
        etag = folder.create(LEASE_NAME, content)
        if etag is not None:
            return Lease(folder, holder, etag, now)
        current = folder.read(LEASE_NAME)
        if current is None:
            continue  # It was given back in this moment.
        if _is_held_by(current.content, holder):  # The answer to our own write was lost.
            return Lease(folder, holder, current.etag, now)
        other = _parse(current.content)
        if other is not None and other.token == dead_token:
            etag = folder.update(LEASE_NAME, content, current.etag)
            if etag is not None:
                return Lease(folder, holder, etag, now)
        elif current.etag != seen_etag:
            if not seen_etag:
                say(_describe_wait(folder, other, waits))
            elif not waits:
                raise RequestError(
                    f"{folder.url} is in use by another sweep ({_name(other)}); wait with --wait, or stop it"
                )
            seen_etag, seen_at = current.etag, time.monotonic()
        elif now - seen_at > VOID_SECONDS:
            etag = folder.update(LEASE_NAME, content, seen_etag)
            if etag is not None:
                return Lease(folder, holder, etag, now)
        time.sleep(POLL_SECONDS)


def _describe_wait(folder: ObjectFolder, other: Holder | None, waits: bool) -> str:
    if waits:
        return f"Waiting until {folder.url} is free: another sweep uses it ({_name(other)})."
    return (
        f"{folder.url}: another sweep uses these results, or was killed ({_name(other)}). Looking whether it still "
        f"runs, for up to {VOID_SECONDS:.0f} s."
    )


def _name(holder: Holder | None) -> str:
    return str(holder) if holder is not None else "a driver of another version of kdtune"


def _to_content(holder: Holder) -> bytes:
    return holder.model_dump_json().encode()


def _parse(content: bytes) -> Holder | None:
    """Return the holder of a lease; None if another version has written it."""
    try:
        return Holder.model_validate_json(content)
    except ValidationError:
        return None


def _is_held_by(content: bytes, holder: Holder) -> bool:
    other = _parse(content)
    return other is not None and other.token == holder.token
