"""Words for messages: counts with their nouns, and the name that a user probably meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence

NOTHING = "-"  # What a printed table shows where there is no value.


def pluralize(count: int, word: str) -> str:
    """Return a count with its noun: 1 pack, 2 packs, 1,000 packs."""
    return f"{count:,} {word}" if count == 1 else f"{count:,} {word}s"


def join_names(names: Sequence[str], conjunction: str = "and", max_names: int | None = None) -> str:
    """Join names, as in "a, b and c"; if there are more than ``max_names``, as in "a, b and 7 more"."""
    listed_names = list(names[:max_names])
    n_more = len(names) - len(listed_names)
    if n_more:
        return f"{', '.join(listed_names)} {conjunction} {n_more:,} more"
    if len(listed_names) < 2:
        return "".join(listed_names)
    return f"{', '.join(listed_names[:-1])} {conjunction} {listed_names[-1]}"


def suggest_nearest(word: str, valid_words: Iterable[str]) -> str:
    """Return ``did you mean 'epochs'?``, or the whole choice if no valid word is similar."""
    choice = sorted(valid_words)
    nearest_word = find_nearest(word, choice)
    if nearest_word is None:
        return f"choose from {', '.join(choice)}"
    return f"did you mean {nearest_word!r}?"


def find_nearest(word: str, valid_words: Iterable[str]) -> str | None:
    """Return the valid word that is most similar to a word; None if no valid word is similar."""
    choice = sorted(valid_words)
    for valid_word in choice:
        if valid_word.casefold() == word.casefold():
            return valid_word
    similar_words = difflib.get_close_matches(word, choice, n=1, cutoff=0.6)
    return similar_words[0] if similar_words else None
