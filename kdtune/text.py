"""Words for messages: counts with their nouns, and the name that a user probably meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

NOTHING = "-"  # What a printed table shows where there is no value.


def pluralize(count: int, word: str) -> str:
    """Return a count with its noun: 1 pack, 2 packs, 1,000 packs."""
    return f"{count:,} {word}" if count == 1 else f"{count:,} {word}s"


def suggest_nearest(word: str, valid_words: Iterable[str]) -> str:
    """Return ``did you mean 'epochs'?``, or the whole choice if no valid word is similar."""
    choice = sorted(valid_words)
    for valid_word in choice:
        if valid_word.casefold() == word.casefold():
            return f"did you mean {valid_word!r}?"
    similar_words = difflib.get_close_matches(word, choice, n=1, cutoff=0.6)
    if similar_words:
        return f"did you mean {similar_words[0]!r}?"
    return f"choose from {', '.join(choice)}"
