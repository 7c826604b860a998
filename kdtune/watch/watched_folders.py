"""Find the sweeps that a page shows: one folder, or all under a results folder."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from kdtune.analysis.file_problems import SWEEP_FILE, TABLE_FILE, describe_missing_table
from kdtune.errors import RequestError
from kdtune.results.live_status import STATUS_FILE
from kdtune.results.lock import LOCK_HOLDER_FILE

MAX_LISTED_SWEEPS = 200  # to which the page links
_TEACHERS_FOLDER = "teachers"  # It lies beside the sweeps.
_SWEEP_MARKS = (STATUS_FILE, TABLE_FILE, SWEEP_FILE, LOCK_HOLDER_FILE)  # A sweep's folder has one of these at least.


@dataclass(frozen=True)
class WatchedFolders:
    """The sweeps that a page shows.

    Attributes
    ----------
    root : the folder under which sweeps lie.
    sweep : the name of the only sweep to show; None for all under the root.
    """

    root: Path
    sweep: str | None = None

    def list_sweeps(self) -> list[str]:
        """Return the names of the sweeps, the one that was written to last first."""
        if self.sweep is not None:
            return [self.sweep]
        changes = {name: _find_last_change(self.root / name) for name in _list_names(self.root)}
        sweeps = [name for name, changed_at in changes.items() if changed_at is not None]
        return sorted(sweeps, key=lambda name: (-(changes[name] or 0.0), name))[:MAX_LISTED_SWEEPS]

    def find_folder(self, sweep: str) -> Path | None:
        """Return the folder of a sweep by its name; None if the page shows no such sweep, as for ``../other``."""
        is_shown = sweep == self.sweep if self.sweep is not None else sweep in _list_names(self.root)
        return self.root / sweep if is_shown else None


def locate_watched_folders(results: str | None) -> WatchedFolders:
    """Return what to show: of a sweep's folder, of its name under results/, or of a folder with sweeps.

    Without a name it is all of results/, which need not exist yet.

    Raises
    ------
    RequestError
        If the name is that of no such folder.
    """
    if results is None:
        return WatchedFolders(Path("results").absolute())
    if not results:
        raise RequestError("the name of the folder is empty; name a sweep's folder, or leave it out for results/")
    candidates = (Path(results), Path("results") / results)
    try:
        for path in candidates:
            if path.is_file() and path.name == TABLE_FILE:
                path = path.parent
            if _find_last_change(path) is not None:
                return watch_one(path)
        folders = [path for path in candidates if path.is_dir()]
        for folder in folders:
            if _may_hold_sweeps(folder):
                return WatchedFolders(folder.absolute())
        raise RequestError(f"{results}: {_describe_wrong_name(results, folders)}")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise RequestError(f"{results}: cannot be read: {reason}") from None


def watch_one(folder: Path) -> WatchedFolders:
    """Return that a page shows one sweep's folder, which need not exist yet."""
    # The name of "." is that of the folder itself; a link keeps its own name.
    named = folder.absolute() if folder.name and folder.name != ".." else folder.resolve()
    return WatchedFolders(named.parent, named.name)


def _find_last_change(folder: Path) -> float | None:
    """Return when a sweep's folder was last written to, in seconds since 1970; None if it is no sweep's folder."""
    times = []
    for name in _SWEEP_MARKS:
        try:
            times.append((folder / name).stat().st_mtime)
        except (OSError, ValueError):  # It does not exist, or is not ours to read.
            continue
    return max(times, default=None)


def _list_names(root: Path) -> list[str]:
    """Return the names of the folders under a root that may be sweeps."""
    try:
        with os.scandir(root) as entries:
            names = [entry.name for entry in entries if entry.is_dir()]
    except OSError:  # It does not exist yet.
        return []
    return [name for name in names if not name.startswith(".") and name != _TEACHERS_FOLDER]


def _may_hold_sweeps(folder: Path) -> bool:
    """Return whether a folder holds sweeps, or is a results folder that is still empty."""
    content = [path.name for path in folder.iterdir()]
    return not set(content) - {_TEACHERS_FOLDER} or bool(WatchedFolders(folder).list_sweeps())


def _describe_wrong_name(results: str, folders: list[Path]) -> str:
    """Say why there is nothing to watch under a name, and what to name instead."""
    if folders:
        return "the folder holds no sweep; name a sweep's folder, or the folder under which results lie"
    if Path(results).is_file():
        return "this is a file, and only the folder of a sweep can be watched; `kdtune analyze` answers from a table"
    return describe_missing_table(results, folders)
