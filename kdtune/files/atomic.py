"""Write files whole or not at all."""

from __future__ import annotations

import os
import uuid
from pathlib import Path
from typing import Any

from kdtune.errors import StorageError


def write_atomically(path: Path, write_to: Any) -> None:
    """Call ``write_to(temporary path)``, flush it to disk, then move it to ``path`` in one step."""
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.tmp")
    try:
        write_to(temporary)
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise StorageError(f"cannot write {path}: {error.strerror or error}") from error
