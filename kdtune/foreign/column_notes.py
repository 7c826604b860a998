"""Collect what is said about the numbers in columns of text, and say each thing once for all columns."""

from __future__ import annotations

from kdtune.number_styles import PLAIN, NumberStyle
from kdtune.text import join_names, pluralize

_MAX_NAMES = 8  # in a sentence
_MARKS = {",": "commas", ".": "points", " ": "blanks", "'": "apostrophes"}


class ColumnNotes:
    """What a user must know about how columns of text were read."""

    def __init__(self) -> None:
        self._names: dict[NumberStyle, list[str]] = {}  # of the columns with numbers in a style
        self._examples: dict[NumberStyle, str] = {}
        self._null_counts: dict[str, dict[str, int]] = {}  # word -> column -> rows
        self._doubts: dict[str, str] = {}  # column -> a value that can be read in two ways

    def add_style(self, name: str, style: NumberStyle, example: str) -> None:
        """Note in which style the numbers of a column are written, if it is not the plain one."""
        if style != PLAIN:
            self._names.setdefault(style, []).append(name)
            self._examples.setdefault(style, example)

    def add_null(self, name: str, word: str, count: int) -> None:
        """Note that a word stands for a missing value, and in how many rows."""
        self._null_counts.setdefault(word, {})[name] = count

    def add_doubt(self, name: str, example: str) -> None:
        """Note that a column stays text, because its numbers can be read in two ways."""
        self._doubts[name] = example

    def list_sentences(self) -> list[str]:
        """Return the notes as sentences."""
        sentences = []
        for style, names in self._names.items():
            parts = ["decimals have commas"] if style.decimal == "," else []
            parts += [f"{_MARKS[style.group]} stand between thousands"] if style.group else []
            description = " and ".join(parts)
            columns = join_names(names, max_names=_MAX_NAMES)
            sentences.append(
                f"{description[0].upper()}{description[1:]} (as in {self._examples[style]!r}) in {columns}."
            )
        for word, counts in self._null_counts.items():
            columns = join_names([f"{name} ({pluralize(n, 'row')})" for name, n in counts.items()], "and", _MAX_NAMES)
            sentences.append(f"{word!r} is read as a missing value in {columns}.")
        return [*sentences, *self.list_doubts().values()]

    def list_doubts(self) -> dict[str, str]:
        """Return a sentence for each column whose numbers can be read in two ways, by its name."""
        return {
            name: f"{name} is left as text: in {example!r} decimals or thousands may follow the mark; to have its "
            f"numbers read, write thousands without marks (1234), or decimals with a zero more (1.2340)."
            for name, example in self._doubts.items()
        }
