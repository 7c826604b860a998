"""Find the sweep files that are named on the command line, among them those that ship with kdtune."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from kdtune.errors import RequestError
from kdtune.text import find_nearest

_PACKAGE = Path(__file__).parents[1]
# Installed, the sweeps lie inside the package; in a checkout they lie beside it.
BUNDLED_SWEEPS_FOLDER = _PACKAGE / "sweeps" if (_PACKAGE / "sweeps").is_dir() else _PACKAGE.parent / "sweeps"

MIN_SIMILARITY = 0.75  # All names share their ending, which alone makes many of them similar.


class SweepFile(NamedTuple):
    """A sweep file that exists."""

    path: Path
    is_bundled: bool


def list_bundled_sweeps() -> dict[str, str]:
    """List the names of the bundled sweeps, each with the first line of its comment."""
    return {path.name: _read_title(path) for path in sorted(BUNDLED_SWEEPS_FOLDER.glob("*.yaml"))}


def find_sweep_file(name: str) -> SweepFile:
    """Find a sweep file by its path or, if there is none, a bundled sweep by its name; both with or without .yaml.

    Raises
    ------
    RequestError
        If there is neither.
    """
    local_path = Path(name)
    try:
        is_local = local_path.exists()
    except OSError as error:
        raise RequestError(f"{name}: cannot be read: {error.strerror}") from None
    if is_local:
        return SweepFile(local_path, is_bundled=False)
    local_names = [path.name for path in sorted(Path().glob("*.y*ml"))]
    if f"{name}.yaml" in local_names:
        return SweepFile(Path(f"{name}.yaml"), is_bundled=False)
    bundled_names = list_bundled_sweeps()
    for candidate in (name, f"{name}.yaml"):
        if candidate in bundled_names:
            return SweepFile(BUNDLED_SWEEPS_FOLDER / candidate, is_bundled=True)
    nearest_name = find_nearest(name, [*local_names, *bundled_names], MIN_SIMILARITY)
    advice = f"did you mean {nearest_name!r}?" if nearest_name else "`kdtune sweep --list` names the bundled sweeps"
    raise RequestError(f"{name}: there is no such file, and no bundled sweep of that name; {advice}")


def _read_title(path: Path) -> str:
    return path.read_text(encoding="utf-8").splitlines()[0].lstrip("# ")
