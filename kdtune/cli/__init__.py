"""The command line: arguments in, calls, text out. It knows click and nothing of training."""

from __future__ import annotations

from kdtune.cli import answer, compare, fetch, jobs, make, show, start, take_home, watch
from kdtune.cli.group import main

__all__ = ["answer", "compare", "fetch", "jobs", "main", "make", "show", "start", "take_home", "watch"]
