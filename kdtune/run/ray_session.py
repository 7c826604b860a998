"""The process that holds Ray, seen from the supervisor: start it, talk to it, notice its death, end it.

This module does not import Ray.
"""

from __future__ import annotations

import os
import pickle
import queue
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

from kdtune.run.process_session import is_running, kill_session, list_children
from kdtune.run.ray_messages import Broken, Connect, Connected, FromRay, Refused, ToRay
from kdtune.run.ray_variables import make_ray_environment

POLL_SECONDS = 0.25
# Ray's process says each second that it is alive. It may take longer where the machine is out of memory.
HANG_SECONDS = 60.0
CONNECT_SECONDS = 240.0  # Ray gives up after about a minute by itself; a slow disk may take longer.
END_SECONDS = 10.0
EXPLAIN_SECONDS = 6.0
VITAL_NAMES = ("gcs_server", "raylet")  # of the processes that a Ray on this machine cannot do without
_END = object()  # in the outbox: nothing follows


class RayDiedError(Exception):
    """Ray, or the process that holds it, died or hangs. The message is a clause that says how."""


class RaySession:
    """A process that holds Ray. It starts at once, and works after ``connect``.

    Parameters
    ----------
    request : the Ray to start or to join.
    log_path : the file that Ray's messages are added to; None shows them.
    scratch_folder : where Ray Tune writes.
    """

    def __init__(self, request: Connect, log_path: Path | None, scratch_folder: Path) -> None:
        self.request = request
        self.vital_pids: dict[int, str] = {}  # names of processes by their ids; none where a cluster was joined
        self._inbox: queue.Queue[FromRay | None] = queue.Queue()
        self._silent_seconds = 0.0
        log = None if log_path is None else log_path.open("ab")
        try:
            self._process = subprocess.Popen(
                # -P keeps the working folder, which may hold any module, out of the module search path.
                [sys.executable, "-P", "-m", "kdtune.run.ray_process", str(scratch_folder)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=make_ray_environment(os.environ, starts_ray=request.address is None),
                start_new_session=True,  # Ctrl-C is the supervisor's.
            )
        finally:
            if log is not None:
                log.close()
        self._outbox: queue.SimpleQueue[object] = queue.SimpleQueue()
        threading.Thread(target=self._receive, daemon=True).start()
        threading.Thread(target=self._send, daemon=True).start()
        self._outbox.put(list(sys.path))

    @property
    def pid(self) -> int:
        """The id of the process."""
        return self._process.pid

    def connect(self) -> Connected:
        """Start or join Ray.

        Raises
        ------
        RequestError, SweepError
            If a cluster cannot be joined, or Ray does not start.
        RayDiedError
            If the process dies or does not answer.
        """
        self.send(self.request)
        start = time.monotonic()
        broken_at: float | None = None
        while time.monotonic() < start + CONNECT_SECONDS:
            answer = self._take(POLL_SECONDS)
            self.vital_pids |= list_children(self._process.pid, VITAL_NAMES)
            if isinstance(answer, Connected):
                return answer
            if isinstance(answer, Refused):
                raise answer.error
            if isinstance(answer, Broken):
                raise RayDiedError(answer.reason)
            if answer is None and self._process.poll() is not None:
                raise RayDiedError(self._describe_end())
            # Ray waits half a minute and more for a process of its own that died. It may also end one on purpose, to
            # say why it does not start: that takes a moment.
            if broken_at is None and not all(map(is_running, self.vital_pids)):
                broken_at = time.monotonic()
            if broken_at is not None and time.monotonic() > broken_at + EXPLAIN_SECONDS:
                raise RayDiedError("one of its processes died while it started")
        raise RayDiedError(f"Ray did not start within {CONNECT_SECONDS:.0f} s")

    def send(self, message: ToRay) -> None:
        """Send a message; one to a process that has died is lost, as ``receive`` will tell."""
        self._outbox.put(message)

    def receive(self) -> FromRay | None:
        """Return the next message, or None if none comes within a moment.

        Raises
        ------
        RayDiedError
            If Ray, or the process that holds it, died or hangs.
        """
        started_at = time.monotonic()
        message = self._take(POLL_SECONDS)
        if isinstance(message, Broken):
            raise RayDiedError(message.reason)
        if message is not None:
            self._silent_seconds = 0.0
            return message
        if self._process.poll() is not None:
            raise RayDiedError(self._describe_end())
        for pid, name in self.vital_pids.items():
            if not is_running(pid):
                raise RayDiedError(f"its process {name} died")
        # A supervisor that was stopped meanwhile has not waited: only what this call waited for counts.
        self._silent_seconds += min(time.monotonic() - started_at, 2 * POLL_SECONDS)
        if self._silent_seconds > HANG_SECONDS:
            raise RayDiedError(f"it has not answered for {HANG_SECONDS:.0f} s")
        return None

    def close(self) -> None:
        """Let Ray end after ``Finish``, or its process if there was no work; kill what does not end in time."""
        self._outbox.put(_END)
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(END_SECONDS)
        self.kill()

    def kill(self) -> None:
        """Kill the process and all that it has started, and wait until they have ended."""
        self._process.kill()
        self._process.wait()
        kill_session(self._process.pid)
        self._outbox.put(_END)

    def _take(self, seconds: float) -> FromRay | None:
        try:
            return self._inbox.get(timeout=seconds)
        except queue.Empty:
            return None

    def _receive(self) -> None:
        """Put messages into the inbox as they come, in a thread."""
        stream = self._process.stdout
        with suppress(EOFError, OSError, pickle.UnpicklingError):
            while stream is not None:
                self._inbox.put(pickle.load(stream))
        if stream is not None:
            stream.close()

    def _send(self) -> None:
        """Write messages as they are sent, in a thread: a process that hangs does not read them."""
        stream = self._process.stdin
        with suppress(OSError):
            while stream is not None and (message := self._outbox.get()) is not _END:
                pickle.dump(message, stream)
                stream.flush()
        with suppress(OSError):
            if stream is not None:
                stream.close()

    def _describe_end(self) -> str:
        code = self._process.returncode
        return f"its process was killed by signal {-code}" if code < 0 else f"its process ended with exit code {code}"
