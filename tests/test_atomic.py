"""Files and folders are written completely or not at all, and in an order that a power failure cannot undo."""

from __future__ import annotations

import errno
import os
import stat
import sys
from pathlib import Path

import pytest

from kdtune.errors import StorageError
from kdtune.files.atomic import create_folder, write_atomically


@pytest.fixture
def calls(monkeypatch):
    """The calls of fsync and rename, recorded beside the real ones: ("fsync", path), ("rename", source, target)."""
    if not sys.platform.startswith("linux"):
        pytest.skip("the path of a descriptor is found under /proc")
    calls = []
    fsync, replace, rename = os.fsync, os.replace, os.rename

    def record_fsync(descriptor):
        calls.append(("fsync", str(Path(f"/proc/self/fd/{descriptor}").readlink())))
        fsync(descriptor)

    def record_rename(move):
        def record(source, target):
            calls.append(("rename", str(source), str(target)))
            move(source, target)

        return record

    monkeypatch.setattr(os, "fsync", record_fsync)
    monkeypatch.setattr(os, "replace", record_rename(replace))
    monkeypatch.setattr(os, "rename", record_rename(rename))
    return calls


def test_a_file_is_flushed_before_its_rename_and_its_folder_after_it(tmp_path, calls):
    path = tmp_path / "a"
    write_atomically(path, lambda temporary: temporary.write_text("new"))
    temporary = calls[0][1]
    assert calls == [("fsync", temporary), ("rename", temporary, str(path)), ("fsync", str(tmp_path))]
    assert path.read_text() == "new"


def test_the_names_of_new_folders_are_flushed(tmp_path, calls):
    assert create_folder(tmp_path / "a" / "b") == [tmp_path / "a", tmp_path / "a" / "b"]
    assert calls == [("fsync", str(tmp_path)), ("fsync", str(tmp_path / "a"))]
    assert create_folder(tmp_path / "a" / "b") == []


def test_a_teacher_is_on_disk_before_its_folder_gets_its_name(tmp_path, calls, trained_teachers):
    from kdtune.results.store import Store

    store = Store(tmp_path, "x")
    store.teachers.save(trained_teachers[0])
    folder = str(store.teachers.folder / trained_teachers[0].network.id)
    *before, last_rename, last_flush = calls
    temporary = last_rename[1]
    assert last_rename == ("rename", temporary, folder)
    assert last_flush == ("fsync", str(store.teachers.folder))
    names = {"train.npy", "val.npy", "test.npy", "weights.safetensors", "row.parquet", "checksums.json"}
    renames = [call for call in before if call[0] == "rename"]
    assert {os.path.relpath(target, temporary) for _, _, target in renames} == names
    for rename in renames:
        assert before.index(("fsync", rename[1])) < before.index(rename)
    assert before[-1] == ("fsync", temporary)


def test_a_file_system_that_cannot_flush_folders_is_good_enough(tmp_path, monkeypatch):
    flush_only_files(monkeypatch, errno.EINVAL)
    write_atomically(tmp_path / "a", lambda temporary: temporary.write_text("new"))
    assert (tmp_path / "a").read_text() == "new"
    flush_only_files(monkeypatch, errno.EIO)
    with pytest.raises(StorageError, match="Input/output error"):
        write_atomically(tmp_path / "b", lambda temporary: temporary.write_text("new"))


def flush_only_files(monkeypatch, number):
    def flush(descriptor):
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", flush)


def test_a_failed_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "table.parquet"
    path.write_text("old")

    def fill_the_disk(temporary):
        temporary.write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(StorageError, match="No space left"):
        write_atomically(path, fill_the_disk)
    assert path.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["table.parquet"]


def test_an_interrupted_write_leaves_nothing(tmp_path):
    def interrupt(temporary):
        temporary.write_bytes(b"half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_atomically(tmp_path / "table.parquet", interrupt)
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_created_leaves_no_new_parent(tmp_path):
    with pytest.raises(OSError, match="File name too long"):
        create_folder(tmp_path / "a" / "b" / ("x" * 1000))
    assert not list(tmp_path.iterdir())


def test_a_read_only_file_system_is_a_storage_error(small_disk):
    small_disk.remount("ro")
    with pytest.raises(StorageError, match="Read-only file system"):
        write_atomically(small_disk.path / "a", lambda temporary: temporary.write_text("new"))
