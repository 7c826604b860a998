"""The folder of trained teachers, which all sweeps under one root share and write at the same time.

A teacher's folder ``<root>/teachers/<id>/`` is written under a temporary name and renamed once it is complete. There
is no lock here: any folder may vanish between two system calls. ``teacher_files`` says what an *intact* teacher is.
"""

from __future__ import annotations

import errno
import shutil
import time
import uuid
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from kdtune.errors import StorageError
from kdtune.files.atomic import (
    create_folder,
    is_temporary,
    list_folder,
    make_temporary_path,
    move_into_place,
    remove_path,
)
from kdtune.files.storage_errors import convert_os_errors
from kdtune.results.checksums import has_checksums, write_checksums
from kdtune.results.teacher_files import (
    LOGITS_FILES,
    WEIGHTS_FILE,
    check_structure,
    check_unchanged,
    list_checksummed_files,
    read_row,
    write_files,
)
from kdtune.results.weights import load_rows_network
from kdtune.table import merge_tables

if TYPE_CHECKING:
    from torch import nn

    from kdtune.train.trained_network import TrainedNetwork

# No write takes that long: the writer of an older temporary folder was killed. The age compares this host's clock
# with the file server's, which must therefore agree to well within an hour.
LEFTOVER_SECONDS = 3600

# The first attempt to give a folder its name fails if a damaged folder has that name. A later one fails only if
# another sweep saves the same teacher within the same milliseconds.
MAX_PUBLISH_ATTEMPTS = 10


class TeacherStore:
    """The trained teachers under one root.

    Parameters
    ----------
    folder : the folder ``teachers``; it is created when the first teacher is saved.
    warnings : the list to which sentences for the user are appended.
    repair : while reading, set aside teachers that are not intact, and give checksums to those of earlier versions;
        otherwise only warn.
    """

    def __init__(self, folder: Path, warnings: list[str], repair: bool = True) -> None:
        self.folder = folder
        self.warnings = warnings
        self.repair = repair
        self.accepted_ids: set[str] = set()

    # --- reading --------------------------------------------------------------------------------

    def read_rows(self, teacher_ids: Iterable[str]) -> pa.Table:
        """Read the rows of those teachers that exist and are complete.

        An incomplete teacher is set aside with a warning, or only warned of if this store does not repair.
        Checksums are not compared here: a sweep with nothing to train would read every file for nothing.
        """
        rows = []
        for teacher_id in teacher_ids:
            folder = self.folder / teacher_id
            if self._has_folder(teacher_id):
                try:
                    row = read_row(folder)
                    check_structure(folder, row)
                    rows.append(row)
                except ValueError as problem:
                    self.set_aside_with_warning(teacher_id, f"is torn: {problem}")
        return merge_tables(rows)

    def select_usable(self, teacher_ids: Iterable[str]) -> set[str]:
        """Return those teachers that exist and are intact, so that students may be distilled from them.

        Each teacher's files are compared with their checksums once in the life of this object. A teacher that is not
        intact is set aside, and trained again. Rows of students that were distilled from it earlier stay valid: they
        learned from the original, and training the teacher again gives the original's numbers (but for last bits
        where those depend on the pack: see ``packing``). A folder of an earlier version, which has no checksums,
        gets them here.
        """
        existing_ids = {teacher_id for teacher_id in teacher_ids if self._has_folder(teacher_id)}
        for teacher_id in sorted(existing_ids - self.accepted_ids):
            if self.accept_or_set_aside(teacher_id):
                self.accepted_ids.add(teacher_id)
        return existing_ids & self.accepted_ids

    def load_logits(self, teacher_id: str) -> Any:
        """Load a teacher's logits on the training part, (examples, classes), as a memory map.

        Errors are those of ``get_unchanged_file``.
        """
        return np.load(self.get_unchanged_file(teacher_id, LOGITS_FILES["train"]), mmap_mode="r", allow_pickle=False)

    def load_network(self, teacher_id: str) -> nn.Module:
        """Load a teacher itself, in evaluation mode, to be called with rows of features.

        Errors are those of ``get_unchanged_file``.
        """
        return load_rows_network(self.get_unchanged_file(teacher_id, WEIGHTS_FILE))

    def fetch_weights(self, teacher_id: str) -> Path:
        """Return the path of a teacher's weights on this machine, which exist only if it has any."""
        return self.folder / teacher_id / WEIGHTS_FILE

    def list_teachers(self) -> set[str]:
        """Return the ids of the teachers that have weights."""
        return {path.parent.name for path in self.folder.glob(f"[!.]*/{WEIGHTS_FILE}")}

    def get_unchanged_file(self, teacher_id: str, name: str) -> Path:
        """Return the path of a teacher's file after comparing it with its checksum.

        Raises
        ------
        ValueError
            If another sweep or a user has changed or removed it.
        StorageError
            If the system cannot read it at the moment.
        """
        folder = self.folder / teacher_id
        try:
            check_unchanged(folder, [name])
        except ValueError as problem:
            change = "was changed after it was saved" if self._has_folder(teacher_id) else "was removed"
            remedy = "run the same command again, which trains that teacher again"
            raise ValueError(f"teachers/{teacher_id} {change}: {problem}; {remedy}") from None
        return folder / name

    # --- saving ---------------------------------------------------------------------------------

    def save(self, result: TrainedNetwork) -> None:
        """Save a trained teacher, unless another sweep has saved it already: training gives the same numbers.

        Raises
        ------
        StorageError
            If the disk is full or the folder cannot be written. A file, link or damaged folder under the teacher's
            name is no obstacle.
        """
        teacher_id = result.network.id
        if self.is_intact(teacher_id):
            return
        temporary = make_temporary_path(self.folder / teacher_id)
        try:
            with convert_os_errors(f"write {self.folder / teacher_id}"):
                create_folder(temporary)
                write_files(temporary, result)
                self._publish(temporary, teacher_id)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)

    def _publish(self, temporary: Path, teacher_id: str) -> None:
        """Give a complete folder its name; what has that name and is not intact is set aside."""
        for _ in range(MAX_PUBLISH_ATTEMPTS):
            try:
                move_into_place(temporary, self.folder / teacher_id)
                return
            except OSError as error:
                if error.errno not in (errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR):
                    raise
            if self.is_intact(teacher_id):
                return
            self._set_aside(teacher_id)
        raise StorageError(f"cannot write {self.folder / teacher_id}: other sweeps replace it again and again")

    # --- removing -------------------------------------------------------------------------------

    def remove(self, teacher_ids: Iterable[str]) -> None:
        """Remove teachers. Each is renamed first, so that no other sweep sees half of one.

        Raises
        ------
        StorageError
            If one cannot be renamed.
        """
        for teacher_id in teacher_ids:
            self.accepted_ids.discard(teacher_id)
            temporary = make_temporary_path(self.folder / teacher_id)
            if self._rename(teacher_id, temporary):
                with suppress(OSError):  # What stays is a leftover, which a later sweep removes.
                    remove_path(temporary)

    def remove_leftovers(self) -> None:
        """Remove temporary files and folders that are old; another sweep may be writing the new ones."""
        for path in filter(is_temporary, list_folder(self.folder)):
            with suppress(OSError):  # Another sweep may rename or remove it at the same time.
                if time.time() - path.lstat().st_mtime > LEFTOVER_SECONDS:
                    remove_path(path)

    # --- checking -------------------------------------------------------------------------------

    def is_intact(self, teacher_id: str) -> bool:
        """Return whether a teacher exists and is intact; StorageError if the system cannot read it at the moment."""
        folder = self.folder / teacher_id
        try:
            check_structure(folder, read_row(folder))
            check_unchanged(folder)
        except ValueError:
            return False
        return True

    def accept_or_set_aside(self, teacher_id: str) -> bool:
        """Decide whether a teacher may be used.

        A damaged one is set aside with a warning; an intact one without checksums gets them. A store that does not
        repair changes nothing.

        Raises
        ------
        StorageError
            If the system cannot read the teacher at the moment, or cannot rename it.
        """
        folder = self.folder / teacher_id
        try:
            check_structure(folder, read_row(folder))
        except ValueError as problem:
            self.set_aside_with_warning(teacher_id, f"is torn: {problem}")
            return False
        try:
            check_unchanged(folder)
        except ValueError as problem:
            self.set_aside_with_warning(teacher_id, f"was changed after it was saved: {problem}")
            return False
        if self.repair and not has_checksums(folder):
            self._add_checksums(teacher_id)
        return True

    def _add_checksums(self, teacher_id: str) -> None:
        """Give a folder of an earlier version its checksums, if it can be written."""
        folder = self.folder / teacher_id
        try:
            write_checksums(folder, list_checksummed_files(folder))
        except (ValueError, StorageError) as error:
            if self._has_folder(teacher_id):
                self._warn(f"teachers/{teacher_id} is used without checksums, so that a change goes unnoticed: {error}")

    def set_aside_with_warning(self, teacher_id: str, problem: str) -> None:
        """Set a teacher aside and warn of it; a store that does not repair only warns.

        Parameters
        ----------
        teacher_id : the teacher.
        problem : what is wrong, which follows the teacher's name in the warning.
        """
        self.accepted_ids.discard(teacher_id)
        outcome = "it is trained again when it is needed"
        if self.repair:
            set_aside_path = self._set_aside(teacher_id)
            if set_aside_path is None:
                return  # Another sweep has moved it already.
            outcome = f"set aside as teachers/{set_aside_path.name}, {outcome}"
        elif not self._has_folder(teacher_id):
            return
        self._warn(f"teachers/{teacher_id} {problem}; {outcome}")

    def _has_folder(self, teacher_id: str) -> bool:
        """Return whether a teacher has a folder; StorageError if the system cannot say."""
        folder = self.folder / teacher_id
        with convert_os_errors(f"read {folder}"):
            return folder.is_dir()

    def _warn(self, message: str) -> None:
        if message not in self.warnings:
            self.warnings.append(message)

    def _set_aside(self, teacher_id: str) -> Path | None:
        """Rename whatever has a teacher's name, and return its new path; None if it has vanished.

        If another sweep has saved an intact teacher since our check, that teacher is set aside, and trained again.
        This costs time and loses nothing.
        """
        set_aside_path = self.folder / f".set-aside-{teacher_id}.{uuid.uuid4().hex[:8]}"
        return set_aside_path if self._rename(teacher_id, set_aside_path) else None

    def _rename(self, teacher_id: str, target: Path) -> bool:
        """Rename a teacher's folder; return False if it has vanished, which another sweep may cause at any time."""
        path = self.folder / teacher_id
        with convert_os_errors(f"rename {path}"):
            try:
                path.rename(target)
            except FileNotFoundError:
                return False
        return True
