"""A sweep's folder: its rows on disk, who may write, and what happens to torn and foreign files."""

from __future__ import annotations

import contextlib
import os
import pickle
import threading
import time
from pathlib import Path

import pandas as pd
import pytest
from filelock import FileLock

from kdtune.columns import DONE, ERROR, ID, MODEL, NUM_ERROR, REPLICATE, STATUS, STUDENT
from kdtune.errors import RequestError, StorageError
from kdtune.results.store import Store
from kdtune.table import get_final_ids
from tests.faults import no_free_descriptors, run_before_first_call


def make_row(network_id, **columns):
    return {ID: network_id, MODEL: STUDENT, STATUS: DONE, **columns}


@pytest.fixture
def store(tmp_path):
    store = Store(tmp_path, "x")
    store.parts_folder.mkdir(parents=True)
    return store


def list_parts(store):
    return sorted(path.name for path in store.parts_folder.iterdir())


@pytest.mark.parametrize("damage", ["cut", "flip", "empty", "text"])
def test_a_damaged_part_is_set_aside(tmp_path, store, damage):
    store.write_part("good", [make_row("a")])
    store.write_part("bad", [make_row(f"b{i}", x=i * 1.7) for i in range(500)])
    path = store.parts_folder / "bad.parquet"
    content = path.read_bytes()
    flipped = bytearray(content)
    flipped[200] ^= 0xFF
    path.write_bytes({"cut": content[:-7], "flip": bytes(flipped), "empty": b"", "text": b"hello"}[damage])
    (store.parts_folder / ".half.parquet.tmp").write_bytes(b"half")
    reader = Store(tmp_path, "x", repair=False)
    assert get_final_ids(reader.read_rows()) == {"a"}
    assert len(reader.warnings) == 1
    assert path.exists()
    assert get_final_ids(store.read_rows()) == {"a"}
    assert len(store.warnings) == 1
    assert list_parts(store) == [".half.parquet.tmp", "good.parquet"]
    with store.lock():  # What a killed writer left is removed once the folder is held.
        assert list_parts(store) == ["good.parquet"]


@pytest.mark.parametrize(
    "column",
    [{ID: [None]}, {NUM_ERROR: ["many"]}, {ERROR: [{"a": 1}]}, {REPLICATE: [0.5]}],
)
def test_foreign_parquet_is_set_aside(store, column):
    columns = {ID: ["a"], MODEL: [STUDENT], STATUS: [DONE], **column}
    pd.DataFrame(columns).to_parquet(store.parts_folder / "foreign.parquet")
    (store.parts_folder / "folder").mkdir()
    (store.parts_folder / "dangling").symlink_to("nowhere")
    assert store.read_rows().num_rows == 0
    assert len(store.warnings) == 3
    assert not list_parts(store)


def test_compacting_keeps_every_row(store):
    for i in range(10):
        store.write_part(f"p{i}", [make_row(f"n{i}")])
    ids = get_final_ids(store.read_rows())
    store.compact_parts(min_files=20)
    assert len(list_parts(store)) == 10
    (store.parts_folder / "torn.parquet").write_bytes(b"PAR1")
    store.compact_parts(min_files=5)
    assert [name.split("-")[0] for name in list_parts(store)] == ["compacted", "torn.parquet"]
    assert get_final_ids(store.read_rows()) == ids


@pytest.mark.parametrize("n_removed", range(5))
def test_a_kill_while_compacting_loses_and_doubles_nothing(store, monkeypatch, n_removed):
    """Before the first part is removed, and after each; compacting again tidies up."""
    for i in range(4):
        store.write_part(f"p{i}", [make_row(f"n{i}")])
    unlink, counter = Path.unlink, iter(range(10))

    def die(path, missing_ok=False):
        if path.parent == store.parts_folder and not path.name.startswith(".") and next(counter) == n_removed:
            raise KeyboardInterrupt
        unlink(path, missing_ok)

    monkeypatch.setattr(Path, "unlink", die)
    with contextlib.suppress(KeyboardInterrupt):
        store.compact_packs(["p0", "p1", "p2", "p3", "unknown"])
    monkeypatch.undo()
    for _ in range(2):
        assert sorted(store.read_rows()[ID].to_pylist()) == ["n0", "n1", "n2", "n3"]
        store.compact_parts(min_files=1)
    assert len(list_parts(store)) == 1


def test_a_reader_beside_a_running_sweep_sees_every_row_and_no_torn_file(tmp_path, store, monkeypatch):
    """``kdtune plan`` holds no lock: parts that it has listed are compacted before it reads them."""
    for i in range(3):
        store.write_part(f"p{i}", [make_row(f"n{i}")])
    run_before_first_call(monkeypatch, "is_file", lambda path: store.compact_parts(min_files=1))
    reader = Store(tmp_path, "x", repair=False)
    assert get_final_ids(reader.read_rows()) == {"n0", "n1", "n2"}
    assert not reader.warnings


def test_rows_of_a_part_that_is_compacted_after_it_was_listed_are_read_from_the_new_file(tmp_path, store, monkeypatch):
    for i in range(2):
        store.write_part(f"p{i}", [make_row(f"n{i}")])
    calls = run_before_first_call(monkeypatch, "lstat", lambda path: store.compact_parts(min_files=1))
    assert get_final_ids(Store(tmp_path, "x", repair=False).read_rows()) == {"n0", "n1"}
    assert not calls[0].exists()


def test_a_listing_that_lacks_both_a_compacted_part_and_the_new_file_is_repeated(tmp_path, store, monkeypatch):
    """A folder is listed piece by piece: files that come and go meanwhile may be missed."""
    for i in range(3):
        store.write_part(f"p{i}", [make_row(f"n{i}")])
    list_names, has_listed = os.listdir, []

    def compact_while_listing(folder):
        if has_listed:
            return list_names(folder)
        has_listed.append(True)
        store.compact_packs(["p0", "p1"])
        return ["p2.parquet"]

    monkeypatch.setattr(os, "listdir", compact_while_listing)
    assert get_final_ids(Store(tmp_path, "x", repair=False).read_rows()) == {"n0", "n1", "n2"}


def test_damaged_parts_alone_are_not_compacted_into_an_empty_one(store):
    for i in range(2):
        (store.parts_folder / f"torn{i}.parquet").write_bytes(b"PAR1")
    store.compact_parts(min_files=1)
    assert list_parts(store) == ["torn0.parquet", "torn1.parquet"]


def test_parts_that_cannot_be_removed_after_compacting_are_a_storage_error(small_disk, monkeypatch):
    store = Store(small_disk.path, "x")
    for i in range(2):
        store.write_part(f"p{i}", [make_row(f"n{i}")])
    run_before_first_call(monkeypatch, "unlink", lambda path: small_disk.remount("ro"))
    with pytest.raises(StorageError, match="Read-only file system"):
        store.compact_parts(min_files=1)
    assert get_final_ids(store.read_rows()) == {"n0", "n1"}


def test_too_many_open_files_are_no_damage_of_a_part(store, monkeypatch):
    store.write_part("p", [make_row("a")])
    with contextlib.ExitStack() as stack:
        run_before_first_call(monkeypatch, "is_file", lambda path: stack.enter_context(no_free_descriptors()))
        with pytest.raises(StorageError, match="Too many open files"):
            store.read_rows()
    with no_free_descriptors():
        with pytest.raises(StorageError, match="Too many open files"):
            store.read_part("p")
        with pytest.raises(StorageError, match="Too many open files"):
            store.compact_parts(min_files=1)
    assert list_parts(store) == ["p.parquet"]
    assert get_final_ids(store.read_rows()) == {"a"}
    assert not store.warnings


# --- who may write ------------------------------------------------------------------------------


class RefusedError(RequestError):
    """The refusal of a request, after its folder was locked."""


def test_a_refused_request_leaves_no_new_folder(tmp_path):
    root = tmp_path / "a" / "b"
    with pytest.raises(RefusedError), Store(root, "x").lock():
        raise RefusedError
    assert not list(tmp_path.iterdir())


def test_a_refused_request_deletes_no_rows(tmp_path):
    store = Store(tmp_path / "root", "x")
    with contextlib.suppress(RefusedError), store.lock():
        store.write_part("p", [make_row("a")])
        raise RefusedError
    assert get_final_ids(store.read_rows()) == {"a"}


def test_a_refused_request_deletes_no_rows_of_a_driver_that_was_there_first(tmp_path, monkeypatch):
    """One creates the folder; before it gets the lock, another one trains a whole sweep there."""

    def sweep(_):
        other_store = Store(tmp_path / "root", "x")
        with other_store.lock():
            other_store.write_part("p", [make_row("a")])

    run_before_first_call(monkeypatch, "acquire", sweep, FileLock)
    store = Store(tmp_path / "root", "x")
    with pytest.raises(RefusedError), store.lock():
        raise RefusedError
    assert get_final_ids(store.read_rows()) == {"a"}


def test_a_driver_that_does_not_get_the_lock_leaves_the_folder_that_it_created_to_the_holder(tmp_path, monkeypatch):
    holder, store = Store(tmp_path / "root", "x"), Store(tmp_path / "root", "x")
    with contextlib.ExitStack() as stack:

        def hold(_):
            stack.enter_context(holder.lock())
            holder.write_part("p", [make_row("a")])

        run_before_first_call(monkeypatch, "acquire", hold, FileLock)
        with pytest.raises(RequestError, match="in use by another sweep"), store.lock():
            pass
    assert get_final_ids(store.read_rows()) == {"a"}


@pytest.mark.parametrize(("owner", "method"), [(Path, "mkdir"), (FileLock, "acquire")])
def test_a_folder_that_a_refused_sweep_removes_is_created_again(tmp_path, monkeypatch, owner, method):
    """A refused sweep removes the empty folder that it created, a moment after this one found it."""
    store = Store(tmp_path / "root", "x")
    removed_folder = store.root if method == "mkdir" else store.folder
    removed_folder.mkdir(parents=True)
    run_before_first_call(monkeypatch, method, lambda _: removed_folder.rmdir(), owner)
    with store.lock():
        assert store.folder.is_dir()


def test_a_disk_without_room_for_a_file_refuses_and_keeps_no_new_folder(small_disk):
    """There is room for one folder more, but not for a file in it."""
    n_files = os.statvfs(small_disk.path).f_files - os.statvfs(small_disk.path).f_ffree
    small_disk.remount(f"nr_inodes={n_files + 1}")
    with pytest.raises(RequestError, match="No space left on device"), Store(small_disk.path, "x").lock():
        pass
    assert not list(small_disk.path.iterdir())


def test_a_folder_of_teachers_that_cannot_be_written_refuses_and_leaves_no_new_folder(tmp_path, small_disk):
    root = tmp_path / "root"
    root.mkdir()
    (root / "teachers").symlink_to(small_disk.path)
    small_disk.remount("ro")
    with pytest.raises(RequestError, match="cannot be written: Read-only file system"), Store(root, "x").lock():
        pass
    assert [path.name for path in root.iterdir()] == ["teachers"]


def test_a_note_that_cannot_be_written_is_no_obstacle(store):
    (store.folder / ".lock.json" / "mine").mkdir(parents=True)
    with (
        store.lock(),
        pytest.raises(RequestError, match="in use by another sweep; wait for it with --wait"),
        store.lock(),
    ):
        pass


@pytest.mark.parametrize("note", ["", "[]", "{}", None])
def test_a_driver_is_refused_even_if_the_note_of_the_holder_cannot_be_read(store, note):
    with store.lock():
        path = store.folder / ".lock.json"
        path.unlink() if note is None else path.write_text(note)
        with (
            pytest.raises(RequestError, match="in use by another sweep; wait for it with --wait"),
            store.lock(),
        ):
            pass


@pytest.mark.usefixtures("frequent_switches")
def test_sweeps_start_while_others_under_a_new_root_are_refused(tmp_path):
    """A refused one removes the empty folders that it made, which another one is about to use."""
    errors = []

    def start(name):
        for _ in range(50):
            try:
                with contextlib.suppress(RefusedError), Store(tmp_path / "root", name).lock():
                    raise RefusedError
            except Exception as error:
                errors.append(error)

    threads = [threading.Thread(target=start, args=(f"sweep{i}",)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors


def test_a_store_travels_to_workers(store):
    copy = pickle.loads(pickle.dumps(store))
    copy.write_part("p", [make_row("a")])
    assert get_final_ids(store.read_rows()) == {"a"}
    assert copy.teachers.warnings is copy.warnings


@pytest.mark.usefixtures("frequent_switches")
def test_leftovers_are_looked_for_while_others_write(tmp_path):
    """Between the listing of temporary folders and the look at each, others rename and remove theirs."""
    store = Store(tmp_path, "x")
    store.teachers.folder.mkdir()
    is_over = threading.Event()

    def write_again_and_again():
        while not is_over.is_set():
            for action in (Path.mkdir, Path.rmdir):
                for i in range(50):
                    action(store.teachers.folder / f".{i}.tmp")

    writer = threading.Thread(target=write_again_and_again)
    writer.start()
    try:
        for _ in range(200):
            store.teachers.remove_leftovers()
    finally:
        is_over.set()
        writer.join()


def test_old_leftovers_are_removed_and_new_ones_stay(tmp_path):
    store = Store(tmp_path, "x")
    store.teachers.folder.mkdir()
    for name, age in ((".old.1.tmp", 7200), (".new.2.tmp", 60)):
        (store.teachers.folder / name).mkdir()
        (store.teachers.folder / f".file{name}").write_text("of a killed probe")
        for path in (store.teachers.folder / name, store.teachers.folder / f".file{name}"):
            os.utime(path, (time.time() - age,) * 2)
    with store.lock():
        names = {path.name for path in store.teachers.folder.iterdir()}
    assert names == {".new.2.tmp", ".file.new.2.tmp"}


# --- starting over ------------------------------------------------------------------------------


def test_clearing_removes_all_but_the_lock(store):
    store.write_part("p", [make_row("a")])
    store.students_folder.mkdir()
    store.table_path.write_text("table")
    with store.lock():
        store.clear()
        assert sorted(path.name for path in store.folder.iterdir()) == [".lock", ".lock.json"]
        store.write_part("p", [make_row("b")])
    assert get_final_ids(store.read_rows()) == {"b"}


def test_clearing_keeps_a_link_to_another_disk_and_removes_what_is_there(tmp_path, store):
    other_disk = tmp_path / "other disk"
    (other_disk / "folder").mkdir(parents=True)
    (other_disk / "a.safetensors").write_text("weights")
    store.students_folder.symlink_to(other_disk)
    store.clear()
    assert store.students_folder.is_symlink()
    assert not list(other_disk.iterdir())


def test_a_kill_while_clearing_leaves_no_rows(store, monkeypatch):
    store.write_part("p", [make_row("a")])
    store.table_path.write_text("table")

    def die(path, missing_ok=False):
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "unlink", die)
    with pytest.raises(KeyboardInterrupt):
        store.clear()
    assert store.table_path.exists()
    assert store.read_rows().num_rows == 0
