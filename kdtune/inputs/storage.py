"""Arrays and tables by their content: in memory until they are written, then in files that never change.

A *stored input* has a path, ``<results>/inputs/<hash of its content>.npy``, ``.parquet`` or ``.json``. Until
``write_inputs`` has written the file, this process keeps in memory, under that path, the value or a function that makes
it; workers find the file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from kdtune.errors import StorageError
from kdtune.files.atomic import create_folder, write_atomically
from kdtune.files.storage_errors import convert_os_errors
from kdtune.inputs.errors import InputError

_values_by_path: dict[str, Any] = {}


def keep_in_memory(path: str, value: np.ndarray | pd.DataFrame | str | Callable[[], np.ndarray]) -> None:
    """Keep a value, or a function that makes it, under the path that it will have, unless its file exists already."""
    if not Path(path).exists():
        _values_by_path[path] = value


def find_in_memory(path: str) -> Any:
    """Return the value that is kept under a path, made anew if only a function is kept; None if there is none."""
    value = _values_by_path.get(path)
    return value() if callable(value) else value


def is_stored(path: str) -> bool:
    """Return whether a stored input is in memory, or can be made, or has been written."""
    return path in _values_by_path or Path(path).exists()


def write_inputs(paths: Iterable[str]) -> None:
    """Write those of the inputs that are in memory only, and forget them.

    Raises
    ------
    StorageError
        If the disk is full or the folder cannot be written, or if what an input is made from has changed.
    """
    for path in paths:
        try:
            value = find_in_memory(path)
        except InputError as error:
            raise StorageError(str(error)) from None
        if value is None:
            continue
        with convert_os_errors(f"write {Path(path).parent}"):
            create_folder(Path(path).parent)
        write_atomically(Path(path), partial(_write_value, value))
        del _values_by_path[path]


def forget_inputs(paths: Iterable[str]) -> None:
    """Forget inputs that are in memory only, of a sweep that writes none."""
    for path in paths:
        _values_by_path.pop(path, None)


def _write_value(value: Any, path: Path) -> None:
    if isinstance(value, str):
        path.write_text(value, encoding="utf-8")
        return
    if isinstance(value, pd.DataFrame):
        value.to_parquet(path, index=False)
        return
    # An open file, because ``np.save`` appends ".npy" to a path without it.
    with path.open("wb") as file:
        np.save(file, value, allow_pickle=False)
