"""The trained teachers in an object store: one object for each, ``teachers/<id>.zip``, which is created once.

The object holds the files of ``teacher_files`` as they are, without compression: a teacher is there as a whole or not
at all, and of two writers the first wins. On each machine it is unpacked once, into the mirror, where its files are
compared with their checksums whenever they are used, as in a folder of results.
"""

from __future__ import annotations

import io
import shutil
import zipfile
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from kdtune.errors import StorageError
from kdtune.files.atomic import create_folder, make_temporary_path, move_into_place, remove_path
from kdtune.files.storage_errors import convert_os_errors
from kdtune.objects.folder import ObjectFolder
from kdtune.results.teachers import TeacherStore

if TYPE_CHECKING:
    from kdtune.train.trained_network import TrainedNetwork

ETAG_FILE = ".etag"  # in an unpacked teacher: which object it is
_THREADS = 8  # requests at a time


class MirroredTeachers(TeacherStore):
    """The trained teachers in an object store, unpacked into a folder of this machine when they are read.

    Parameters
    ----------
    objects : the objects ``teachers``.
    folder, warnings, repair : as of ``TeacherStore``; the folder is the mirror's.
    """

    def __init__(self, objects: ObjectFolder, folder: Path, warnings: list[str], repair: bool = True) -> None:
        super().__init__(folder, warnings, repair)
        self.objects = objects

    # --- reading --------------------------------------------------------------------------------

    def read_rows(self, teacher_ids: Iterable[str]) -> pa.Table:
        """Read the rows of those teachers that exist; a damaged one is set aside with a warning."""
        return super().read_rows(self.fetch_existing(teacher_ids))

    def select_usable(self, teacher_ids: Iterable[str]) -> set[str]:
        """Return those teachers that exist and are intact; the others are set aside, and trained again."""
        return super().select_usable(self.fetch_existing(teacher_ids))

    def fetch_weights(self, teacher_id: str) -> Path:
        """Unpack a teacher, if it exists, and return the path of its weights."""
        self._fetch(teacher_id)
        return super().fetch_weights(teacher_id)

    def list_teachers(self) -> set[str]:
        """Return the ids of all teachers; some may have no weights."""
        return {entry.name.removesuffix(".zip") for entry in self.objects.list_objects() if "/" not in entry.name}

    def get_unchanged_file(self, teacher_id: str, name: str) -> Path:
        """Return the path of a teacher's file in the mirror; errors are those of ``TeacherStore``."""
        self._fetch(teacher_id)
        return super().get_unchanged_file(teacher_id, name)

    def is_intact(self, teacher_id: str) -> bool:
        """Return whether a teacher exists and is intact."""
        self._fetch(teacher_id)
        return super().is_intact(teacher_id)

    # --- saving ---------------------------------------------------------------------------------

    def save(self, result: TrainedNetwork) -> None:
        """Save a trained teacher, unless another worker has saved it already: training gives the same numbers."""
        teacher_id = result.network.id
        super().save(result)
        if self._read_etag(teacher_id) is not None:
            return  # It was there, and is unpacked.
        etag = self.objects.create(_name_object(teacher_id), _pack(self.folder / teacher_id))
        if etag is None:  # Another one was first. What is here may differ from it in last bits.
            self._fetch(teacher_id)
            return
        self._write_etag(teacher_id, etag)

    # --- removing -------------------------------------------------------------------------------

    def remove(self, teacher_ids: Iterable[str]) -> None:
        """Remove teachers from the store and from the mirror."""
        teacher_ids = list(teacher_ids)
        self.objects.delete(map(_name_object, teacher_ids))
        super().remove(teacher_ids)

    def set_aside_with_warning(self, teacher_id: str, problem: str) -> None:
        """Set a teacher aside in the store under another name, and warn of it."""
        self.accepted_ids.discard(teacher_id)
        outcome = "it is trained again when it is needed"
        if self.repair:
            name = _name_object(teacher_id)
            damaged = self.objects.read(name)
            if damaged is None:
                return  # Another sweep has moved it already.
            set_aside_name = f"set-aside/{teacher_id}-{damaged.etag.strip(chr(34))[:8]}.zip"
            self.objects.write(set_aside_name, damaged.content)
            self.objects.delete([name])
            outcome = f"set aside as teachers/{set_aside_name}, {outcome}"
        self._remove_from_mirror(teacher_id)
        self._warn(f"teachers/{teacher_id} {problem}; {outcome}")

    # --- the mirror -----------------------------------------------------------------------------

    def fetch_existing(self, teacher_ids: Iterable[str]) -> list[str]:
        """Unpack those teachers that exist, several at a time, and return their ids in the given order."""
        wanted_ids = list(teacher_ids)
        etags = {entry.name: entry.etag for entry in self.objects.list_objects()} if wanted_ids else {}
        existing_ids = [teacher_id for teacher_id in wanted_ids if _name_object(teacher_id) in etags]
        changed_ids = [each for each in existing_ids if self._read_etag(each) != etags[_name_object(each)]]
        with ThreadPoolExecutor(_THREADS) as threads:
            list(threads.map(self._fetch, changed_ids))
        return existing_ids

    def _fetch(self, teacher_id: str) -> None:
        """Unpack a teacher into the mirror, unless it is there; remove what is there of one that does not exist."""
        name = _name_object(teacher_id)
        etag = self.objects.find_etag(name)
        if etag is None:
            self._remove_from_mirror(teacher_id)
            return
        if self._read_etag(teacher_id) == etag:
            return
        stored = self.objects.read(name)
        if stored is None:
            return
        temporary = make_temporary_path(self.folder / teacher_id)
        try:
            with convert_os_errors(f"write {temporary}"):
                create_folder(temporary)
                _unpack(stored.content, temporary)
                (temporary / ETAG_FILE).write_text(stored.etag, encoding="utf-8")
                self._remove_from_mirror(teacher_id)
                with suppress(FileExistsError):
                    move_into_place(temporary, self.folder / teacher_id)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)

    def _read_etag(self, teacher_id: str) -> str | None:
        """Return which object a teacher in the mirror is; None if none is there."""
        try:
            return (self.folder / teacher_id / ETAG_FILE).read_text(encoding="utf-8")
        except OSError:
            return None

    def _write_etag(self, teacher_id: str, etag: str) -> None:
        path = self.folder / teacher_id / ETAG_FILE
        with convert_os_errors(f"write {path}"):
            path.write_text(etag, encoding="utf-8")

    def _remove_from_mirror(self, teacher_id: str) -> None:
        """Remove a teacher from the mirror: renamed first, as others on this machine may be reading it."""
        temporary = make_temporary_path(self.folder / teacher_id)
        if self._rename(teacher_id, temporary):
            with suppress(OSError):
                remove_path(temporary)


def _name_object(teacher_id: str) -> str:
    return f"{teacher_id}.zip"


def _pack(folder: Path) -> bytes:
    """Return the files of a teacher as the content of its object."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_STORED) as archive:
        for path in sorted(folder.iterdir()):
            if path.name != ETAG_FILE:
                archive.write(path, path.name)
    return content.getvalue()


def _unpack(content: bytes, folder: Path) -> None:
    """Write the files of a teacher's object; one that cannot be read leaves none, which counts as torn."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            for name in archive.namelist():
                if "/" in name or name.startswith("."):
                    raise StorageError(f"{name!r} is no name of a teacher's file")
                (folder / name).write_bytes(archive.read(name))
    except (zipfile.BadZipFile, EOFError, NotImplementedError):
        return
