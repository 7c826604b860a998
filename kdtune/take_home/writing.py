"""Write what is taken home into a folder, all of it or nothing."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from kdtune.errors import RequestError, StorageError
from kdtune.files.atomic import create_folder, list_folder, remove_empty_folders, write_atomically
from kdtune.files.storage_errors import convert_os_errors

WEIGHTS, ONNX = "student.safetensors", "student.onnx"
PREPROCESSING, LABELS = "preprocessing.json", "labels.json"
CARD, SCRIPT, SWEEP = "model_card.md", "predict.py", "sweep.yaml"
FILES = (WEIGHTS, ONNX, PREPROCESSING, LABELS, CARD, SCRIPT, SWEEP)


def check_folder(folder: Path, force: bool) -> None:
    """Raise RequestError if a folder holds files and ``force`` is false, or is no folder."""
    try:
        if folder.exists() and not folder.is_dir():
            raise RequestError(f"{folder}: is a file; name a new folder")
        if not force and list_folder(folder):
            raise RequestError(f"{folder}: holds files; name a new folder, or replace what it has with --force")
    except (OSError, StorageError) as error:
        raise RequestError(f"{folder}: cannot be read: {getattr(error, 'strerror', None) or error}") from None


def write_folder(folder: Path, contents: Mapping[str, bytes]) -> None:
    """Write files, and remove those of an earlier export that are not among them; others stay.

    Parameters
    ----------
    contents : the content of each file by its path in the folder.

    Raises
    ------
    StorageError
        If the disk is full or the folder cannot be written. What was written then is removed again.
    """
    new_folders: list[Path] = []
    new_files: list[Path] = []
    try:
        for name, content in contents.items():
            path = folder / name
            with convert_os_errors(f"write {folder}"):
                new_folders += create_folder(path.parent)
            existed = path.exists()
            write_atomically(path, lambda temporary, content=content: temporary.write_bytes(content))  # type: ignore[misc]
            if not existed:
                new_files.append(path)
    except BaseException:
        for path in new_files:
            with suppress(OSError):
                path.unlink()
        remove_empty_folders(new_folders)
        raise
    for name in set(FILES) - contents.keys():
        with convert_os_errors(f"remove {folder / name}"):
            (folder / name).unlink(missing_ok=True)
