"""Where the user's own code lies, and where in it something went wrong."""

from __future__ import annotations

import sysconfig
import traceback
from functools import lru_cache
from pathlib import Path

from kdtune.errors import KdtuneError
from kdtune.text import format_on_one_line

_KDTUNE_FOLDER = Path(__file__).resolve().parents[1]


@lru_cache(maxsize=1)
def _list_library_folders() -> tuple[Path, ...]:
    """List the folders of Python's own modules and of installed packages."""
    paths = sysconfig.get_paths()
    names = ("stdlib", "platstdlib", "purelib", "platlib")
    return tuple(dict.fromkeys(Path(paths[name]).resolve() for name in names))


def is_user_file(path: Path) -> bool:
    """Return whether a file of code is the user's: no part of Python, of an installed package or of kdtune."""
    resolved_path = path.resolve()
    # Compiled modules name a source that lies nowhere, as "python/ray/_raylet.pyx" does where Ray ends a worker.
    if not resolved_path.is_file():
        return False
    if {"site-packages", "dist-packages"} & set(resolved_path.parts):
        return False
    return not any(resolved_path.is_relative_to(folder) for folder in (*_list_library_folders(), _KDTUNE_FOLDER))


def describe_user_error(error: BaseException) -> str:
    """Return an error's type, message and the deepest place in the user's code: ``mynets.py:12: ValueError: no``."""
    message = _without_stack(" ".join(str(error).split()))
    text = f"{type(error).__name__}: {message}" if message else type(error).__name__
    if "Long, Int" in text:  # torch's words where floating-point numbers come to an embedding
        text += " (modules get floating-point numbers; of ids take x.long() in forward)"
    place = find_user_line(error)
    return text if place is None else f"{place}: {text}"


def describe_failure(error: BaseException) -> str:
    """Return the message of an error that kdtune itself has raised, which is a sentence; of others as above."""
    frames = traceback.extract_tb(error.__traceback__)
    # A ``ValueError`` of Python's own, as of int("x"), has the line of kdtune that called it.
    is_own = bool(frames) and str(frames[-1].line).startswith("raise ") and _is_part_of_kdtune(frames[-1].filename)
    return (
        format_on_one_line(error)
        if is_own and isinstance(error, (ValueError, KdtuneError))
        else describe_user_error(error)
    )


def _is_part_of_kdtune(filename: str) -> bool:
    return Path(filename).resolve().is_relative_to(_KDTUNE_FOLDER)


def _without_stack(message: str) -> str:
    """Return a message of torch's without the stack of its C++ code."""
    for beginning in (" Exception raised from ", " frame #0: "):
        message = message.partition(beginning)[0]
    return message


def find_user_line(error: BaseException) -> str | None:
    """Return the deepest place in the user's code that an error passed, ``file:line``; None if it passed none."""
    if isinstance(error, SyntaxError) and error.filename:  # No frame has run yet.
        return f"{error.filename}:{error.lineno}"
    places = [
        f"{frame.filename}:{frame.lineno}"
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith("<") and is_user_file(Path(frame.filename))
    ]
    return places[-1] if places else None


def is_raised_by_user(error: BaseException) -> bool:
    """Return whether an error was raised in the user's own code, and not in something that interrupted it."""
    frames = traceback.extract_tb(error.__traceback__)
    return bool(frames) and is_user_file(Path(frames[-1].filename))
