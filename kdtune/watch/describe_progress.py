"""Say how far a sweep has come, from what its folder says: its status file and its table."""

from __future__ import annotations

import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from kdtune.results.live_status import STALE_SECONDS, LiveStatus, read_status
from kdtune.text import pluralize
from kdtune.watch.network_counts import NetworkCounts

# What the page calls a state, beside those of a status file: there are no results yet; a sweep that should be running
# has not written for long; there are results, but no status file.
WAITING, SILENT, UNKNOWN = "waiting", "silent", "unknown"
_ACTIVE = ("running", "restarting")
MAX_WORKERS = 64  # that the page lists
MAX_RESTARTS = 5
_GO_ON = "Run the same command to go on: what is trained is kept."


def describe_progress(folder: Path, counts: NetworkCounts, now: float | None = None) -> dict[str, Any]:
    """Return how far the sweep in a folder has come, as values that JSON can hold.

    Parameters
    ----------
    folder : The sweep's folder, which may not exist.
    counts : How the networks of its table ended.
    now : The time in seconds since 1970, by default that of the clock.
    """
    now = time.time() if now is None else now
    status = read_status(folder)
    if status is None:
        return _describe_table(folder, counts)
    is_silent = status.state in _ACTIVE and now - status.updated_at > STALE_SECONDS
    state = SILENT if is_silent else status.state
    is_active = state in _ACTIVE
    return {
        "state": state,
        "is_active": is_active,
        "sentence": _describe_state(state, status, now),
        "total": status.n_networks,
        "done": status.n_ready + status.n_done,
        "failed": status.n_failed,
        "running": status.n_running if is_active else 0,
        "elapsed": describe_duration((now if is_active else status.updated_at) - status.started_at),
        "left": _describe_time_left(status) if is_active else "",
        "host": status.host,
        "n_workers": status.n_workers,
        "workers": _list_workers(status, now) if is_active else [],
        "restarts": [
            {"ago": describe_duration(now - restart.at), "reason": restart.reason}
            for restart in status.restarts[-MAX_RESTARTS:]
        ],
        "failures": asdict(counts),
    }


def describe_duration(seconds: float) -> str:
    """Write a duration in its largest fitting unit: 90 s, 25 min, 3.5 h, 4 days."""
    seconds = max(0.0, seconds)
    if seconds < 100:
        return f"{seconds:.0f} s"
    if seconds < 100 * 60:
        return f"{seconds / 60:.0f} min"
    if seconds < 48 * 3600:
        return f"{seconds / 3600:.1f} h"
    return f"{seconds / 86_400:.0f} days"


def _describe_table(folder: Path, counts: NetworkCounts) -> dict[str, Any]:
    """Return how far a sweep without a status file has come, which only its table can say."""
    n_failed = counts.n_failed + counts.n_skipped
    sentence = counts.problem
    if counts.n_networks:
        verb = "is" if counts.n_done == 1 else "are"
        sentence = f"{counts.n_done:,} of the {pluralize(counts.n_networks, 'network')} in the table {verb} done."
    elif not sentence:
        place = "The sweep has not written its table yet." if folder.is_dir() else "There are no results yet."
        sentence = f"{place} This page goes on by itself as soon as there is something to show."
    return {
        "state": UNKNOWN if counts.n_networks or counts.problem else WAITING,
        "is_active": False,
        "sentence": sentence,
        "total": counts.n_networks,
        "done": counts.n_done,
        "failed": n_failed,
        "running": 0,
        "failures": asdict(counts),
    }


def _describe_state(state: str, status: LiveStatus, now: float) -> str:
    """Say in sentences what a sweep does, or why it has ended."""
    n_done = status.n_ready + status.n_done
    counts = f"{n_done:,} of {pluralize(status.n_networks, 'network')} {'is' if n_done == 1 else 'are'} done"
    if status.n_failed:
        counts += f", {status.n_failed:,} failed"
    if state == "running" and status.n_running:
        counts += f", {status.n_running:,} {'is' if status.n_running == 1 else 'are'} training"
    sentences = [f"{counts}."]
    if state == "restarting":
        sentences = ["Ray has ended, and is being started again.", *sentences]
    elif state == "interrupted":
        sentences += ["The sweep was interrupted.", _GO_ON]
    elif state == "failed":
        reason = status.message.rstrip().rstrip(".") or "it did not say why"
        sentences += [f"The sweep broke off: {reason}.", _GO_ON]
    elif state == SILENT:
        silence = describe_duration(now - status.updated_at)
        sentences += [f"The sweep has been silent for {silence}: it was killed, or it hangs.", _GO_ON]
    return " ".join(sentences)


def _describe_time_left(status: LiveStatus) -> str:
    if status.seconds_left is None:
        return "time left not known yet"
    return f"about {describe_duration(status.seconds_left)} left"


def _list_workers(status: LiveStatus, now: float) -> list[dict[str, Any]]:
    """Return what each worker trains, and for how long; those that train nothing are not listed."""
    packs = sorted(status.running, key=lambda pack: pack.worker)[:MAX_WORKERS]
    return [
        {
            "worker": pack.worker,
            "networks": pluralize(pack.n_networks, "network"),
            "what": pack.what,
            "time": describe_duration(now - pack.since),
        }
        for pack in packs
    ]
