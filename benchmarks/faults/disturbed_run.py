"""One run of ``kdtune sweep`` with kills at random moments, to its end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import psutil

from benchmarks.faults.chaos_sweep import OPTIONS, count_progress, find_first_work, find_restart
from benchmarks.faults.small_disk import SmallDisk
from benchmarks.faults.victims import DISK, EVERYTHING, MARK, NEED_HELP, RAY_VICTIMS, SIGNALS, Family

HANG_SECONDS = 180.0  # without a row
END_SECONDS = 5.0  # from Ctrl-C to the end of the command
# From the end of the command to that of its processes; where it was killed itself, they must notice that.
GONE_SECONDS, ORPHANED_SECONDS = 5.0, 30.0
POLL_SECONDS = 0.1
# What a user never sees: Python's own errors, and what Ray's processes write.
UNWANTED = ("Traceback", "[state-dump]", "raylet.cc", "(raylet)", "core_worker", "Failed to connect to GCS")


@dataclass
class Kill:
    """What was done to a sweep, and what came of it."""

    victim: str
    recovery_seconds: float | None = None  # until a pack ran again
    exit_code: int | None = None  # of the command, if it ended before the next kill
    needed_help: bool = False
    problems: list[str] = field(default_factory=list)  # "hang: ...", "traceback: ...", "left: ...", "wrong: ..."


class DisturbedRun:
    """A command in a session of its own, which is disturbed until it ends.

    Parameters
    ----------
    sweep_file : what is run.
    disk : where its results are.
    screen : the file that it prints to.
    """

    def __init__(self, sweep_file: Path, disk: SmallDisk, screen: Path) -> None:
        self.disk, self.screen = disk, screen
        self.folder = disk.path / "results" / sweep_file.stem
        self.family = Family(uuid.uuid4().hex)
        self.kills: list[Kill] = []
        command = [sys.executable, "-m", "kdtune", "sweep", str(sweep_file), "--results", str(self.folder.parent)]
        with screen.open("wb") as file:
            self.process = subprocess.Popen(
                [*command, *OPTIONS],
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env=os.environ | {MARK: self.family.mark},
                # What runs in the background of a shell ignores it, and so would what it starts.
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
            )

    def disturb(self, victims: list[str], random: Random, max_seconds: float) -> None:
        """Kill victims, one after the other, each a random time after packs run again; then wait for the end."""
        for victim in victims:
            if not self._wait(random.uniform(0.0, max_seconds)):
                break
            self._disturb_once(victim, random)
        is_hanging = not self._wait_for_end()
        self._finish(is_hanging)

    def _disturb_once(self, victim: str, random: Random) -> None:
        """Kill a victim, if there is one, and wait until packs run again or the command has ended."""
        kill = Kill(victim)
        killed_at = time.time()
        if victim in SIGNALS:
            self.process.send_signal(SIGNALS[victim])
            self.kills.append(kill)
            if not self._wait_for_end(END_SECONDS):
                kill.problems.append(f"hang: it did not end within {END_SECONDS:g} s")
        elif victim == EVERYTHING:
            self.family.kill_all()
            self.kills.append(kill)
        elif victim == DISK:
            self.disk.fill()
            self.kills.append(kill)
            self._wait(random.uniform(2.0, 15.0))
            self.disk.free()
        else:
            processes = [psutil.Process(self.process.pid)] if victim == "supervisor" else self._wait_for_victim(victim)
            if not processes:
                return
            killed_at = time.time()
            random.choice(processes).kill()
            self.kills.append(kill)
        if victim not in NEED_HELP:
            kill.recovery_seconds = self._wait_for_work(victim, killed_at)

    def _wait_for_victim(self, victim: str) -> list[psutil.Process]:
        """Wait until there are processes of a kind, which may be starting still; none if the command ends before."""
        while not (processes := self.family.find(victim)):
            if not self._wait(POLL_SECONDS):
                break
        return processes

    def _wait_for_work(self, victim: str, killed_at: float) -> float | None:
        """Wait until a pack runs again and return the seconds since the kill; None if the command ends before.

        A pack that is ordered between the kill and its discovery never runs. So the first pack counts that begins
        after the sweep has noticed; if that does not happen, it goes on without those that were killed.
        """
        end = time.time() + HANG_SECONDS
        while time.time() < end and self._wait(POLL_SECONDS):
            restarted_at = find_restart(self.folder, killed_at)
            worked_at = find_first_work(self.folder, restarted_at or killed_at)
            may_notice_later = victim in RAY_VICTIMS and restarted_at is None and time.time() < killed_at + 20
            if worked_at is not None and not may_notice_later:
                return worked_at - killed_at
        return None

    def _wait(self, seconds: float) -> bool:
        """Wait some seconds; return whether the command runs still."""
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.family.list_processes()  # to know them later
            return True
        return False

    def _wait_for_end(self, seconds: float | None = None) -> bool:
        """Wait until the command ends; return whether it does in time, or as long as it makes progress."""
        progress, seen_at = None, time.monotonic()
        while self._wait(POLL_SECONDS if seconds else 1.0):
            if seconds is None and (latest := count_progress(self.folder)) != progress:
                progress, seen_at = latest, time.monotonic()
            if time.monotonic() > seen_at + (seconds or HANG_SECONDS):
                return False
        return True

    def _finish(self, is_hanging: bool) -> None:
        """Note how the command ended, and end what is left."""
        last = self.kills[-1] if self.kills else Kill("nothing")
        if not self.kills:
            self.kills.append(last)
        if is_hanging:
            last.problems.append(f"hang: nothing happened for {HANG_SECONDS:g} s")
            self.process.kill()
        last.exit_code = self.process.wait()
        last.needed_help = last.exit_code != 0
        was_killed = last.exit_code == -signal.SIGKILL
        left = self.family.wait_until_gone(ORPHANED_SECONDS if was_killed else GONE_SECONDS)
        if left:
            last.problems.append(f"left: {'; '.join(left)}")
        self.family.kill_all()
        text = self.screen.read_text(encoding="utf-8", errors="replace")
        last.problems += [f"traceback: {word} in {self.screen}" for word in UNWANTED if word in text]
