"""The folder of trained teachers, which all sweeps under one root share and write at the same time.

A teacher's folder ``<root>/teachers/<id>/`` is written under a hidden name and renamed once it is complete. No
sweep locks the others out: each must expect that any folder is renamed or removed by another one between two
looks at it.
"""

from __future__ import annotations

import errno
import shutil
import time
import uuid
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from kdtune.errors import StorageError
from kdtune.files.atomic import is_temporary, list_folder, make_temporary_path, move_into_place
from kdtune.results.checksums import check_files, has_checksums, write_checksums
from kdtune.results.teacher_files import CHECKED_FILES, TRAIN_LOGITS_FILE, WEIGHTS_FILE, read_row, write_files
from kdtune.results.weights import load_weights
from kdtune.table import merge_tables

if TYPE_CHECKING:
    from torch import nn

    from kdtune.train.train_pack import TrainedNetwork

LEFTOVER_SECONDS = 3600  # No write takes that long: a temporary folder of this age has lost its writer.
MAX_ATTEMPTS = 10  # Each attempt fails only if another sweep saves the same teacher in the same millisecond.


class TeacherStore:
    """The trained teachers under one root.

    Parameters
    ----------
    folder : the folder ``teachers``; it is created when the first teacher is saved.
    warnings : the list to which sentences for the user are appended.
    read_only : write, rename and remove nothing while teachers are read.
    """

    def __init__(self, folder: Path, warnings: list[str], read_only: bool = False) -> None:
        self.folder = folder
        self.warnings = warnings
        self.read_only = read_only
        self.verified_ids: set[str] = set()

    # --- reading --------------------------------------------------------------------------------

    def read_rows(self, teacher_ids: Iterable[str]) -> pa.Table:
        """Read the rows of those teachers that are there and not torn; torn ones are set aside.

        Checksums are not compared here: a sweep with nothing to train would read every file for nothing.
        """
        rows = []
        for teacher_id in teacher_ids:
            if (self.folder / teacher_id).is_dir():
                try:
                    rows.append(read_row(self.folder / teacher_id))
                except ValueError as problem:
                    self._reject(teacher_id, f"is torn: {problem}")
        return merge_tables(rows)

    def select_usable(self, teacher_ids: Iterable[str]) -> set[str]:
        """Return those teachers that students may be distilled from: there, not torn, and as they were saved.

        Each teacher's files are compared with their checksums once in the life of this object. What differs is
        set aside, and the teacher is trained again. Rows of students that were distilled from it earlier stay
        valid: they learned from the original, and training the teacher again gives the original's numbers.
        A folder of an earlier version, which has no checksums, gets them here.
        """
        existing_ids = {teacher_id for teacher_id in teacher_ids if (self.folder / teacher_id).is_dir()}
        for teacher_id in sorted(existing_ids - self.verified_ids):
            if self._verify(teacher_id):
                self.verified_ids.add(teacher_id)
        return existing_ids & self.verified_ids

    def load_logits(self, teacher_id: str) -> Any:
        """Load a teacher's logits on the training part, (examples, classes), as a memory map.

        Raises
        ------
        ValueError
            If the file is not there or was changed after it was saved.
        """
        return np.load(self._check_file(teacher_id, TRAIN_LOGITS_FILE), mmap_mode="r", allow_pickle=False)

    def load_network(self, teacher_id: str) -> nn.Module:
        """Load a teacher itself, in evaluation mode; errors as in ``load_logits``."""
        return load_weights(self._check_file(teacher_id, WEIGHTS_FILE))

    def _check_file(self, teacher_id: str, name: str) -> Path:
        """Return the path of a teacher's file, which another sweep or a user may have changed or removed by now."""
        path = self.folder / teacher_id / name
        remedy = "run the same command again, which trains that teacher again"
        try:
            check_files(path.parent, (name,))
            path.stat()  # A folder that is gone has no checksums to compare either.
        except ValueError as problem:
            raise ValueError(f"teachers/{teacher_id} was changed after it was saved: {problem}; {remedy}") from None
        except OSError as error:
            raise ValueError(f"teachers/{teacher_id}/{name} cannot be read: {error.strerror}; {remedy}") from error
        return path

    # --- saving ---------------------------------------------------------------------------------

    def save(self, result: TrainedNetwork) -> None:
        """Save a trained teacher, unless another sweep has saved it already: training gives the same numbers.

        Raises
        ------
        StorageError
            If it cannot be saved, whatever stands under its name.
        """
        teacher_id = result.network.id
        if self._is_intact(teacher_id):
            return
        temporary = make_temporary_path(self.folder / teacher_id)
        try:
            temporary.mkdir(parents=True)
            write_files(temporary, result)
            self._publish(temporary, teacher_id)
        except OSError as error:
            raise StorageError(f"cannot write {self.folder / teacher_id}: {error.strerror or error}") from error
        finally:
            shutil.rmtree(temporary, ignore_errors=True)

    def _publish(self, temporary: Path, teacher_id: str) -> None:
        """Give a complete folder its name; what stands there and is not intact is set aside."""
        for _ in range(MAX_ATTEMPTS):
            try:
                move_into_place(temporary, self.folder / teacher_id)
                return
            except OSError as error:
                if error.errno not in (errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR):
                    raise
            if self._is_intact(teacher_id):
                return
            self._set_aside(teacher_id)
        raise StorageError(f"cannot write {self.folder / teacher_id}: other sweeps replace it again and again")

    # --- removing -------------------------------------------------------------------------------

    def remove(self, teacher_ids: Iterable[str]) -> None:
        """Remove teachers. Each is renamed first, so that no other sweep sees half of one.

        Raises
        ------
        StorageError
            If one cannot be removed.
        """
        for teacher_id in teacher_ids:
            self.verified_ids.discard(teacher_id)
            temporary = make_temporary_path(self.folder / teacher_id)
            if self._rename(teacher_id, temporary):
                shutil.rmtree(temporary, ignore_errors=True)

    def remove_leftovers(self) -> None:
        """Remove temporary folders that are old; another sweep may be writing the new ones."""
        for path in filter(is_temporary, list_folder(self.folder)):
            try:
                age = time.time() - path.stat().st_mtime
            except FileNotFoundError:
                continue  # Another sweep has renamed or removed it since it was listed.
            if age > LEFTOVER_SECONDS:
                shutil.rmtree(path, ignore_errors=True)

    # --- checking -------------------------------------------------------------------------------

    def _is_intact(self, teacher_id: str) -> bool:
        """Return whether a teacher is there, not torn, and as it was saved."""
        try:
            read_row(self.folder / teacher_id)
            check_files(self.folder / teacher_id, CHECKED_FILES)
        except (OSError, ValueError):
            return False
        return True

    def _verify(self, teacher_id: str) -> bool:
        """Return whether a teacher is intact; if not, set it aside with a warning, else see that it has checksums."""
        folder = self.folder / teacher_id
        try:
            read_row(folder)
        except ValueError as problem:
            self._reject(teacher_id, f"is torn: {problem}")
            return False
        try:
            check_files(folder, CHECKED_FILES)
        except (OSError, ValueError) as problem:
            self._reject(teacher_id, f"was changed after it was saved: {problem}")
            return False
        if not self.read_only and not has_checksums(folder):
            self._add_checksums(teacher_id)
        return True

    def _add_checksums(self, teacher_id: str) -> None:
        """Give a folder of an earlier version its checksums, if it can be written."""
        folder = self.folder / teacher_id
        try:
            write_checksums(folder, CHECKED_FILES)
        except (OSError, StorageError) as error:
            if folder.is_dir():
                self._warn(f"teachers/{teacher_id} is used without checksums, so that a change goes unnoticed: {error}")

    def _reject(self, teacher_id: str, problem: str) -> None:
        """Warn of a teacher that cannot be used, and set it aside unless the store is read-only."""
        outcome = "it is trained again when it is needed"
        if not self.read_only:
            set_aside_path = self._set_aside(teacher_id)
            if set_aside_path is None:
                return  # Another sweep was faster, and warns.
            outcome = f"set aside as teachers/{set_aside_path.name}, {outcome}"
        elif not (self.folder / teacher_id).is_dir():
            return
        self._warn(f"teachers/{teacher_id} {problem}; {outcome}")

    def _warn(self, message: str) -> None:
        if message not in self.warnings:
            self.warnings.append(message)

    def _set_aside(self, teacher_id: str) -> Path | None:
        """Rename what stands under a teacher's name, and return its new path; None if it is gone already.

        If another sweep puts a good teacher there between the check and this, that one is set aside, and trained again.
        """
        set_aside_path = self.folder / f".set-aside-{teacher_id}.{uuid.uuid4().hex[:8]}"
        return set_aside_path if self._rename(teacher_id, set_aside_path) else None

    def _rename(self, teacher_id: str, target: Path) -> bool:
        """Rename a teacher's folder; return False if it is gone, which another sweep may do at any time."""
        path = self.folder / teacher_id
        try:
            path.rename(target)
        except FileNotFoundError:
            return False
        except OSError as error:
            raise StorageError(f"cannot rename {path}: {error.strerror or error}") from error
        return True
