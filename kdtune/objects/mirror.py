"""A folder of this machine whose files are copies of objects: bring them up to date, and send what is new."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

from kdtune.errors import StorageError
from kdtune.files.atomic import create_folder, list_folder, write_atomically
from kdtune.files.storage_errors import convert_os_errors
from kdtune.objects.folder import ObjectFolder
from kdtune.objects.lease import LEASE_NAME

RECORD_FILE = ".mirror.json"  # which object each file is a copy of


class _Copy(NamedTuple):
    """A file that is the same as an object."""

    etag: str
    modified_ns: int
    n_bytes: int


class Mirror:
    """The files directly in a folder, and the objects that they are copies of. Hidden files are no copies.

    Parameters
    ----------
    objects : the objects.
    folder : the folder, which is created when something is copied.
    """

    def __init__(self, objects: ObjectFolder, folder: Path) -> None:
        self.objects = objects
        self.folder = folder
        self._copies = _read_record(folder / RECORD_FILE)

    def refresh(self) -> bool:
        """Copy the objects that are new or have changed, and remove files whose objects do not exist.

        Return whether there is any object.

        Raises
        ------
        StorageError
            If the store cannot be reached, or the folder cannot be written.
        """
        etags = {
            entry.name: entry.etag
            for entry in self.objects.list_objects()
            if "/" not in entry.name and entry.name != LEASE_NAME
        }
        with convert_os_errors(f"write {self.folder}"):
            create_folder(self.folder)
            for path in self._list_files():
                if path.name not in etags:
                    path.unlink(missing_ok=True)
        for name, etag in etags.items():
            path = self.folder / name
            copy = self._copies.get(name)
            if copy is not None and copy.etag == etag and _stamp(path) == copy[1:]:
                continue
            new_etag = self.objects.download(name, path)
            if new_etag is not None:
                self._remember(path, new_etag)
        self._copies = {name: copy for name, copy in self._copies.items() if name in etags}
        self._write_record()
        return bool(etags)

    def send(self) -> None:
        """Send files that are new or have changed, and delete the objects whose files were removed.

        Raises
        ------
        StorageError
            If the store cannot be reached or refuses, or somebody else has changed an object since it was copied.
        """
        paths = {path.name: path for path in self._list_files()}
        changed = False
        for name, path in paths.items():
            copy, stamp = self._copies.get(name), _stamp(path)
            if stamp is None or (copy is not None and stamp == copy[1:]):
                continue
            self._copies[name] = _Copy(self._send_file(path, copy), *stamp)
            changed = True
        removed_names = [name for name in self._copies if name not in paths]
        self.objects.delete(removed_names)
        for name in removed_names:
            del self._copies[name]
        if changed or removed_names:
            self._write_record()

    def _send_file(self, path: Path, copy: _Copy | None) -> str:
        """Write a file's object and return its ETag, but not over what another program has written meanwhile."""
        content = path.read_bytes()
        if copy is None:
            etag = self.objects.create(path.name, content)
        else:
            etag = self.objects.update(path.name, content, copy.etag)
        if etag is None:
            current = self.objects.read(path.name)
            # Where the answer to our own write was lost, the object has our content.
            if current is None or current.content != content:
                raise StorageError(
                    f"{self.objects.url}/{path.name} was changed by another program; run the same command to continue"
                )
            etag = current.etag
        return etag

    def forget(self) -> None:
        """Forget which files are copies, as all objects were deleted."""
        self._copies = {}

    def _list_files(self) -> list[Path]:
        return [path for path in list_folder(self.folder) if path.is_file() and not path.name.startswith(".")]

    def _remember(self, path: Path, etag: str) -> None:
        stamp = _stamp(path)
        if stamp is not None:
            self._copies[path.name] = _Copy(etag, *stamp)

    def _write_record(self) -> None:
        text = json.dumps(self._copies)
        write_atomically(self.folder / RECORD_FILE, lambda path: path.write_text(text, encoding="utf-8"))


def _stamp(path: Path) -> tuple[int, int] | None:
    """Return what changes with a file: when it was modified and its size; None if it does not exist."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size


def _read_record(path: Path) -> dict[str, _Copy]:
    """Read which objects files are copies of; nothing if that is not known."""
    try:
        return {str(name): _Copy(str(c[0]), int(c[1]), int(c[2])) for name, c in json.loads(path.read_bytes()).items()}
    except (OSError, ValueError, TypeError, AttributeError, IndexError):
        return {}
