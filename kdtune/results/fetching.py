"""Bring the results of a sweep from an object store into a folder of this machine."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from kdtune.columns import ID, MODEL, TEACHER, TEACHER_ID
from kdtune.errors import RequestError, StorageError
from kdtune.files.atomic import create_folder
from kdtune.files.storage_errors import convert_os_errors
from kdtune.objects.folder import ObjectEntry, ObjectFolder
from kdtune.objects.lease import LEASE_NAME
from kdtune.objects.places import refuse_storage_errors
from kdtune.objects.urls import parse_object_url
from kdtune.results.mirrored_teachers import MirroredTeachers
from kdtune.results.store import Store
from kdtune.table import read_table

_THREADS = 8  # requests at a time


def fetch_sweep(
    url: str, root: Path, needs_inputs: bool = False, say: Callable[[str], object] = lambda line: None
) -> Store:
    """Copy a sweep, as far as it has come, and its teachers into a folder of results, and return it.

    What is there of an earlier time is brought up to date, so that a fetch that was interrupted goes on. Rows that only
    the folder has stay, as those of another version of the sweep file.

    Parameters
    ----------
    url : the URL of the sweep's results.
    root : the folder under which results lie on this machine.
    needs_inputs : whether to bring the data that the sweep kept, too; they are needed to load a network's data.
    say : prints a line.

    Raises
    ------
    RequestError
        If there is no such sweep, or a sweep runs in the folder.
    StorageError
        If the store cannot be reached, or the folder cannot be written.
    """
    place = parse_object_url(url).removesuffix("/table.parquet")
    root_url, _, name = place.rpartition("/")
    if root_url.endswith("/"):
        raise RequestError(f"{place}: name the folder of a sweep in the bucket, as in {place}/results/fakeset")
    with refuse_storage_errors():
        objects = ObjectFolder(place)
        entries = [entry for entry in objects.list_objects() if entry.name != LEASE_NAME]
    if not entries:
        raise RequestError(f"{place}: there is no sweep; name the folder that holds its table.parquet")
    store = Store(root, name)
    with store.lock():
        # The table comes last: who sees it may rely on the files that it speaks of.
        entries.sort(key=lambda entry: entry.name == store.table_path.name)
        _download(objects, entries, store.folder)
        n_teachers = _fetch_teachers(ObjectFolder(f"{root_url}/teachers"), store)
        if needs_inputs:
            inputs = ObjectFolder(f"{root_url}/inputs")
            _download(inputs, inputs.list_objects(), store.root / "inputs")
    say(f"Fetched {len(entries):,} files of {place}, and {n_teachers:,} teachers.")
    return store


def _download(objects: ObjectFolder, entries: Iterable[ObjectEntry], folder: Path) -> None:
    """Copy objects into a folder, several at a time; one that vanished meanwhile was compacted into a later one."""

    def download(entry: ObjectEntry) -> None:
        path = folder / entry.name
        with convert_os_errors(f"write {path.parent}"):
            create_folder(path.parent)
        objects.download(entry.name, path)

    listed = list(entries)
    with ThreadPoolExecutor(_THREADS) as threads:
        list(threads.map(download, listed[:-1]))
    for last in listed[-1:]:
        download(last)


def _fetch_teachers(objects: ObjectFolder, store: Store) -> int:
    """Unpack the teachers of a sweep's table into the folder of teachers, and return their number."""
    try:
        rows = read_table(store.table_path)
    except (ValueError, StorageError):  # The sweep has no table yet.
        return 0
    pairs = zip(rows[ID].to_pylist(), rows[MODEL].to_pylist(), rows[TEACHER_ID].to_pylist(), strict=True)
    teacher_ids = dict.fromkeys(id if model == TEACHER else teacher_id for id, model, teacher_id in pairs)
    teachers = MirroredTeachers(objects, store.teachers.folder, store.warnings, repair=False)
    return len(teachers.fetch_existing(id for id in teacher_ids if id is not None))
