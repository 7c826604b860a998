"""Let messages of the library name its arguments where those of the command line name options."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from kdtune.errors import RequestError

# A value of an option in a sentence: in quotes, or a word without the marks that end a clause.
_QUOTED = r"""('[^']*'(?:"'"'[^']*')*|"[^"]*")"""
_VALUE = rf"""({_QUOTED[1:-1]}|[^\s'"]*[^\s'",.:;()])"""
_END = r"(?=$|[\s,.:;)])"
_BARE_ARGUMENTS = {"cell": "cell=[...]", "where": 'where="..."', "map": "map={...}"}


def _write_text(value: str) -> str:
    """Return a value as text in Python, in double quotes."""
    return json.dumps(value, ensure_ascii=False)


def _write_condition(value: str) -> str:
    """Return a condition as text in Python; one with double quotes inside stands in single ones."""
    return repr(value) if '"' in value else _write_text(value)


def _unquote(value: str) -> str:
    """Return a value without the quotes of a shell."""
    if value[0] not in "'\"":
        return value
    try:
        return "".join(shlex.split(value))
    except ValueError:  # Python wrote the quotes, around a backslash.
        return value[1:-1]


def _write_names(value: str) -> str:
    """Return the list that the names of settings make in Python; three dots stand for other names."""
    names = [] if value == "none" else _unquote(value).split(",")
    return f"[{', '.join(name if name == '...' else _write_text(name) for name in names)}]"


# The first ones are of options that begin an error, or end a note, with their values as the caller gave them.
_RULES: tuple[tuple[str, Callable[[re.Match[str]], str]], ...] = (
    (r"^--map ([^=]+)=(.+?)(?=: )", lambda found: f"map={{{_write_text(found[1])}: {_write_text(found[2])}}}"),
    (r"^--(where|measure) (.+?)(?=: )", lambda found: f"{found[1]}={_write_text(found[2])}"),
    (r"(?<= match )--where (.+)(?=\.$)", lambda found: f"where={_write_text(found[1])}"),
    (rf"--where {_QUOTED}{_END}", lambda found: f"where={_write_condition(_unquote(found[1]))}"),
    (rf"--map ([^\s=]+)={_VALUE}", lambda found: f"map={{{_write_text(found[1])}: {_write_text(_unquote(found[2]))}}}"),
    (rf"--measure {_VALUE} (?=--)", lambda found: f"measure={_write_text(_unquote(found[1]))}, "),
    (rf"--measure {_VALUE}", lambda found: f"measure={_write_text(_unquote(found[1]))}"),
    (rf"--cell {_VALUE}(?=$|[.,:;)])", lambda found: f"cell={_write_names(found[1])}"),
    (r"--select (num_error|nll|balanced_error)", lambda found: f"select={_write_text(found[1])}"),
    (r"--repeats (once|keep)", lambda found: f"repeats={_write_text(found[1])}"),
    (r"--errors (\d[\d.]*)", lambda found: f"errors=[{found[1]}]"),
    (r"--(higher|lower)-is-better", lambda found: f"higher_is_better={found[1] == 'higher'}"),
    (r"--paired-by-order", lambda _: "paired_by_order=True"),
    (r"--(cell|columns|map|measure|select|sort|where)(?=:)", lambda found: found[1]),
    (r"--(cell|map|margin|measure|select|where)\b", lambda found: _BARE_ARGUMENTS.get(found[1], found[1])),
    (r"(?<!\S)-o\b", lambda _: "output"),
)


def rename_options(text: str) -> str:
    """Return a message of the command line as the library says it: ``cell=["width"]`` for ``--cell width``."""
    for pattern, write in _RULES:
        text = re.sub(pattern, write, text)
    return text


@contextmanager
def name_arguments() -> Iterator[None]:
    """Let the errors that are raised inside name arguments of the library instead of options."""
    try:
        yield
    except RequestError as error:
        error.args = (rename_options(str(error)),)
        raise
