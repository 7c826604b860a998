"""The command line: arguments in, calls, prints out. Knows click, nothing of training."""

from __future__ import annotations

from kdtune.cli import answer, compare, make, show
from kdtune.cli.group import main

__all__ = ["answer", "compare", "main", "make", "show"]
