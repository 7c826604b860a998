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

from kdtune.columns import DONE, ERROR, ID, MODEL, NUM_ERROR, REPLICATE, STATUS, STUDENT
from kdtune.errors import RequestError
from kdtune.results.store import Store
from kdtune.table import get_final_ids


def make_row(network_id, **columns):
    return {ID: network_id, MODEL: STUDENT, STATUS: DONE, **columns}


@pytest.fixture
def store(tmp_path):
    store = Store(tmp_path, "x")
    store.create_folders()
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
    reader = Store(tmp_path, "x", read_only=True)
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


def run_before_first_call(monkeypatch, method, action):
    """Let something happen between two steps of ours: right before the first call of a method of paths."""
    original = getattr(Path, method)
    calls = []

    def call(path, *arguments, **options):
        calls.append(path)
        if len(calls) == 1:
            action(path)
        return original(path, *arguments, **options)

    monkeypatch.setattr(Path, method, call)
    return calls


def test_a_reader_beside_a_running_sweep_sees_every_row_and_no_torn_file(tmp_path, store, monkeypatch):
    """``kdtune plan`` holds no lock: parts that it has listed are compacted before it reads them."""
    for i in range(3):
        store.write_part(f"p{i}", [make_row(f"n{i}")])
    run_before_first_call(monkeypatch, "is_file", lambda path: store.compact_parts(min_files=1))
    reader = Store(tmp_path, "x", read_only=True)
    assert get_final_ids(reader.read_rows()) == {"n0", "n1", "n2"}
    assert not reader.warnings


def test_a_part_that_vanishes_after_it_was_listed_is_no_error(tmp_path, store, monkeypatch):
    for i in range(2):
        store.write_part(f"p{i}", [make_row("n0")])
    calls = run_before_first_call(monkeypatch, "lstat", Path.unlink)
    assert get_final_ids(Store(tmp_path, "x", read_only=True).read_rows()) == {"n0"}
    assert not calls[0].exists()


def test_folders_that_a_refused_sweep_removes_are_created_again(tmp_path, monkeypatch):
    """A refused sweep removes the empty folders that it made, a moment after this one found them there."""
    store = Store(tmp_path / "root", "x")
    store.teachers.folder.mkdir(parents=True)
    calls = run_before_first_call(monkeypatch, "touch", lambda path: path.parent.rmdir())
    with store.lock():
        assert store.teachers.folder.is_dir()
        assert store.parts_folder.is_dir()
    assert len(calls) == 3, "the first failed, the second and third wrote to one folder each"


def test_a_refused_driver_leaves_the_folder_of_the_other_alone(tmp_path, monkeypatch):
    """Even if that one made the folder a moment ago; and a refused request leaves nothing new."""
    root = tmp_path / "a" / "b"
    with pytest.raises(RequestError, match="no"), Store(root, "x").lock():
        raise RequestError("no")
    assert not list(tmp_path.iterdir())
    first, second = Store(root, "x"), Store(root, "x")
    create_folders = second.create_folders
    with first.lock():
        monkeypatch.setattr(second, "create_folders", lambda: [*create_folders(), first.folder, first.parts_folder])
        first.write_part("p", [make_row("a")])
        with pytest.raises(RequestError, match="in use by another sweep"), second.lock():
            pass
        assert get_final_ids(first.read_rows()) == {"a"}


@pytest.mark.parametrize("note", ["", "[]", "{}", None])
def test_a_driver_is_refused_even_if_the_note_of_the_holder_cannot_be_read(store, note):
    with store.lock():
        path = store.folder / ".lock.json"
        path.unlink() if note is None else path.write_text(note)
        with pytest.raises(RequestError, match="in use by another sweep; wait or stop it"), store.lock():
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


class RefusedError(RequestError):
    pass


def test_a_store_travels_to_workers(store):
    copy = pickle.loads(pickle.dumps(store))
    copy.write_part("p", [make_row("a")])
    assert get_final_ids(store.read_rows()) == {"a"}
    assert copy.teachers.warnings is copy.warnings


@pytest.mark.usefixtures("frequent_switches")
def test_leftovers_are_looked_for_while_others_write(tmp_path):
    """Between the listing of temporary folders and the look at each, others rename and remove theirs."""
    store = Store(tmp_path, "x")
    store.create_folders()
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
    store.create_folders()
    for name, age in ((".old.1.tmp", 7200), (".new.2.tmp", 60)):
        (store.teachers.folder / name).mkdir()
        os.utime(store.teachers.folder / name, (time.time() - age,) * 2)
    with store.lock():
        assert [path.name for path in store.teachers.folder.iterdir()] == [".new.2.tmp"]
