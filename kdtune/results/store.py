"""The folder of a sweep: its rows, students and tables on disk.

    <root>/teachers/<id>/      the teachers, shared by all sweeps under the root: see ``teachers.py``
    <root>/<name>/             the sweep's folder:
        sweep.yaml             the resolved sweep file
        table.parquet          one row per network
        per_class.parquet, confusion.parquet, learning_curves.parquet, errors_by_example.parquet
                               the detail tables: see ``detail_tables.py``
        parts/                 rows as they were written
        students/              <id>.safetensors, the weights of students that are kept
        set-aside/             damaged files of parts/
        analysis/, figures/, report.html
                               what ``kdtune analyze``, ``plot`` and ``report`` write
        status.json            what a sweep that runs is doing: see ``live_status.py``
        ray.log                what Ray printed in a run in which it died
        .lock, .lock.json      the lock of the sweep's driver, and who holds it: see ``lock.py``

A *row* is what the table holds of one network. A *pack* is a group of networks that a worker trains together. A
*part* is a Parquet file in ``parts/`` with the rows of one pack, of the students that one failed teacher leaves
without training, or of many parts after compaction.

Workers save packs; the driver, and the commands that analyze, write everything else. No file is overwritten in
place: a process that is killed at any moment leaves complete files and temporary ones, whose names begin with a dot
and end in ``.tmp``.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from kdtune.columns import ID, TEACHER
from kdtune.errors import RequestError
from kdtune.files.atomic import create_folder, is_temporary, list_folder, make_temporary_path, remove_path
from kdtune.files.storage_errors import convert_os_errors
from kdtune.results.detail_tables import DETAIL_BUILDERS
from kdtune.results.lock import LOCK_FILE, LOCK_HOLDER_FILE, create_and_lock
from kdtune.results.parts import list_parts, read_parts
from kdtune.results.teachers import TeacherStore
from kdtune.results.weights import save_weights
from kdtune.table import merge_tables, read_table, rows_to_arrow, write_chunks, write_table

if TYPE_CHECKING:
    from kdtune.train.trained_network import TrainedNetwork

DETAIL_CHUNK = 500  # networks whose details are in memory at once: each may have thousands of rows
MAX_PARTS = 256  # parts before they are compacted: opening many small files costs more than reading their rows


class Store:
    """A sweep's folder under a root, and the teachers beside it. It is pickled for the workers.

    Each method that writes creates its folder.

    Parameters
    ----------
    root : the folder under which results lie.
    name : the name of the sweep and of its folder.
    repair : while reading, move damaged parts and teachers aside; otherwise only warn of them.
    """

    def __init__(self, root: Path | str, name: str, repair: bool = True) -> None:
        self.root = Path(root).absolute()
        self.name = name
        self.repair = repair
        self.folder = self.root / name
        self.parts_folder = self.folder / "parts"
        self.students_folder = self.folder / "students"
        self.table_path = self.folder / "table.parquet"
        self.ray_log_path = self.folder / "ray.log"
        self.warnings: list[str] = []
        self.teachers = TeacherStore(self.root / "teachers", self.warnings, repair)

    @property
    def location(self) -> str:
        """Where the sweep's results lie, for messages: its folder."""
        return str(self.folder)

    # --- the folder -----------------------------------------------------------------------------

    @contextmanager
    def lock(self, waits: bool = False, say: Callable[[str], object] = lambda line: None) -> Iterator[None]:
        """Hold the sweep's folder as its only driver until the block ends.

        The folder is created where it does not exist, and temporary files that killed writers left are removed. If
        a RequestError ends the block, folders that were created here are removed again where they are empty.

        Parameters
        ----------
        waits : whether to wait for another driver that holds the folder; otherwise the request is refused.
        say : prints a line.

        Raises
        ------
        RequestError
            If another driver holds the folder, or it or the teachers' folder cannot be written.
        """
        with create_and_lock(self.folder, waits, say):
            self._check_writable()
            self._remove_leftovers()
            yield

    def _check_writable(self) -> None:
        """Raise RequestError if a folder that exists cannot be written."""
        for folder in (self.folder, self.parts_folder, self.teachers.folder):
            probe = make_temporary_path(folder / "probe")
            try:
                if folder.exists():
                    probe.touch()
                    probe.unlink()
            except OSError as error:
                raise RequestError(f"{folder}: the results folder cannot be written: {error.strerror}") from error

    def clear(self) -> None:
        """Remove everything of this sweep but its lock; the shared teachers stay.

        Where a folder is a link to another disk, its content is removed and the link stays.

        Raises
        ------
        StorageError
            If something cannot be removed.
        """
        with convert_os_errors(f"clear {self.folder}"):
            # The rows go first: what a kill leaves then does not count as trained.
            for path in (self.parts_folder, *list_folder(self.folder)):
                if path.name in (LOCK_FILE, LOCK_HOLDER_FILE):
                    continue
                if path.is_symlink() and path.is_dir():
                    for child in list_folder(path):
                        remove_path(child)
                else:
                    remove_path(path)

    def _remove_leftovers(self) -> None:
        """Remove temporary files of writers that were killed.

        On a cluster, workers of a killed driver may still be writing: the write whose file vanishes fails, and its
        networks are trained again.
        """
        for folder in (self.folder, self.parts_folder, self.students_folder):
            for path in filter(is_temporary, list_folder(folder)):
                with suppress(OSError):
                    remove_path(path)
        self.teachers.remove_leftovers()

    # --- rows -----------------------------------------------------------------------------------

    def read_rows(self) -> pa.Table:
        """Read all rows in ``parts/``; warn of damaged and foreign files, and set them aside if this store repairs.

        A reader needs no lock if its store does not repair: a driver may compact parts at the same time.

        Raises
        ------
        StorageError
            If the system cannot read a file at the moment, or a damaged one cannot be moved.
        """
        while True:
            tables, errors = read_parts(self._list_parts())
            # A part that vanished after it was listed was compacted, and its rows are in another file now: list again.
            if all(os.path.lexists(path) for path in errors):
                break
        for path, error in errors.items():
            outcome = "networks that it alone had are trained again"
            if self.repair:
                outcome = f"set aside as {self._set_part_aside(path)}, {outcome}"
            self.warnings.append(f"parts/{error}; {outcome}")  # The error begins with the file's name.
        return merge_tables(tables.values())

    def read_part(self, part_id: str) -> pa.Table:
        """Read the rows of one part; errors are those of ``read_table``."""
        return read_table(self._get_part_path(part_id))

    def write_part(self, part_id: str, rows: Sequence[dict[str, Any]]) -> None:
        """Write one part, named by its pack; StorageError if the disk is full or the folder cannot be written."""
        self._write_part_file(self._get_part_path(part_id), rows_to_arrow(rows))

    def compact_parts(self, min_files: int = MAX_PARTS) -> None:
        """Put all rows into one part if there are many; not while packs run, since the driver reads parts by pack."""
        paths = self._list_parts()
        if len(paths) >= min_files:
            self._compact(paths)

    def compact_packs(self, pack_ids: Iterable[str]) -> None:
        """Put the rows of packs into one part; nobody may need ``read_part`` for them again."""
        self._compact(map(self._get_part_path, pack_ids))

    def remove_rows(self, network_ids: Iterable[str]) -> None:
        """Remove the rows of networks, so that they count as not trained. Not while packs run.

        If the process is killed meanwhile, some of these rows may be left; no other row is lost.

        Raises
        ------
        StorageError
            If the disk is full or the folder cannot be written.
        """
        self._compact(self._list_parts(), without_ids=network_ids)

    def _compact(self, paths: Iterable[Path], without_ids: Iterable[str] = ()) -> None:
        """Write the rows of parts into one, then remove those parts; a kill in between leaves rows twice, never none.

        Damaged parts stay, for ``read_rows`` to report. The rows of the networks ``without_ids`` are left out.
        """
        tables, _ = read_parts(paths)
        if not tables:
            return
        compacted_path = self.parts_folder / f"compacted-{uuid.uuid4().hex[:12]}.parquet"
        rows = merge_tables(tables.values())
        is_removed = pc.is_in(rows[ID], pa.array(without_ids, pa.string()))
        self._write_part_file(compacted_path, rows.filter(pc.invert(is_removed)))
        self._remove_parts(tables)

    def _list_parts(self) -> list[Path]:
        """Return the files of all parts, the one that was written last at the end."""
        return list_parts(self.parts_folder)

    def _remove_parts(self, paths: Iterable[Path]) -> None:
        for path in paths:
            with convert_os_errors(f"remove {path}"):
                path.unlink(missing_ok=True)

    def _get_part_path(self, pack_id: str) -> Path:
        return self.parts_folder / f"{pack_id}.parquet"

    def _write_part_file(self, path: Path, rows: pa.Table) -> None:
        with convert_os_errors(f"write {self.parts_folder}"):
            create_folder(self.parts_folder)
        write_table(rows, path)

    def _set_part_aside(self, path: Path) -> Path:
        set_aside_path = self.folder / "set-aside" / f"{path.name}.{uuid.uuid4().hex[:8]}"
        with convert_os_errors(f"set {path} aside"):
            create_folder(set_aside_path.parent)
            path.rename(set_aside_path)
        return set_aside_path

    def write_details(self, rows: pa.Table) -> None:
        """Write the detail tables, see ``detail_tables.py``; remove the file of one that would be empty.

        Raises
        ------
        StorageError
            If the disk is full or the folder cannot be written.
        """
        for file_name, build in DETAIL_BUILDERS.items():
            starts = range(0, len(rows), DETAIL_CHUNK)
            write_chunks((build(rows.slice(start, DETAIL_CHUNK)) for start in starts), self.folder / file_name)

    # --- packs ----------------------------------------------------------------------------------

    def save_pack(self, pack_id: str, results: Sequence[TrainedNetwork]) -> None:
        """Save a finished pack.

        Rows are written last: a reader that sees a row may rely on the files.

        Raises
        ------
        StorageError
            If the disk is full or the folder cannot be written.
        """
        for result in results:
            if result.network.model == TEACHER and result.logits is not None:
                self.teachers.save(result)
            elif result.weights is not None:
                self._save_student(result)
        self.write_part(pack_id, [result.row for result in results])

    def _save_student(self, result: TrainedNetwork) -> None:
        with convert_os_errors(f"write {self.students_folder}"):
            create_folder(self.students_folder)
        save_weights(self.get_student_path(result.network.id), result)

    # --- students -------------------------------------------------------------------------------

    def get_student_path(self, network_id: str) -> Path:
        """Return the path of a student's weights, which exist only if they were kept."""
        return self.students_folder / f"{network_id}.safetensors"

    def fetch_student(self, network_id: str) -> Path:
        """Return the path of a student's weights on this machine, which exist only if they were kept."""
        return self.get_student_path(network_id)

    def list_students(self) -> set[str]:
        """Return the ids of the students whose weights are kept; StorageError if the folder cannot be read."""
        return {path.stem for path in list_folder(self.students_folder) if path.suffix == ".safetensors"}

    def remove_students(self, network_ids: Iterable[str]) -> None:
        """Remove the weights of students; StorageError if one cannot be removed."""
        for network_id in network_ids:
            path = self.get_student_path(network_id)
            with convert_os_errors(f"remove {path}"):
                path.unlink(missing_ok=True)

    # --- what the driver writes -----------------------------------------------------------------

    def publish(self) -> None:
        """Make what the driver has written visible to others: in a folder it is."""

    def send_inputs(self, paths: Iterable[str]) -> None:
        """Make stored inputs, which were written, visible to the workers: in a folder they are."""

    def fetch_inputs(self, paths: Iterable[str]) -> None:
        """Make stored inputs files of this machine: in a folder they are."""
