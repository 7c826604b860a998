"""A sweep's folder: where its rows and students lie, and what happens to torn files.

    <root>/teachers/<id>/      the teachers, shared by all sweeps under the root: see ``teachers.py``
    <root>/<name>/             sweep.yaml, table.parquet, parts/, students/<id>.safetensors, figures/,
                               per_class.parquet, confusion.parquet, learning_curves.parquet

Workers write packs, the driver everything else. No file is overwritten in place: a process that is killed at
any moment leaves complete files and temporary ones, whose names begin with a dot and end in ``.tmp``.
"""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from kdtune.errors import RequestError, StorageError
from kdtune.files.atomic import create_folder, is_temporary, list_folder, make_temporary_path
from kdtune.results.detail_tables import DETAIL_BUILDERS
from kdtune.results.lock import LOCK_FILE, LOCK_NOTE, hold_lock
from kdtune.results.teachers import TeacherStore
from kdtune.results.weights import save_weights
from kdtune.table import merge_tables, read_table, rows_to_arrow, write_chunks, write_table

if TYPE_CHECKING:
    from kdtune.train.train_pack import TrainedNetwork

DETAIL_CHUNK = 500  # networks whose details are in memory at once: each may have thousands of rows
MAX_PARTS = 256  # part files before they are compacted: opening many small files costs more than reading their rows
MAX_ATTEMPTS = 10  # to create a folder that other sweeps remove, which takes them a moment


class Store:
    """A sweep's folder under a root, and the teachers beside it. It is pickled for the workers.

    Parameters
    ----------
    root : the folder under which results lie.
    name : the sweep's name, which is its folder's.
    read_only : leave torn files and torn teachers where they are, only warn of them.
    """

    def __init__(self, root: Path | str, name: str, read_only: bool = False) -> None:
        self.root = Path(root).absolute()
        self.name = name
        self.read_only = read_only
        self.folder = self.root / name
        self.parts_folder = self.folder / "parts"
        self.students_folder = self.folder / "students"
        self.table_path = self.folder / "table.parquet"
        self.warnings: list[str] = []
        self.teachers = TeacherStore(self.root / "teachers", self.warnings, read_only)

    # --- the folder -----------------------------------------------------------------------------

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Create the folders and hold the sweep's as its only driver.

        Raises
        ------
        RequestError
            If another driver holds it, or it cannot be written. If the request is refused later, while the folder
            is held, new folders are removed again.
        """
        new_folders = self.create_folders()
        # A driver that does not get the lock removes nothing: the folders are the holder's.
        with hold_lock(self.folder):
            self._remove_leftovers()
            try:
                yield
            except RequestError:
                if self.folder in new_folders:
                    shutil.rmtree(self.folder, ignore_errors=True)
                _remove_empty(new_folders)
                raise

    def create_folders(self) -> list[Path]:
        """Create the folders and return the new ones; RequestError if they cannot be created or written."""
        new_folders: list[Path] = []
        try:
            for folder in (self.parts_folder, self.teachers.folder):
                new_folders += _create_writable_folder(folder)
        except OSError as error:
            _remove_empty(new_folders)
            raise RequestError(f"{self.folder}: the results folder cannot be written: {error.strerror}") from error
        return new_folders

    def clear(self) -> None:
        """Remove everything of this sweep but its lock; the shared teachers stay.

        Raises
        ------
        StorageError
            If something cannot be removed.
        """
        try:
            for path in list_folder(self.folder):
                if path.name in (LOCK_FILE, LOCK_NOTE):
                    continue
                if path.is_dir():
                    shutil.rmtree(path)
                else:
                    path.unlink()
            create_folder(self.parts_folder)
        except OSError as error:
            raise StorageError(f"cannot clear {self.folder}: {error.strerror or error}") from error

    def _remove_leftovers(self) -> None:
        """Remove temporary files of writers that were killed: whoever holds the lock knows that none is at work."""
        for folder in (self.folder, self.parts_folder, self.students_folder):
            for path in filter(is_temporary, list_folder(folder)):
                with suppress(OSError):
                    path.unlink()
        self.teachers.remove_leftovers()

    # --- rows -----------------------------------------------------------------------------------

    def read_rows(self) -> pa.Table:
        """Read all rows in ``parts/``. Torn and foreign files are set aside with a warning."""
        while True:
            tables, errors = _read_parts(self._list_parts())
            # While a sweep is planned that runs, its driver may compact a part between the listing and the reading.
            if all(os.path.lexists(path) for path in errors):
                break
        for path, error in errors.items():
            outcome = "its networks are trained again"
            if not self.read_only:
                outcome = f"set aside as {self._set_part_aside(path)}, {outcome}"
            self.warnings.append(f"parts/{error}; {outcome}")
        return merge_tables(tables.values())

    def read_part(self, pack_id: str) -> pa.Table:
        """Read the rows of one pack; ValueError if they are not there or torn."""
        return read_table(self.parts_folder / f"{pack_id}.parquet")

    def write_part(self, pack_id: str, rows: Sequence[dict[str, Any]]) -> None:
        """Write the rows of one pack; StorageError if the disk is full or the folder cannot be written."""
        write_table(rows_to_arrow(rows), self.parts_folder / f"{pack_id}.parquet")

    def compact_parts(self, min_files: int = MAX_PARTS) -> None:
        """Put all rows into one file if there are many files. Not while packs run: their driver reads single parts."""
        paths = self._list_parts()
        if len(paths) >= min_files:
            self._compact(paths)

    def compact_packs(self, pack_ids: Iterable[str]) -> None:
        """Put the rows of packs into one file; nobody may need ``read_part`` for them again."""
        self._compact([self.parts_folder / f"{pack_id}.parquet" for pack_id in pack_ids])

    def _compact(self, paths: Iterable[Path]) -> None:
        """Write the rows of files into one, then remove those files; a kill in between leaves rows twice, never none.

        Files that cannot be read stay, for ``read_rows`` to report.
        """
        tables, _ = _read_parts(paths)
        write_table(merge_tables(tables.values()), self.parts_folder / f"compacted-{uuid.uuid4().hex[:12]}.parquet")
        for path in tables:
            path.unlink(missing_ok=True)

    def _list_parts(self) -> list[Path]:
        """Return the files in ``parts/`` that are not temporary, oldest first: of two rows the later one counts."""
        modified_at = {}
        for path in list_folder(self.parts_folder):
            if not is_temporary(path):
                with suppress(FileNotFoundError):
                    modified_at[path] = path.lstat().st_mtime_ns
        return sorted(modified_at, key=lambda path: modified_at[path])

    def _set_part_aside(self, path: Path) -> Path:
        set_aside_path = self.folder / "set-aside" / f"{path.name}.{uuid.uuid4().hex[:8]}"
        try:
            create_folder(set_aside_path.parent)
            path.rename(set_aside_path)
        except OSError as error:
            raise StorageError(f"cannot set {path} aside: {error.strerror or error}") from error
        return set_aside_path

    def write_details(self, rows: pa.Table) -> None:
        """Write what is too long for the table into files beside it; no file for what no network recorded."""
        for file_name, build in DETAIL_BUILDERS.items():
            starts = range(0, len(rows), DETAIL_CHUNK)
            write_chunks((build(rows.slice(start, DETAIL_CHUNK)) for start in starts), self.folder / file_name)

    # --- packs ----------------------------------------------------------------------------------

    def save_pack(self, pack_id: str, results: Sequence[TrainedNetwork]) -> None:
        """Save a finished pack: first logits and weights, then the rows, which promise that those are there.

        Raises
        ------
        StorageError
            If the disk is full or the folder cannot be written.
        """
        for result in results:
            if result.weights is None:
                continue
            if result.logits is not None:
                self.teachers.save(result)
            else:
                self._save_student(result)
        self.write_part(pack_id, [result.row for result in results])

    def _save_student(self, result: TrainedNetwork) -> None:
        try:
            create_folder(self.students_folder)
        except OSError as error:
            raise StorageError(f"cannot write {self.students_folder}: {error.strerror or error}") from error
        save_weights(self.get_student_path(result.network.id), result)

    def get_student_path(self, network_id: str) -> Path:
        """Return the path of a student's weights, which are there only if they were kept."""
        return self.students_folder / f"{network_id}.safetensors"


def _create_writable_folder(folder: Path) -> list[Path]:
    """Create a folder, see that files can be written to it, and return the new folders."""
    attempts = 0
    while True:
        attempts += 1
        try:
            new_folders = create_folder(folder)
            probe = make_temporary_path(folder / "probe")
            probe.touch()
            probe.unlink()
            return new_folders
        except FileNotFoundError:
            # A refused sweep has removed the empty folders that it created, or a starting one has taken the
            # probe for a leftover.
            if attempts == MAX_ATTEMPTS:
                raise


def _remove_empty(folders: Iterable[Path]) -> None:
    """Remove those folders that are empty, the innermost first."""
    for folder in sorted(folders, key=lambda path: -len(path.parts)):
        with suppress(OSError):
            folder.rmdir()


def _read_parts(paths: Iterable[Path]) -> tuple[dict[Path, pa.Table], dict[Path, ValueError]]:
    """Read files of rows and return their tables, and the errors of those that cannot be read."""
    tables: dict[Path, pa.Table] = {}
    errors: dict[Path, ValueError] = {}
    for path in paths:
        try:
            tables[path] = read_table(path)
        except ValueError as error:
            errors[path] = error
    return tables, errors
