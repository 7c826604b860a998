"""Collect the mistakes in a sweep file, so that all of them are reported at once."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NoReturn

from kdtune.errors import Mistake, SweepFileError

MAX_MISTAKES = 1000  # Nobody reads more, and a large grid of wrong values would fill the memory with them.


class MistakeCollector:
    """The mistakes in a sweep file that were found so far, each once."""

    def __init__(self) -> None:
        self._mistakes: dict[Mistake, None] = {}  # A dict, since a set would forget the order.

    def __len__(self) -> int:
        return len(self._mistakes)

    def add(self, mistake: Mistake) -> None:
        """Add a mistake, unless it is known already.

        Raises
        ------
        SweepFileError
            If there are now ``MAX_MISTAKES``: no more are looked for.
        """
        self._mistakes[mistake] = None
        if len(self._mistakes) >= MAX_MISTAKES:
            self._mistakes[Mistake("", "", "there may be more mistakes; correct these first")] = None
            self.raise_error()

    def extend(self, mistakes: Iterable[Mistake]) -> None:
        """Add several mistakes.

        Raises
        ------
        SweepFileError
            If there are now ``MAX_MISTAKES``: no more are taken from ``mistakes``.
        """
        for mistake in mistakes:
            self.add(mistake)

    def raise_error(self) -> NoReturn:
        """Raise the error that reports all mistakes, sorted by where they stand.

        Raises
        ------
        SweepFileError
            Always.
        """
        raise SweepFileError(sorted(self._mistakes, key=_get_sort_key))


def _get_sort_key(mistake: Mistake) -> tuple[bool, str, int]:
    """Return the key by which mistakes are sorted: by file and line; those without a location come last."""
    name, _, line = mistake.location.rpartition(":")
    if line.isdecimal():
        return False, name, int(line)
    return not mistake.location, mistake.location, 0
