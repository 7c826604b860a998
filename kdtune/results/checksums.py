"""Checksums of a teacher's files, so that files that were changed after they were saved are noticed.

``checksums.json`` in a teacher's folder maps the name of each file of logits or weights to the hexadecimal
BLAKE2b digest (20 bytes, RFC 7693) of its content. The row in ``row.parquet`` has page checksums of its own.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from kdtune.files.atomic import write_atomically

CHECKSUMS_FILE = "checksums.json"


def write_checksums(folder: Path, names: tuple[str, ...]) -> None:
    """Write the checksums of some of a folder's files.

    Raises
    ------
    OSError
        If a file cannot be read.
    StorageError
        If the checksums cannot be written.
    """
    checksums = {name: compute_checksum(folder / name) for name in names}
    text = json.dumps(checksums, indent=1) + "\n"
    write_atomically(folder / CHECKSUMS_FILE, lambda temporary: temporary.write_text(text, encoding="utf-8"))


def has_checksums(folder: Path) -> bool:
    """Return whether a folder has checksums; those of earlier versions have none."""
    return (folder / CHECKSUMS_FILE).exists()


def check_files(folder: Path, names: tuple[str, ...]) -> None:
    """Compare files with their checksums, if the folder has any.

    Raises
    ------
    ValueError
        If a file differs from its checksum, has none, or the checksums cannot be read.
    OSError
        If a file is not there or cannot be read.
    """
    try:
        checksums = json.loads((folder / CHECKSUMS_FILE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return
    except ValueError:
        raise ValueError(f"{CHECKSUMS_FILE} cannot be read") from None
    for name in names:
        if not isinstance(checksums, dict) or name not in checksums:
            raise ValueError(f"{CHECKSUMS_FILE} has no checksum of {name}")
        if compute_checksum(folder / name) != checksums[name]:
            raise ValueError(f"{name} does not match its checksum")


def compute_checksum(path: Path) -> str:
    """Compute the hexadecimal BLAKE2b digest (20 bytes) of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=20)).hexdigest()
