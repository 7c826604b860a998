"""Every error that kdtune raises on purpose, and the exit code that goes with it.

KdtuneError
├── RequestError       what was asked for is wrong or refused; nothing was written   exit 2
│   └── SweepFileError   a sweep file with mistakes, all of them at once               exit 2
└── SweepError         the run broke off; what was finished is kept                  exit 1
    └── StorageError   the results folder cannot be read or written (disk full)      exit 1
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


class KdtuneError(Exception):
    """The root of all errors whose message is meant for the user."""

    exit_code = 1


class RequestError(KdtuneError):
    """The request was wrong or refused. Nothing was trained or written."""

    exit_code = 2


MAX_PRINTED_MISTAKES = 30  # One wrong value in a large grid may make hundreds.


@dataclass(frozen=True, order=True)
class Mistake:
    """One mistake in a sweep file."""

    location: str  # where it stands: "fakeset.yaml:12" or "--set distill.T=0"
    field: str  # the setting: "distill.T"; empty for the file as a whole
    message: str  # what is wrong, and what would be right

    def __str__(self) -> str:
        return ": ".join(part for part in (self.location, self.field, self.message) if part)


class SweepFileError(RequestError):
    """A sweep file that cannot be run, with every mistake in it; its text has the first ones if there are many."""

    def __init__(self, mistakes: Iterable[Mistake]) -> None:
        self.mistakes = list(dict.fromkeys(mistakes))
        lines = [str(mistake) for mistake in self.mistakes[:MAX_PRINTED_MISTAKES]]
        n_hidden = len(self.mistakes) - len(lines)
        if n_hidden:
            lines.append(f"... and {n_hidden:,} more")
        super().__init__("\n".join(lines))


class SweepError(KdtuneError):
    """The run broke off. Everything that was finished is on disk."""


class StorageError(SweepError):
    """The results folder cannot be read or written at the moment: the disk is full, or too many files are open."""
