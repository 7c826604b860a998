"""Fold texts to the width of a terminal. In a file or a pipe a sentence stays one line, for grep and diff."""

from __future__ import annotations

import re
import sys
from textwrap import fill

import click
from rich.console import Console

# An option with its value, or a command: whoever copies it from the terminal must not get the end of a line inside.
_OPTION = re.compile(r"(?:--[a-z][a-z-]*|python -c) (?:'[^']*'|\"[^\"]*\"|[^\s'\"]+)")
_GLUE = "\0"  # stands for a blank at which no line may end


def print_folded(text: str, hanging_indent: str = "", err: bool = False) -> None:
    """Print a text. On a terminal its lines are folded between words to the terminal's width.

    Parameters
    ----------
    text : One line or several.
    hanging_indent : What the parts of a folded line begin with, except the first.
    err : Whether to print on standard error.
    """
    stream = sys.stderr if err else sys.stdout
    if stream.isatty():
        text = fold_lines(text, Console(file=stream).width, hanging_indent)
    click.echo(text, err=err)


def fold_lines(text: str, width: int, hanging_indent: str = "") -> str:
    """Return a text whose lines end between words and have at most this width, unless a word is longer."""
    return "\n".join(_fold_line(line, width, hanging_indent) for line in text.split("\n"))


def _fold_line(line: str, width: int, hanging_indent: str) -> str:
    """Fold a line. What it is indented by begins all parts of it."""
    indent = line[: len(line) - len(line.lstrip())]
    words = _OPTION.sub(lambda found: found[0].replace(" ", _GLUE), line.strip())
    folded = fill(
        words,
        width,
        initial_indent=indent,
        subsequent_indent=indent + hanging_indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return folded.replace(_GLUE, " ")
