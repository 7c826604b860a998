"""The results of a sweep in an object store, through a mirror: a folder of this machine with the same files.

    <url>/teachers/<id>.zip    the teachers: see ``mirrored_teachers.py``
    <url>/inputs/              data, logits and weights by content
    <url>/<name>/parts/        rows as they came, each part created once: a late writer is told so and goes on
    <url>/<name>/students/     weights of students
    <url>/<name>/lease.json    who drives the sweep: see ``objects/lease.py``
    <url>/<name>/...           table.parquet and all else as in a folder, sent by the driver that holds the lease

The mirror is a copy: what counts is in the store. Driver and workers of one machine share it.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from kdtune.errors import StorageError
from kdtune.files.atomic import create_folder
from kdtune.files.storage_errors import convert_os_errors
from kdtune.objects.folder import ObjectFolder
from kdtune.objects.lease import LEASE_NAME, Lease, hold_lease
from kdtune.objects.mirror import Mirror
from kdtune.objects.places import refuse_storage_errors
from kdtune.results.mirrored_teachers import MirroredTeachers
from kdtune.results.store import Store

if TYPE_CHECKING:
    from kdtune.train.trained_network import TrainedNetwork

TOKEN_FILE = ".lease-token"  # in the mirror: the last lease that this machine held
_THREADS = 8  # requests at a time


class MirroredStore(Store):
    """A sweep's results in an object store, and the teachers beside them. It is pickled for the workers.

    Parameters
    ----------
    url : the place under which results lie, as in ``s3://bucket/prefix``.
    root : the mirror's folder, which every machine makes under the same path.
    name, repair : as of ``Store``.
    """

    def __init__(self, url: str, root: Path, name: str, repair: bool = True) -> None:
        super().__init__(root, name, repair)
        self.url = url
        self.objects = ObjectFolder(f"{url}/{name}")
        self.inputs = ObjectFolder(f"{url}/inputs")
        self.teachers = MirroredTeachers(ObjectFolder(f"{url}/teachers"), root / "teachers", self.warnings, repair)
        self.mirror = Mirror(self.objects, self.folder)
        self.lease: Lease | None = None  # while this process drives the sweep
        self._part_etags: dict[str, str] = {}  # of the parts that are in the mirror, by file name

    def __reduce__(self) -> tuple[type[MirroredStore], tuple[str, Path, str, bool]]:
        return MirroredStore, (self.url, self.root, self.name, self.repair)

    @property
    def location(self) -> str:
        """Where the sweep's results lie, for messages: their URL."""
        return self.objects.url

    # --- the folder -----------------------------------------------------------------------------

    @contextmanager
    def lock(self, waits: bool = False, say: Callable[[str], object] = lambda line: None) -> Iterator[None]:
        """Hold the lease of the sweep, and the lock of its mirror, until the block ends.

        Raises
        ------
        RequestError
            If another driver holds the lease, or the store cannot be reached or written.
        """
        with super().lock(waits, say), ExitStack() as stack:
            with refuse_storage_errors():
                lease = stack.enter_context(hold_lease(self.objects, waits, say, self.folder / TOKEN_FILE))
                self.mirror.refresh()
            self.lease = lease
            stack.callback(self._forget_lease)
            yield

    def _forget_lease(self) -> None:
        self.lease = None

    def refresh_mirror(self) -> None:
        """Bring the mirror's files and parts up to date, to show them; StorageError if the store cannot be reached."""
        self.mirror.refresh()
        self._list_parts()

    def clear(self) -> None:
        """Remove everything of this sweep but its lease; the shared teachers stay."""
        names = [entry.name for entry in self.objects.list_objects() if entry.name != LEASE_NAME]
        # The rows go first: what a kill leaves then does not count as trained.
        self.objects.delete(name for name in names if name.startswith("parts/"))
        self.objects.delete(name for name in names if not name.startswith("parts/"))
        self._part_etags = {}
        self.mirror.forget()
        super().clear()

    # --- rows -----------------------------------------------------------------------------------

    def read_part(self, part_id: str) -> pa.Table:
        """Read the rows of one part; errors are those of ``read_table``."""
        path = self._get_part_path(part_id)
        self._fetch_part(path.name)
        return super().read_part(part_id)

    def _list_parts(self) -> list[Path]:
        """Copy the parts that are not in the mirror, and return the files of all."""
        while True:
            etags = {entry.name.removeprefix("parts/"): entry.etag for entry in self.objects.list_objects("parts")}
            for name in self._part_etags.keys() - etags.keys():
                self._forget_part(name)
            for path in super()._list_parts():  # of an earlier process
                if path.name not in self._part_etags:
                    self._forget_part(path.name)
            changed_names = [name for name, etag in etags.items() if self._part_etags.get(name) != etag]
            with ThreadPoolExecutor(_THREADS) as threads:
                are_there = list(threads.map(self._fetch_part, changed_names))
            # A part that vanished after it was listed was compacted, and its rows are in another one now.
            if all(are_there):
                return super()._list_parts()

    def _fetch_part(self, name: str) -> bool:
        """Copy a part into the mirror; return False if there is no such part."""
        with convert_os_errors(f"write {self.parts_folder}"):
            create_folder(self.parts_folder)
        etag = self.objects.download(f"parts/{name}", self.parts_folder / name)
        if etag is None:
            return False
        self._part_etags[name] = etag
        return True

    def _forget_part(self, name: str) -> None:
        self._part_etags.pop(name, None)
        with suppress(OSError):
            (self.parts_folder / name).unlink()

    def compact_parts(self, min_files: int = 1) -> None:
        """Put all rows into one part: a pack that is tried again creates a part of the same name as before."""
        super().compact_parts(min_files=1)

    def _write_part_file(self, path: Path, rows: pa.Table) -> None:
        """Create a part. If there is one of this name, another worker was first: its rows are of the same networks."""
        self._check_lease()
        content = io.BytesIO()
        pq.write_table(rows, content, write_page_checksum=True)
        self.objects.create(f"parts/{path.name}", content.getvalue())

    def _remove_parts(self, paths: Iterable[Path]) -> None:
        self._check_lease()
        paths = list(paths)
        self.objects.delete(f"parts/{path.name}" for path in paths)
        for path in paths:
            self._forget_part(path.name)

    def _set_part_aside(self, path: Path) -> Path:
        set_aside_path = super()._set_part_aside(path)
        self.objects.write(f"set-aside/{set_aside_path.name}", set_aside_path)
        self.objects.delete([f"parts/{path.name}"])
        self._part_etags.pop(path.name, None)
        return set_aside_path

    # --- students -------------------------------------------------------------------------------

    def _save_student(self, result: TrainedNetwork) -> None:
        super()._save_student(result)
        path = self.get_student_path(result.network.id)
        self.objects.write(f"students/{path.name}", path)
        with suppress(OSError):  # It may take much room on a worker's disk.
            path.unlink()

    def fetch_student(self, network_id: str) -> Path:
        """Copy a student's weights, if there are any, and return their path."""
        path = self.get_student_path(network_id)
        with convert_os_errors(f"write {path.parent}"):
            create_folder(path.parent)
        if self.objects.download(f"students/{path.name}", path) is None:
            path.unlink(missing_ok=True)
        return path

    def list_students(self) -> set[str]:
        """Return the ids of the students whose weights are kept."""
        return {Path(entry.name).stem for entry in self.objects.list_objects("students")}

    def remove_students(self, network_ids: Iterable[str]) -> None:
        """Remove the weights of students."""
        network_ids = list(network_ids)
        self.objects.delete(f"students/{self.get_student_path(network_id).name}" for network_id in network_ids)
        super().remove_students(network_ids)

    # --- what the driver writes -----------------------------------------------------------------

    def publish(self) -> None:
        """Send what the driver has written since the last time; LeaseLostError if it may drive no longer."""
        self._check_lease()
        self.mirror.send()

    def send_inputs(self, paths: Iterable[str]) -> None:
        """Send stored inputs that are not in the store; each is named by its content, and never changes."""
        path_by_name = {self._name_input(path): Path(path) for path in paths}
        existing_names = {entry.name for entry in self.inputs.list_objects()} if path_by_name else set()
        for name, path in path_by_name.items():
            if name not in existing_names:
                self.inputs.write(name, path)

    def fetch_inputs(self, paths: Iterable[str]) -> None:
        """Copy stored inputs that are not on this machine.

        Raises
        ------
        StorageError
            If one is not in the store either.
        """
        for path in map(Path, paths):
            if path.exists():
                continue
            with convert_os_errors(f"write {path.parent}"):
                create_folder(path.parent)
            name = self._name_input(path)
            if self.inputs.download(name, path) is None:
                raise StorageError(f"{self.inputs.url}/{name} does not exist; run the same command again")

    def _name_input(self, path: str | Path) -> str:
        """Return the name of the object of a stored input."""
        return Path(path).relative_to(self.root / "inputs").as_posix()

    def _check_lease(self) -> None:
        if self.lease is not None:
            self.lease.check()
