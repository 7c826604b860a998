"""List and read part files while other processes may write and compact them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa

from kdtune.files.atomic import is_temporary, list_folder
from kdtune.files.storage_errors import convert_os_errors
from kdtune.table import read_table


def list_parts(folder: Path) -> list[Path]:
    """Return the files in ``parts/`` that are not temporary, sorted by modification time.

    They are sorted because ``merge_tables`` keeps the last of several final rows of a network. Where the clocks of
    hosts disagree, that may be the row that was written first: both are results of the same training.

    Raises
    ------
    StorageError
        If the folder cannot be read.
    """
    while True:
        paths = _list_until_stable(folder)
        with convert_os_errors(f"read {folder}"):
            try:
                modified_at = {path: path.lstat().st_mtime_ns for path in paths}
            except FileNotFoundError:
                continue  # It was compacted, perhaps into a file that is not among these.
        return sorted(paths, key=lambda path: modified_at[path])


def _list_until_stable(folder: Path) -> set[Path]:
    """List the files that are not temporary, again until none of the listing before has vanished.

    A listing is no snapshot: if parts are compacted meanwhile, it may lack both an old file and the new one.
    """
    previous_paths = None
    while True:
        paths = {path for path in list_folder(folder) if not is_temporary(path)}
        if previous_paths is not None and previous_paths <= paths:
            return paths
        previous_paths = paths


def read_parts(paths: Iterable[Path]) -> tuple[dict[Path, pa.Table], dict[Path, ValueError]]:
    """Read part files and return their tables, and the errors of those that are damaged or do not exist.

    Raises
    ------
    StorageError
        If the system cannot read a file at the moment.
    """
    tables: dict[Path, pa.Table] = {}
    errors: dict[Path, ValueError] = {}
    for path in paths:
        try:
            tables[path] = read_table(path)
        except ValueError as error:
            errors[path] = error
    return tables, errors
