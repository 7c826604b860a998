"""Write the options that messages suggest, so that they can be pasted into a shell: conditions, settings, columns.

A name that an option cannot have gets another one first: the suggestion says so.
"""

from __future__ import annotations

import keyword
import shlex
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from kdtune.text import join_names

_FREE_NAME = "NAME"  # what a column is called that must be renamed


def suggest_rows(name: str, values: Iterable[Any], *, are_left_out: bool = False) -> str:
    """Return ``--where`` with a condition that keeps, or leaves out, the rows with these values in a column."""
    literals = list(dict.fromkeys(_write_value(value) for value in values))
    if len(literals) == 1:
        return suggest_where(name, f"{'!=' if are_left_out else '=='} {literals[0]}")
    return suggest_where(name, f"{'not in' if are_left_out else 'in'} [{', '.join(literals)}]")


def suggest_filled_rows(name: str) -> str:
    """Return ``--where`` with a condition that keeps the rows that have a value in a column."""
    return suggest_where(name, f"== {write_column(name if _can_be_named(name) else _FREE_NAME)}")


def suggest_where(name: str, comparison: str) -> str:
    """Return ``--where`` with a column and what it is compared with, as in ``--where '`my T` > 0'``."""
    is_free = _can_be_named(name)
    condition = f"{write_column(name if is_free else _FREE_NAME)} {comparison}"
    return _rename_first([] if is_free else [name], f"--where {shlex.quote(condition)}")


def suggest_cell(names: Sequence[str]) -> str:
    """Return ``--cell`` with the columns that name a setting; without any, all runs have the same settings."""
    wrong_names = [name for name in names if "," in name]
    listed = [_FREE_NAME if name in wrong_names else name for name in names]
    return _rename_first(wrong_names, f"--cell {shlex.quote(','.join(listed) or 'none')}")


def suggest_map(name: str, own_name: str) -> str:
    """Return ``--map`` with kdtune's name of a column and the table's own."""
    wrong_names = [own_name] if "," in own_name else []
    return _rename_first(wrong_names, f"--map {name}={_FREE_NAME if wrong_names else shlex.quote(own_name)}")


def write_column(name: str) -> str:
    """Return a column as conditions name it: between backquotes if it is no plain word."""
    is_plain = name.isascii() and name.isidentifier() and not keyword.iskeyword(name)
    return name if is_plain else f"`{name}`"


def _write_value(value: Any) -> str:
    """Return a value as conditions have it; text stands in double quotes, since the whole stands in single ones."""
    value = value.item() if isinstance(value, np.generic) else value
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        value = int(value)
    if isinstance(value, (bool, int, float)):
        return repr(value)
    text = str(value).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{"".join(mark if mark.isprintable() else mark.encode("unicode_escape").decode() for mark in text)}"'


def _can_be_named(name: str) -> bool:
    """Return whether a condition can name a column: those with backquotes in their names it cannot, and some others."""
    column = write_column(name)
    try:
        return len(pd.DataFrame({name: [1]}).query(f"{column} == 1", engine="python")) == 1
    except Exception:  # pandas raises what Python does.
        return False


def _rename_first(names: Sequence[str], option: str) -> str:
    """Return an option; if it cannot have a name, say first what to do with the column."""
    if not names:
        return option
    kind = option.split(" ")[0].removeprefix("--")
    listed = join_names([repr(name) for name in names])
    return f"first give {listed} another name ({kind} cannot have this one), such as {_FREE_NAME}, then add {option}"
