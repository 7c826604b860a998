"""The versions of the software that a table or a page was made with."""

from __future__ import annotations

import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

__version__ = "0.2.0"

_LIBRARIES = ("torch", "numpy", "scikit-learn", "ray", "scipy", "statsmodels", "pandas", "pyarrow", "matplotlib")


def list_versions() -> dict[str, str]:
    """Return versions by name: of kdtune (with its commit, where it runs from a checkout), Python and the libraries."""
    kdtune_version = __version__
    commit = _describe_commit(Path(__file__).parents[1])
    if commit:
        kdtune_version += f" (commit {commit})"
    versions = {"kdtune": kdtune_version, "Python": platform.python_version()}
    for library in _LIBRARIES:
        try:
            versions[library] = version(library)
        except PackageNotFoundError:
            continue
    return versions


def _describe_commit(checkout: Path) -> str | None:
    """Return the commit of a checkout, and whether files of the package differ from it; None outside of a checkout."""
    if not (checkout / ".git").exists():
        return None
    git = ["git", "-C", str(checkout)]
    try:
        head = subprocess.run([*git, "rev-parse", "--short=12", "HEAD"], capture_output=True, text=True, check=True)
        diff = subprocess.run([*git, "diff", "--quiet", "HEAD", "--", "kdtune"], capture_output=True, check=False)
    except (OSError, subprocess.CalledProcessError):
        return None
    commit = head.stdout.strip()
    return f"{commit}, changed" if diff.returncode else commit
