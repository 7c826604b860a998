"""Check the argument that all functions of the library have in common."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kdtune.errors import RequestError
from kdtune.text import describe_value


def to_path(argument: str, value: Any) -> Path:
    """Return a path that a caller gave; raise RequestError, naming the argument, if it is no path."""
    if not isinstance(value, str | Path) or not str(value):
        example = {"file": "fakeset.yaml", "data_root": "data"}.get(argument, "results")
        raise RequestError(f"{argument}: must be a path, as in {argument}={example!r}, not {describe_value(value)}")
    return Path(value)
