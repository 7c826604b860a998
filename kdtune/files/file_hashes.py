"""Hashes of whole files."""

from __future__ import annotations

import hashlib
from pathlib import Path

from kdtune.files.storage_errors import classify_read_errors


def compute_checksum(path: Path) -> str:
    """Compute the hexadecimal digest of a file's content; errors are those of ``classify_read_errors``."""
    with classify_read_errors(path), path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=20)).hexdigest()
