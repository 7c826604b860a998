"""What software a table or a page was made with."""

from __future__ import annotations

import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

__version__ = "0.1.0"

_LIBRARIES = ("torch", "numpy", "scikit-learn", "ray", "scipy", "statsmodels", "pandas", "pyarrow", "matplotlib")


def list_versions() -> dict[str, str]:
    """Versions by name; of kdtune the commit too, where it runs from a checkout."""
    found = {"kdtune": __version__, "Python": platform.python_version()}
    if commit := _commit(Path(__file__).parent.parent):
        found["kdtune"] += f" (commit {commit})"
    for name in _LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _commit(folder: Path) -> str | None:
    """The commit of a checkout, and whether files of the package differ from it."""
    if not (folder / ".git").exists():
        return None
    git = ["git", "-C", str(folder)]
    try:
        commit = subprocess.run([*git, "rev-parse", "--short=12", "HEAD"], capture_output=True, text=True, check=True)
        changed = subprocess.run([*git, "diff", "--quiet", "HEAD", "--", "kdtune"], capture_output=True, check=False)
    except (OSError, subprocess.CalledProcessError):
        return None
    return commit.stdout.strip() + (", changed" if changed.returncode else "")
