"""The shared folder of teachers: many sweeps at once, full disks, torn folders, and files changed by hand."""

from __future__ import annotations

import contextlib
import json
import random
import shutil
import threading
import time
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

import kdtune as package
from kdtune.columns import ID
from kdtune.errors import StorageError
from kdtune.results.store import Store
from kdtune.results.weights import check_weights
from kdtune.run.request import Request
from kdtune.run.sweep import list_sweep_networks, plan_missing, read_known_rows
from kdtune.spec.load import load_spec
from kdtune.table import merge_tables, select_networks, to_frame
from kdtune.train.train_pack import train_pack
from tests.conftest import write_small
from tests.faults import no_free_descriptors, run_before_first_call
from tests.folders import assert_same_rows

LOGITS_AND_WEIGHTS = ["train.npy", "val.npy", "test.npy", "weights.safetensors"]


@pytest.fixture
def teachers(tmp_path):
    return Store(tmp_path, "x").teachers


@pytest.fixture
def teacher(trained_teachers):
    return trained_teachers[0]


def tear(folder: Path) -> None:
    path = folder / "train.npy"
    path.write_bytes(path.read_bytes()[:200])


def change(path: Path) -> None:
    """Change a number in a file, which stays readable."""
    content = bytearray(path.read_bytes())
    content[-3] ^= 0x10
    path.write_bytes(content)


def check_intact(root: Path, trained) -> None:
    """Every teacher is there with its own numbers, and nothing temporary is left."""
    store = Store(root, "check")
    ids = {result.network.id for result in trained}
    assert set(store.teachers.read_rows(ids)[ID].to_pylist()) == ids
    assert store.teachers.select_usable(ids) == ids
    assert not store.warnings
    for result in trained:
        np.testing.assert_array_equal(store.teachers.load_logits(result.network.id), result.logits["train"])
    assert not list(store.teachers.folder.glob(".*.tmp"))


# --- many sweeps at once ------------------------------------------------------------------------


def test_sweeps_that_share_teachers_do_not_disturb_each_other(tmp_path, trained_teachers):
    """Sweeps start, save, tear, remove and read the same teachers at the same time."""
    ids = [result.network.id for result in trained_teachers]
    end = time.monotonic() + 2
    errors = []

    def run_sweeps(number):
        generator = random.Random(number)
        try:
            while time.monotonic() < end:
                store = Store(tmp_path, f"sweep{number}")
                with store.lock():
                    store.teachers.read_rows(ids)
                    if generator.random() < 0.3:
                        store.teachers.remove(generator.sample(ids, 1))
                    elif generator.random() < 0.3:
                        tear_if_there(store.teachers.folder / generator.choice(ids))
                    store.teachers.select_usable(ids)
                    for result in trained_teachers:
                        store.teachers.save(result)
            for result in trained_teachers:
                store.teachers.save(result)
        except Exception as error:
            errors.append(error)

    run_in_threads(run_sweeps, 4)
    assert not errors
    check_intact(tmp_path, trained_teachers)


def tear_if_there(folder):
    with contextlib.suppress(FileNotFoundError):
        tear(folder)


def run_in_threads(function, count):
    threads = [threading.Thread(target=function, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_of_sweeps_that_save_one_teacher_at_once_the_fastest_wins(tmp_path, trained_teachers):
    for i in range(20):
        root = tmp_path / str(i)
        barrier, errors = threading.Barrier(4), []

        def save(_, root=root, barrier=barrier, errors=errors):
            barrier.wait()
            try:
                Store(root, "x").teachers.save(trained_teachers[0])
            except Exception as error:
                errors.append(error)

        run_in_threads(save, 4)
        assert not errors
        check_intact(root, trained_teachers[:1])
        assert len(list((root / "teachers").iterdir())) == 1, "none that was complete was set aside"


# --- torn folders and full disks ----------------------------------------------------------------


def test_a_torn_folder_makes_way_for_a_complete_one(tmp_path, teachers, teacher):
    folder = teachers.folder / teacher.network.id
    teachers.save(teacher)
    tear(folder)
    teachers.save(teacher)
    check_intact(tmp_path, [teacher])
    folder_names = {path.name for path in teachers.folder.iterdir()} - {folder.name}
    assert [name.split(".")[1] for name in folder_names] == [f"set-aside-{folder.name}"]


@pytest.mark.parametrize("obstacle", ["file", "empty folder", "dangling link"])
def test_whatever_stands_under_a_teachers_name_makes_way(tmp_path, teachers, teacher, obstacle):
    path = teachers.folder / teacher.network.id
    teachers.folder.mkdir()
    if obstacle == "file":
        path.write_text("mine")
    elif obstacle == "empty folder":
        path.mkdir()
    else:
        path.symlink_to("nowhere")
    teachers.save(teacher)
    check_intact(tmp_path, [teacher])


@pytest.mark.parametrize("has_torn_folder", [False, True])
def test_a_full_disk_is_an_error_even_where_a_torn_folder_stands(small_disk, teacher, has_torn_folder):
    teachers = Store(small_disk.path, "x").teachers
    folder = teachers.folder / teacher.network.id
    teachers.folder.mkdir()
    if has_torn_folder:
        folder.mkdir()
        (folder / "row.parquet").write_bytes(b"PAR1")
    small_disk.fill(leaving=12 << 10)
    with pytest.raises(StorageError, match="No space left on device"):
        teachers.save(teacher)
    assert not list(teachers.folder.glob(".*.tmp"))
    small_disk.empty()
    teachers.save(teacher)
    check_intact(small_disk.path, [teacher])


def test_a_read_only_disk_is_an_error_even_where_a_torn_folder_stands(small_disk, teacher):
    teachers = Store(small_disk.path, "x").teachers
    teachers.save(teacher)
    tear(teachers.folder / teacher.network.id)
    small_disk.remount("ro")
    with pytest.raises(StorageError, match="Read-only file system"):
        teachers.save(teacher)


# --- files that were changed by hand ------------------------------------------------------------


@pytest.mark.parametrize("name", LOGITS_AND_WEIGHTS)
def test_a_changed_teacher_is_set_aside_and_trained_again(tmp_path, teachers, teacher, name):
    teacher_id = teacher.network.id
    teachers.save(teacher)
    change(teachers.folder / teacher_id / name)
    planner = Store(tmp_path, "x", repair=False)
    assert planner.teachers.select_usable([teacher_id]) == set()
    assert (teachers.folder / teacher_id).is_dir(), "planning moves nothing"
    assert teachers.select_usable([teacher_id]) == set()
    assert not (teachers.folder / teacher_id).exists()
    for warnings in (planner.warnings, teachers.warnings):
        assert len(warnings) == 1
        assert f"teachers/{teacher_id} was changed after it was saved: {name} does not match" in warnings[0]
        assert "trained again" in warnings[0]
    teachers.save(teacher)
    check_intact(tmp_path, [teacher])


def test_a_worker_distills_from_no_changed_teacher(teachers, teacher):
    teachers.save(teacher)
    for load, name in ((teachers.load_logits, "train.npy"), (teachers.load_network, "weights.safetensors")):
        load(teacher.network.id)
        change(teachers.folder / teacher.network.id / name)
        with pytest.raises(ValueError, match=rf"was changed after it was saved: {name} .*run the same command again"):
            load(teacher.network.id)
        shutil.rmtree(teachers.folder / teacher.network.id)
        with pytest.raises(ValueError, match=r"was removed: .* does not exist; run the same command again"):
            load(teacher.network.id)
        teachers.save(teacher)


def run_without_ray(sweep_file, root, overrides=()):
    """Plan and train what is missing of a sweep, in this process; its table and its warnings."""
    request = Request(sweep_file, overrides, results=root)
    networks = list_sweep_networks(load_spec(sweep_file, overrides), request)
    store = Store(root, "small")
    with store.lock():
        rows = read_known_rows(networks, request, store)
        plan = plan_missing(networks, request, store, rows)
        for pack in plan.packs:
            store.save_pack(pack.id, train_pack(pack, store.teachers.load_logits))
        rows = merge_tables([rows, store.read_rows()])
    return to_frame(select_networks(rows, [network.id for network in networks])), store.warnings


def test_new_students_of_a_changed_teacher_learn_from_the_original(tmp_path):
    sweep_file = write_small(tmp_path / "small.yaml")
    reference, _ = run_without_ray(sweep_file, tmp_path / "undisturbed")
    before, _ = run_without_ray(sweep_file, tmp_path / "results", ("distill.T=[1, 2]",))
    for path in (tmp_path / "results/teachers").glob("*/train.npy"):
        logits = np.load(path)
        np.save(path, logits[::-1])
    after, warnings = run_without_ray(sweep_file, tmp_path / "results")
    assert_same_rows(after, reference)
    assert len(warnings) == 2
    assert before[ID].isin(after[ID]).all()
    again, warnings = run_without_ray(sweep_file, tmp_path / "results")
    assert_same_rows(again, reference)
    assert not warnings


def test_torn_weights_are_a_request_error(tmp_path, teachers, teacher):
    teachers.save(teacher)
    (tmp_path / "x").mkdir()
    assert package.load(tmp_path / "x", teacher.network.id)
    path = teachers.folder / teacher.network.id / "weights.safetensors"
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(package.RequestError, match="cannot be read: it is torn"):
        package.load(tmp_path / "x", teacher.network.id)


def test_a_changed_teacher_is_noticed_although_its_checksums_were_removed(tmp_path, teachers, teacher):
    folder = teachers.folder / teacher.network.id
    teachers.save(teacher)
    change(folder / "train.npy")
    (folder / "checksums.json").unlink()
    with pytest.raises(ValueError, match=r"was changed after it was saved: checksums\.json does not exist"):
        teachers.load_logits(teacher.network.id)
    assert teachers.select_usable([teacher.network.id]) == set()
    assert "was changed after it was saved: checksums.json does not exist" in teachers.warnings[0]


def test_a_teacher_that_is_removed_between_two_looks_is_not_intact(teachers, teacher, monkeypatch):
    for check in (teachers.is_intact, lambda teacher_id: teachers.select_usable([teacher_id])):
        teachers.save(teacher)
        calls = run_before_first_call(monkeypatch, "exists", lambda path: shutil.rmtree(path.parent))
        assert not check(teacher.network.id)
        assert calls[0].name == "checksums.json"
        monkeypatch.undo()
    assert not teachers.warnings, "the sweep that removed it says so"


def test_a_network_is_looked_for_beside_a_damaged_table(tmp_path):
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "table.parquet").write_text("torn")
    with pytest.raises(package.RequestError, match="there is no network 'abc'"):
        package.load(tmp_path / "x", "abc")


# --- errors that pass -----------------------------------------------------------------------------


def test_too_many_open_files_are_no_damage(tmp_path, teachers, teacher):
    teacher_id = teacher.network.id
    teachers.save(teacher)
    assert teachers.read_rows([teacher_id]).num_rows == 1
    for call in (
        lambda: teachers.read_rows([teacher_id]),
        lambda: teachers.select_usable([teacher_id]),
        lambda: teachers.load_logits(teacher_id),
        lambda: teachers.load_network(teacher_id),
        lambda: teachers.save(teacher),
    ):
        with no_free_descriptors(), pytest.raises(StorageError, match="Too many open files"):
            call()
    check_weights(teachers.folder / teacher_id / "weights.safetensors")
    with no_free_descriptors(), pytest.raises(StorageError, match="Too many open files"):
        check_weights(teachers.folder / teacher_id / "weights.safetensors")
    assert not teachers.warnings
    check_intact(tmp_path, [teacher])


def test_a_folder_that_the_system_cannot_look_at_is_a_storage_error(teachers):
    teachers.folder.mkdir()
    for read in (teachers.read_rows, teachers.select_usable):
        with pytest.raises(StorageError, match="File name too long"):
            read(["x" * 1000])


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="a file whose reading is an I/O error")
def test_a_broken_disk_is_no_damage(teachers, teacher):
    path = teachers.folder / teacher.network.id / "train.npy"
    teachers.save(teacher)
    path.unlink()
    path.symlink_to("/proc/self/mem")
    for call in (teachers.load_logits, teachers.is_intact, lambda teacher_id: teachers.read_rows([teacher_id])):
        with pytest.raises(StorageError, match="Input/output error"):
            call(teacher.network.id)
    assert path.is_symlink()


# --- folders of earlier versions ----------------------------------------------------------------


def make_older(folder: Path) -> None:
    """Make a teacher's folder one that was saved before there were checksums."""
    (folder / "checksums.json").unlink()
    pq.write_table(pq.read_table(folder / "row.parquet").replace_schema_metadata(None), folder / "row.parquet")


def test_a_folder_of_an_earlier_version_gets_checksums_when_it_is_used(tmp_path, teachers, teacher):
    teacher_id = teacher.network.id
    path = teachers.folder / teacher_id / "checksums.json"
    teachers.save(teacher)
    checksums = path.read_text()
    assert sorted(json.loads(checksums)["files"]) == sorted(LOGITS_AND_WEIGHTS)
    make_older(path.parent)
    teachers.load_logits(teacher_id)
    teachers.read_rows([teacher_id])
    Store(tmp_path, "x", repair=False).teachers.select_usable([teacher_id])
    assert not path.exists()
    assert teachers.select_usable([teacher_id]) == {teacher_id}
    assert path.read_text() == checksums
    assert not teachers.warnings


def test_a_removed_file_of_a_folder_of_an_earlier_version_is_noticed(teachers, teacher):
    folder = teachers.folder / teacher.network.id
    teachers.save(teacher)
    make_older(folder)
    (folder / "train.npy").unlink()
    with pytest.raises(ValueError, match=r"train\.npy does not exist; run the same command again"):
        teachers.load_logits(teacher.network.id)


def test_a_folder_of_an_earlier_version_on_a_read_only_disk_is_used(small_disk, teacher):
    teachers = Store(small_disk.path, "x").teachers
    teachers.save(teacher)
    make_older(teachers.folder / teacher.network.id)
    small_disk.remount("ro")
    assert teachers.select_usable([teacher.network.id]) == {teacher.network.id}
    assert len(teachers.warnings) == 1
    assert "is used without checksums" in teachers.warnings[0]
    teachers.load_logits(teacher.network.id)


def test_checksums_name_their_algorithm_and_older_ones_without_it_stay_valid(teachers, teacher):
    path = teachers.folder / teacher.network.id / "checksums.json"
    teachers.save(teacher)
    checksums = json.loads(path.read_text())
    assert checksums["algorithm"] == "blake2b-160"
    path.write_text(json.dumps(checksums["files"]))
    assert teachers.is_intact(teacher.network.id)
    change(path.with_name("train.npy"))
    assert not teachers.is_intact(teacher.network.id)


def test_checksums_of_a_newer_version_are_no_damage(teachers, teacher):
    path = teachers.folder / teacher.network.id / "checksums.json"
    teachers.save(teacher)
    path.write_text(path.read_text().replace("blake2b-160", "blake3"))
    with pytest.raises(StorageError, match=r"newer version of kdtune.*'blake3'"):
        teachers.select_usable([teacher.network.id])
    assert path.exists()
