"""Words for messages: counts with their nouns, values in brief, and the name that a user probably meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from typing import Any

NOTHING = "-"  # What a printed table shows where there is no value.
_MAX_VALUE_LENGTH = 60  # characters of a value in a message


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


def find_nearest(word: str, valid_words: Iterable[str], min_similarity: float = 0.6) -> str | None:
    """Return the valid word that is most similar to a word; None if none is as similar as ``difflib`` is asked for."""
    choice = sorted(valid_words)
    for valid_word in choice:
        if valid_word.casefold() == word.casefold():
            return valid_word
    similar_words = difflib.get_close_matches(word, choice, n=1, cutoff=min_similarity)
    return similar_words[0] if similar_words else None


def format_on_one_line(error: BaseException) -> str:
    """Return an error's message without its line breaks, or the error's type if it has no message."""
    return " ".join(str(error).split()) or type(error).__name__


def shorten(text: str) -> str:
    """Return a text on one line, and of a long one the beginning: a file with a wrong separator has endless names."""
    line = " ".join(text.split())
    return line if len(line) <= _MAX_VALUE_LENGTH else f"{line[:_MAX_VALUE_LENGTH]}..."


def format_number(value: object) -> str:
    """Write a value of a table: real numbers with six significant digits at most, all else as it is."""
    return f"{value:g}" if isinstance(value, float) else str(value)


def describe_value(value: Any) -> str:
    """Return a value as Python writes it, or its type and shape if that is long or the class is not Python's own."""
    if type(value).__module__ == "builtins" and len(repr(value)) <= _MAX_VALUE_LENGTH:
        return repr(value)
    return f"of type {describe_type(value)}"


def describe_type(value: Any) -> str:
    """Return the type of a value with its shape or length, as in ``numpy.ndarray of shape (100, 3)``."""
    kind = type(value)
    is_builtin = kind.__module__ == "builtins"
    name = kind.__qualname__ if is_builtin else f"{kind.__module__.split('.')[0]}.{kind.__qualname__}"
    if isinstance(getattr(value, "shape", None), tuple):
        return f"{name} of shape {tuple(value.shape)}"
    return f"{name} of length {len(value):,}" if isinstance(value, list | tuple | dict | str | bytes) else name
