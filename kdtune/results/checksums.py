"""Checksums of a teacher's files, so that files that were changed after they were saved are noticed.

``checksums.json`` in a teacher's folder names the algorithm, and under ``files`` the hexadecimal digest of each file
of logits or weights. The algorithm ``blake2b-160`` is BLAKE2b with a digest of 20 bytes (RFC 7693).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from kdtune.errors import StorageError
from kdtune.files.atomic import write_atomically
from kdtune.files.file_hashes import compute_checksum
from kdtune.files.storage_errors import classify_read_errors

CHECKSUMS_FILE = "checksums.json"
ALGORITHM = "blake2b-160"


def write_checksums(folder: Path, names: Sequence[str]) -> None:
    """Write the checksums of some of a folder's files.

    Raises
    ------
    ValueError
        If one of the files does not exist.
    StorageError
        If a file cannot be read, or the checksums cannot be written.
    """
    checksums = {"algorithm": ALGORITHM, "files": {name: compute_checksum(folder / name) for name in names}}
    text = json.dumps(checksums, indent=1) + "\n"
    write_atomically(folder / CHECKSUMS_FILE, lambda temporary: temporary.write_text(text, encoding="utf-8"))


def has_checksums(folder: Path) -> bool:
    """Return whether a folder has checksums; those of earlier versions have none."""
    path = folder / CHECKSUMS_FILE
    with classify_read_errors(path):
        return path.exists()


def compare_checksums(folder: Path, names: Sequence[str]) -> None:
    """Compare files with their checksums.

    Raises
    ------
    ValueError
        If a file does not exist, differs from its checksum or has none, or the checksums cannot be parsed.
    StorageError
        If a file cannot be read, or a newer version of kdtune wrote the checksums with an algorithm of its own.
    """
    checksums = _read_checksums(folder)
    for name in names:
        if name not in checksums:
            raise ValueError(f"{CHECKSUMS_FILE} has no checksum of {name}")
        if compute_checksum(folder / name) != checksums[name]:
            raise ValueError(f"{name} does not match its checksum")


def _read_checksums(folder: Path) -> dict[str, str]:
    """Read the digest of each file, by the file's name."""
    path = folder / CHECKSUMS_FILE
    with classify_read_errors(path):
        content = path.read_bytes()
    try:
        checksums = json.loads(content)
    except ValueError:
        raise ValueError(f"{CHECKSUMS_FILE} cannot be read") from None
    if not isinstance(checksums, dict):
        raise ValueError(f"{CHECKSUMS_FILE} cannot be read")
    if "files" not in checksums:
        return checksums  # Before kdtune named the algorithm, the file held the digests alone, and of this algorithm.
    if checksums.get("algorithm") != ALGORITHM:
        raise StorageError(
            f"{path} is of a newer version of kdtune: its algorithm is {checksums.get('algorithm')!r}, not "
            f"{ALGORITHM!r}; update kdtune, or remove the teacher's folder, and it is trained again"
        )
    if not isinstance(checksums["files"], dict):
        raise ValueError(f"{CHECKSUMS_FILE} cannot be read")
    return checksums["files"]
