"""Numbers and names in sentences."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

NOTHING = "-"  # in a table, where there is no value


def plural(count: int, word: str) -> str:
    """1 pack, 2 packs, 1,000 packs."""
    return f"{count:,} {word}{'s' * (count != 1)}"


def nearest(word: str, words: Iterable[str]) -> str:
    """`` did you mean 'epochs'?`` or, when nothing is near, the whole choice."""
    choice = sorted(words)
    for known in choice:
        if known.casefold() == word.casefold():
            return f"did you mean {known!r}?"
    close = difflib.get_close_matches(word, choice, n=1, cutoff=0.6)
    return f"did you mean {close[0]!r}?" if close else f"known are {', '.join(choice)}"
