"""Files that a sweep file names, sent from the user's machine to the results with a job, and found there by the job.

Files lie in the results under their content, ``inputs/files/<hash>/<name>``, folders as archives with the ending
``.folder.zip``, and are sent once. A list beside the sweep file says which path in it each of them stands for.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

from kdtune.errors import RequestError, StorageError
from kdtune.files.atomic import create_folder, make_temporary_path, move_into_place, remove_path
from kdtune.files.file_hashes import compute_checksum
from kdtune.files.storage_errors import convert_os_errors
from kdtune.objects.folder import ObjectFolder

FOLDER_ENDING = ".folder.zip"
LIST_FILE = ".kdtune-sent-files.json"  # beside the sweep file: object names by the paths in the sweep file


def send_files(paths: Mapping[str, Path], inputs: ObjectFolder) -> dict[str, str]:
    """Send files and folders that are not in the store, and return their objects' names by the paths of the sweep file.

    Parameters
    ----------
    paths : where they lie on this machine, by their paths in the sweep file.
    inputs : the objects ``inputs`` of the results.

    Raises
    ------
    StorageError
        If the store cannot be reached, or a file cannot be read.
    """
    names = {}
    for written_path, path in paths.items():
        try:
            names[written_path] = _send_folder(path, inputs) if path.is_dir() else _send_file(path, inputs)
        except ValueError as error:  # It was removed a moment ago.
            raise StorageError(str(error)) from None
    return names


def write_list(names: Mapping[str, str], folder: Path) -> None:
    """Write the list of what was sent beside the sweep file."""
    (folder / LIST_FILE).write_text(json.dumps(names, indent=1) + "\n", encoding="utf-8")


def find_sent_files(folder: Path, inputs_folder: Path, inputs_url: str | None) -> dict[str, Path]:
    """Return where the files lie that came with a sweep, by their paths in the sweep file; copy those that are missing.

    Parameters
    ----------
    folder : the folder of the sweep file.
    inputs_folder : the folder ``inputs`` of the results on this machine.
    inputs_url : the URL of the objects ``inputs``; None if the results lie in a folder.

    Raises
    ------
    RequestError
        If one is not in the results any more.
    """
    try:
        names: dict[str, str] = json.loads((folder / LIST_FILE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    inputs = None if inputs_url is None else ObjectFolder(inputs_url)
    paths = {}
    for written_path, name in names.items():
        path = inputs_folder / name.removesuffix(FOLDER_ENDING)
        if not path.exists() and (inputs is None or not _fetch(name, path, inputs)):
            raise RequestError(f"{written_path}: {path} does not exist; submit the sweep again")
        paths[written_path] = path
    return paths


def _send_file(path: Path, inputs: ObjectFolder) -> str:
    name = f"files/{compute_checksum(path)}/{path.name}"
    if inputs.find_etag(name) is None:
        inputs.write(name, path)
    return name


def _send_folder(folder: Path, inputs: ObjectFolder) -> str:
    """Send a folder as an archive that is named by the names and contents of its files."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    lines = [f"{path.relative_to(folder).as_posix()} {compute_checksum(path)}" for path in files]
    content = hashlib.blake2b("\n".join(lines).encode(), digest_size=20).hexdigest()
    name = f"files/{content}/{folder.name}{FOLDER_ENDING}"
    if inputs.find_etag(name) is None:
        with convert_os_errors(f"pack {folder}"), tempfile.TemporaryDirectory(prefix="kdtune-") as scratch:
            archive_path = Path(scratch) / "folder.zip"
            with zipfile.ZipFile(archive_path, "w", zipfile.ZIP_STORED) as archive:
                for path in files:
                    archive.write(path, path.relative_to(folder))
            inputs.write(name, archive_path)
    return name


def _fetch(name: str, path: Path, inputs: ObjectFolder) -> bool:
    """Copy a file, or unpack a folder; return False if there is no such object."""
    with convert_os_errors(f"write {path}"):
        create_folder(path.parent)
        if not name.endswith(FOLDER_ENDING):
            return inputs.download(name, path) is not None
        archive_path = make_temporary_path(path)
        folder = make_temporary_path(path)
        try:
            if inputs.download(name, archive_path) is None:
                return False
            with zipfile.ZipFile(archive_path) as archive:
                archive.extractall(folder)
            move_into_place(folder, path)
        finally:
            remove_path(archive_path)
            remove_path(folder)
    return True
