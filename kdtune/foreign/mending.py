"""Write how pandas mends a table: the steps, and for a file the whole command, which can be pasted into a shell."""

from __future__ import annotations

import ast
import io
import json
import shlex
import tokenize
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from kdtune.errors import RequestError


class MendingError(RequestError):
    """A refusal with steps of pandas that mend the table. Without a file, users have the table as ``frame``."""

    def __init__(self, start: str, steps: Sequence[str], end: str = "") -> None:
        self.start, self.steps, self.end = start, list(steps), end
        super().__init__(f"{start}{'; '.join(self.steps)}{end}")

    def write_for(self, source: Any, frame: pd.DataFrame) -> RequestError:
        """Return the refusal with the command that reads the file, mends it and writes another one.

        Parameters
        ----------
        source : The file, or a frame.
        frame : The plain columns that were read from it.
        """
        return RequestError(write_for(MendingNote(self.start, self.steps, self.end), source, frame))


class MendingNote(str):
    """A sentence for the user with steps of pandas that mend the table, which is text as any other."""

    start: str
    steps: list[str]
    end: str

    def __new__(cls, start: str, steps: Sequence[str], end: str = "") -> MendingNote:
        """Return the sentence as users need it who have the table as ``frame``."""
        note = super().__new__(cls, f"{start}{'; '.join(steps)}{end}")
        note.start, note.steps, note.end = start, list(steps), end
        return note


def join_sentences(sentences: Iterable[str]) -> str:
    """Join sentences with blanks, without empty ones; the steps of one of them stay known."""
    parts = [sentence for sentence in sentences if sentence]
    for position, note in enumerate(parts):
        if isinstance(note, MendingNote):
            before, after = (" ".join(rest) for rest in (parts[:position], parts[position + 1 :]))
            start = f"{before} {note.start}" if before else note.start
            return MendingNote(start, note.steps, f"{note.end} {after}" if after else note.end)
    return " ".join(parts)


def write_for(note: str, source: Any, frame: pd.DataFrame) -> str:
    """Return a sentence with the command that reads the file, mends it and writes another one.

    Parameters
    ----------
    note : Any sentence; one without steps stays as it is.
    source : The file, or a frame: whoever has one is told the steps alone.
    frame : The plain columns that were read from it.
    """
    if not isinstance(note, MendingNote) or not note.steps or not isinstance(source, (str, Path)):
        return str(note)
    path = Path(source)
    mended = f"{path.with_suffix('')}-mended.csv"
    steps = [_to_statement(_use_double_quotes(step)) for step in note.steps]
    modules = ["pandas", *(name for name in ("numpy",) if any(f"{name}." in step for step in steps))]
    reading = _find_reading(path, frame)
    if reading is None:  # pandas reads other columns than kdtune does.
        modules, reading = ["kdtune", *modules], f"kdtune.show({quote(str(path))})"
    lines = [
        f"import {', '.join(modules)}",
        f"frame = {reading}",
        *steps,
        f"frame.to_csv({quote(mended)}, index=False)",
    ]
    command = f"python -c {shlex.quote('; '.join(lines))}"
    return f"{note.start}{command} (it writes {mended}; analyze that){note.end}"


def _to_statement(step: str) -> str:
    """Return the statement that assigns an expression to the frame; a statement stays as it is."""
    return f"frame = {step}" if isinstance(ast.parse(step).body[0], ast.Expr) else step


def _use_double_quotes(code: str) -> str:
    """Write the texts of an expression in double quotes, since the whole stands in single ones."""
    try:
        tokens = list(tokenize.generate_tokens(io.StringIO(code).readline))
    except (tokenize.TokenError, SyntaxError):
        return code
    for token in reversed(tokens):
        if token.type == tokenize.STRING and token.string.endswith("'"):
            text = ast.literal_eval(token.string)
            code = f"{code[: token.start[1]]}{quote(text)}{code[token.end[1] :]}"
    return code


def quote(value: object) -> str:
    """Return a value as Python writes it; text in double quotes, since the whole stands in single ones."""
    value = value.item() if isinstance(value, np.generic) else value
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)


def write_column_step(name: str, values: str) -> str:
    """Return the step that gives a frame a column with some values, which are an expression."""
    return f"frame[{quote(name)}] = {values}"


def _find_reading(path: Path, frame: pd.DataFrame) -> str | None:
    """Return the shortest expression with which pandas reads the same columns and number of rows; None if none does."""
    readings: dict[str, Callable[[], pd.DataFrame]] = {
        f"pandas.read_csv({quote(str(path))})": lambda: pd.read_csv(path),
        f'pandas.read_csv({quote(str(path))}, sep=";", decimal=",")': lambda: pd.read_csv(path, sep=";", decimal=","),
        f'pandas.read_csv({quote(str(path))}, sep="\\t")': lambda: pd.read_csv(path, sep="\t"),
        f"pandas.read_parquet({quote(str(path))})": lambda: pd.read_parquet(path),
    }
    for text, read in readings.items():
        try:
            other = read()
        except Exception:  # pandas raises what its parsers do.
            continue
        if list(other.columns) == list(frame.columns) and len(other) == len(frame):
            return text
    return None
