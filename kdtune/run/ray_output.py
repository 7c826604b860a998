"""Say what Ray is to print, and put Ray's errors into messages. This module does not import Ray."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any


def make_logging_options(verbose: bool) -> dict[str, Any]:
    """Return the arguments of ``ray.init`` that say what it prints."""
    return {"log_to_driver": verbose, "logging_level": logging.INFO if verbose else logging.ERROR}


def read_crash_reason(error_file: str | None) -> str:
    """Return the most telling line of the file in which Tune notes why a trial failed; empty if there is none.

    Below "Failure # 1 (occurred at ...)" stands the error. If Python code raised it, as in an actor's constructor,
    it is a traceback, whose last line names the error. If a process died, the first line says so, and identifiers
    of Ray follow.
    """
    try:
        text = Path(error_file or "").read_text(encoding="utf-8")
    except (OSError, ValueError):
        return ""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if lines and lines[0].startswith("Failure #"):
        lines = lines[1:]
    if not lines:
        return ""
    has_traceback = any(line.startswith('File "') for line in lines)
    return lines[-1] if has_traceback else lines[0]
