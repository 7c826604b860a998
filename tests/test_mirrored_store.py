"""Results in an object store: the same table as in a folder, whoever is killed, late or damaged."""

from __future__ import annotations

import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import torch

import kdtune
from kdtune.columns import DEVICE, DONE, FAILED, HOST, ID, SECONDS, STATUS, STUDENT, TEACHER, TEACHER_ID
from kdtune.errors import RequestError, StorageError
from kdtune.objects.folder import ObjectFolder
from kdtune.objects.lease import LEASE_NAME, LeaseLostError
from kdtune.objects.places import CACHE_VARIABLE, find_root
from kdtune.plan.plan import Plan
from kdtune.results.mirrored_store import MirroredStore
from kdtune.results.places import open_store
from kdtune.run.progress import Progress
from kdtune.run.request import Request
from kdtune.run.sweep import sweep
from kdtune.settings import Resources
from kdtune.table import to_frame
from kdtune.train.train_pack import train_pack
from kdtune.watch.mirrored_results import watch_url

IN_PROCESS = Resources(workers=0)
CHANGING = [SECONDS, HOST, DEVICE]


@pytest.fixture
def results(bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The URL of results in a new bucket, with a mirror of their own."""
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "cache"))
    return f"{bucket}/results"


@pytest.fixture
def store(results: str) -> MirroredStore:
    store = open_store(results, "small")
    assert isinstance(store, MirroredStore)
    return store


def _sweep(file: Path, results: Path | str, **options: Any) -> pd.DataFrame:
    request = Request(file=file, results=results, resources=IN_PROCESS, **options)
    return to_frame(sweep(request, Progress(None)).rows)


def _read_remote_table(results: str, tmp_path: Path) -> pd.DataFrame:
    path = tmp_path / "remote.parquet"
    assert ObjectFolder(results).download("small/table.parquet", path)
    return to_frame(pq.read_table(path))


def _drop_mirror(results: str) -> None:
    """Forget what is on this machine, as another machine never had it."""
    shutil.rmtree(find_root(results))


def test_a_sweep_has_the_table_that_it_has_in_a_folder(
    results: str, write: Callable[..., Path], tmp_path: Path
) -> None:
    expected = _sweep(write(), tmp_path / "local")
    table = _sweep(write(), results)
    pd.testing.assert_frame_equal(table.drop(columns=CHANGING), expected.drop(columns=CHANGING))
    pd.testing.assert_frame_equal(_read_remote_table(results, tmp_path), table)
    names = {entry.name for entry in ObjectFolder(results).list_objects()}
    local_names = {str(path.relative_to(tmp_path / "local")) for path in (tmp_path / "local").rglob("*.parquet")}
    assert {name for name in local_names if "/parts/" not in name and not name.startswith("teachers")} <= names
    assert f"small/{LEASE_NAME}" not in names


def test_another_machine_goes_on_where_the_first_one_stopped(
    results: str, write: Callable[..., Path], tmp_path: Path
) -> None:
    before = _sweep(write(), results)
    _drop_mirror(results)
    after = _sweep(write(), results, overrides=["distill.T=[1, 2, 5, 7]"])
    is_old = after[ID].isin(before[ID])
    assert len(after) == len(before) + 4
    columns = [name for name in before.columns if name in after.columns]
    pd.testing.assert_frame_equal(after[is_old][columns].reset_index(drop=True), before[columns])
    expected = _sweep(write(), tmp_path / "local", overrides=["distill.T=[1, 2, 5, 7]"])
    pd.testing.assert_frame_equal(after.drop(columns=CHANGING), expected.drop(columns=CHANGING))


def test_a_store_travels_to_a_worker(store: MirroredStore) -> None:
    copy = pickle.loads(pickle.dumps(store))
    assert (copy.url, copy.root, copy.folder) == (store.url, store.root, store.folder)
    copy.write_part("p", [{ID: "a", "model": "student", STATUS: DONE}])
    assert store.read_part("p")[ID].to_pylist() == ["a"]


def test_of_two_workers_with_the_same_pack_the_first_wins(store: MirroredStore) -> None:
    late = open_store(store.url, "small")
    store.write_part("p", [{ID: "a", "model": "student", STATUS: DONE, "num_error": 1}])
    late.write_part("p", [{ID: "a", "model": "student", STATUS: DONE, "num_error": 2}])
    assert store.read_rows()["num_error"].to_pylist() == [1]


def test_a_pack_that_failed_is_tried_again_under_its_name(store: MirroredStore) -> None:
    row = {ID: "a", "model": "student"}
    store.write_part("p", [{**row, STATUS: FAILED, "error": "its worker crashed 4 times"}])
    with store.lock():
        store.compact_parts()
        store.write_part("p", [{**row, STATUS: DONE}])
        assert store.read_part("p")[STATUS].to_pylist() == [DONE]
        assert store.read_rows()[STATUS].to_pylist() == [DONE]


def test_compaction_loses_no_row_while_others_read(store: MirroredStore) -> None:
    for number in range(5):
        store.write_part(f"p{number}", [{ID: f"id{number}", "model": "student", STATUS: DONE}])
    reader = open_store(store.url, "small", repair=False)
    listed = reader.read_rows()
    store.compact_parts()
    assert [entry.name.startswith("parts/compacted-") for entry in store.objects.list_objects()] == [True]
    assert sorted(reader.read_rows()[ID].to_pylist()) == sorted(listed[ID].to_pylist())
    store.remove_rows(["id3"])
    assert sorted(reader.read_rows()[ID].to_pylist()) == ["id0", "id1", "id2", "id4"]


def test_a_torn_part_is_set_aside(store: MirroredStore) -> None:
    store.write_part("good", [{ID: "a", "model": "student", STATUS: DONE}])
    store.objects.write("parts/bad.parquet", b"PAR1")
    assert store.read_rows()[ID].to_pylist() == ["a"]
    assert "bad.parquet" in store.warnings[0]
    names = [entry.name for entry in store.objects.list_objects()]
    assert "parts/bad.parquet" not in names
    assert any(name.startswith("set-aside/bad.parquet") for name in names)


def test_a_driver_that_was_replaced_writes_nothing_more(store: MirroredStore) -> None:
    rows = [{ID: "a", "model": "student", STATUS: DONE}]
    with store.lock():
        store.write_part("p", rows)
        assert store.lease is not None
        store.lease._lost = "another driver has taken over"
        for write in (store.publish, store.compact_parts, lambda: store.write_part("q", rows)):
            with pytest.raises(LeaseLostError, match="taken over"):
                write()
    assert [entry.name for entry in store.objects.list_objects()] == ["parts/p.parquet"]


def test_a_missing_bucket_is_refused(s3_endpoint: str, bucket: str, write: Callable[..., Path]) -> None:
    with pytest.raises(RequestError, match="there is no such bucket"):
        _sweep(write(), f"{bucket}-none/results")


@pytest.fixture
def teacher_result(plan: Callable[..., Plan]) -> Any:
    pack = next(pack for pack in plan().packs if pack.is_teacher_pack)
    return train_pack(pack, keep_weights=True)[0]


def test_of_two_workers_with_the_same_teacher_the_first_wins(store: MirroredStore, teacher_result: Any) -> None:
    teacher_id = teacher_result.network.id
    store.teachers.save(teacher_result)
    etag = store.teachers.objects.find_etag(f"{teacher_id}.zip")
    _drop_mirror(store.url)
    late = open_store(store.url, "other").teachers
    late.save(teacher_result)
    assert store.teachers.objects.find_etag(f"{teacher_id}.zip") == etag
    assert late.read_rows([teacher_id])[ID].to_pylist() == [teacher_id]
    assert (late.load_logits(teacher_id) == teacher_result.logits["train"]).all()


def test_a_teacher_that_was_changed_in_the_store_is_set_aside(store: MirroredStore, teacher_result: Any) -> None:
    teacher_id = teacher_result.network.id
    store.teachers.save(teacher_result)
    name = f"{teacher_id}.zip"
    stored = store.teachers.objects.read(name)
    assert stored is not None
    damaged = bytearray(stored.content)
    damaged[len(damaged) // 3] ^= 1
    store.teachers.objects.write(name, bytes(damaged))
    fresh = open_store(store.url, "small").teachers
    assert fresh.select_usable([teacher_id]) == set()
    assert f"teachers/{teacher_id}" in fresh.warnings[0]
    names = [entry.name for entry in fresh.objects.list_objects()]
    assert name not in names
    assert any(each.startswith(f"set-aside/{teacher_id}-") for each in names)
    fresh.save(teacher_result)
    assert fresh.select_usable([teacher_id]) == {teacher_id}


def test_teachers_are_shared_and_removed(store: MirroredStore, teacher_result: Any) -> None:
    teacher_id = teacher_result.network.id
    store.teachers.save(teacher_result)
    other = open_store(store.url, "other").teachers
    assert other.select_usable([teacher_id, "none"]) == {teacher_id}
    other.remove([teacher_id])
    assert store.teachers.read_rows([teacher_id]).num_rows == 0
    with pytest.raises(ValueError, match="was removed"):
        store.teachers.load_logits(teacher_id)


def test_starting_over_removes_the_sweep_and_keeps_its_teachers(
    results: str, write: Callable[..., Path], tmp_path: Path
) -> None:
    table = _sweep(write(), results)
    _drop_mirror(results)
    again = _sweep(write(), results, fresh=True)
    pd.testing.assert_frame_equal(again.drop(columns=CHANGING), table.drop(columns=CHANGING))
    assert set(again[TEACHER_ID].dropna()) == set(table[TEACHER_ID].dropna())
    names = [entry.name for entry in ObjectFolder(results).list_objects()]
    assert sum(name.startswith("small/parts/") for name in names) == 1


@pytest.mark.slow
def test_tables_are_read_by_their_url(
    results: str, write: Callable[..., Path], call: Callable[..., Any], tmp_path: Path
) -> None:
    table = _sweep(write(), results)
    _drop_mirror(results)
    url = f"{results}/small"
    pd.testing.assert_frame_equal(kdtune.read_table(url), table)
    shown = call("show", url)
    assert shown.exit_code == 0
    for command in ("analyze", "report", "plot"):
        made = call(command, url)
        assert made.exit_code == 0, made.output
    assert Path("small-analysis/t_opt.parquet").is_file()
    assert Path("small-report.html").is_file()
    assert any(Path("small-figures").iterdir())


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("{bucket}", "name the folder of a sweep in the bucket"),
        ("{bucket}/results/none", "there is no sweep"),
        ("{bucket}-none/results/small", "there is no such bucket"),
    ],
)
def test_a_url_without_a_table_is_refused(bucket: str, call: Callable[..., Any], url: str, words: str) -> None:
    url = url.format(bucket=bucket)
    result = call("analyze", url)
    assert result.exit_code == 2
    assert url in result.output
    assert words in result.output


def test_networks_and_their_data_are_loaded_by_the_url(
    results: str, write: Callable[..., Path], call: Callable[..., Any], tmp_path: Path
) -> None:
    table = _sweep(write(), results)
    _drop_mirror(results)
    url = f"{results}/small"
    for model in (TEACHER, STUDENT):
        row = table[table["model"] == model].iloc[0]
        network = kdtune.load(url, row[ID])
        data = kdtune.load_data(url, row[ID])
        predictions = network(torch.from_numpy(data.x_test)).argmax(axis=1).numpy()
        assert (predictions != data.y_test).sum() == row["num_error"]
    exported = call("export", url, "--id", row[ID], "-o", "out")
    assert exported.exit_code == 0, exported.output
    assert Path("out/predict.py").is_file()


def test_a_page_shows_a_sweep_by_its_url(results: str, write: Callable[..., Path]) -> None:
    _sweep(write(), results)
    _drop_mirror(results)
    folders = watch_url(f"{results}/small")
    assert folders.list_sweeps() == ["small"]
    folder = folders.find_folder("small")
    assert folder is not None
    assert (folder / "table.parquet").is_file()
    assert list((folder / "parts").iterdir())


def test_arrays_of_a_python_sweep_lie_in_the_store_by_their_content(results: str) -> None:
    random = np.random.default_rng(0)
    x, y = random.normal(size=(60, 4)).astype(np.float32), np.tile([0, 1, 2], 20)
    blocks = {
        "name": "arrays",
        "dataset": {"kind": "arrays", "x": x, "y": y},
        "teacher": {"kind": "logits", "outputs": np.eye(3, dtype=np.float32)[y] * 3},
        "student": {"depth": 1, "width": 3},
        "distill": {"T": {"grid_search": [1, 2]}},
        "train": {"epochs": 1, "batch_size": 20},
    }
    first = kdtune.sweep(blocks, results=results, workers=0, progress=False)
    assert (first[STATUS] == DONE).all()
    assert sum(entry.name.startswith("inputs/") for entry in ObjectFolder(results).list_objects()) == 3
    _drop_mirror(results)
    again = kdtune.sweep(
        {**blocks, "distill": {"T": {"grid_search": [1, 2, 4]}}}, results=results, workers=0, progress=False
    )
    assert set(first[ID]) < set(again[ID])
    assert (again[STATUS] == DONE).all()


def test_a_fetched_sweep_goes_on_in_its_folder(
    results: str, write: Callable[..., Path], call: Callable[..., Any], tmp_path: Path
) -> None:
    table = _sweep(write(), results)
    _drop_mirror(results)
    fetched = call("fetch", f"{results}/small", "-o", tmp_path / "fetched")
    assert fetched.exit_code == 0, fetched.output
    assert fetched.stdout == f"{tmp_path / 'fetched' / 'small'}\n"
    pd.testing.assert_frame_equal(kdtune.read_table(tmp_path / "fetched" / "small"), table)
    more = _sweep(write(), tmp_path / "fetched", overrides=["distill.T=[1, 2, 5, 7]"])
    columns = [name for name in table.columns if name in more.columns]
    kept = more[more[ID].isin(table[ID])][columns].reset_index(drop=True)
    pd.testing.assert_frame_equal(kept, table[columns])  # with their seconds: nothing of it was trained again
    student = more[more["model"] == STUDENT].iloc[0]
    assert kdtune.load(tmp_path / "fetched" / "small", student[ID]) is not None


def test_a_fetch_brings_what_is_there_and_later_the_rest(
    results: str, store: MirroredStore, teacher_result: Any, call: Callable[..., Any], tmp_path: Path
) -> None:
    store.write_part("p", [{ID: "a", "model": "student", STATUS: DONE}])
    command = ("fetch", f"{results}/small", "-o", tmp_path / "fetched")
    assert call(*command).exit_code == 0
    local = open_store(tmp_path / "fetched", "small")
    assert local.read_rows()[ID].to_pylist() == ["a"]
    store.write_part("q", [{ID: "b", "model": "student", STATUS: DONE}])
    store.compact_parts()
    assert call(*command).exit_code == 0
    assert sorted(local.read_rows()[ID].to_pylist()) == ["a", "b"]


def test_nothing_is_fetched_into_the_folder_of_a_sweep_that_runs(
    results: str, store: MirroredStore, call: Callable[..., Any], tmp_path: Path
) -> None:
    store.write_part("p", [{ID: "a", "model": "student", STATUS: DONE}])
    with open_store(tmp_path / "fetched", "small").lock():
        result = call("fetch", f"{results}/small", "-o", tmp_path / "fetched")
    assert result.exit_code == 2
    assert "in use by another sweep" in result.output
    none = call("fetch", f"{results}/none", "-o", tmp_path / "fetched")
    assert none.exit_code == 2
    assert "there is no sweep" in none.output


def test_a_driver_does_not_write_over_what_another_one_has_written(store: MirroredStore) -> None:
    with store.lock():
        (store.folder / "status.json").write_text("1")
        store.publish()
        store.objects.write("status.json", b"another driver's")
        (store.folder / "status.json").write_text("22")
        with pytest.raises(StorageError, match=r"status\.json was changed by another program"):
            store.publish()
    stored = store.objects.read("status.json")
    assert stored is not None
    assert stored.content == b"another driver's"


def test_a_lost_answer_to_a_write_is_no_change(store: MirroredStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """The store has written, and the client repeats the request: it is told that the object exists, or has changed."""
    with store.lock():
        for text in ("1", "22"):
            (store.folder / "status.json").write_text(text)
            store.mirror.objects.write("status.json", text.encode())
            store.publish()


def test_a_lease_is_given_back_if_the_sweep_is_refused(store: MirroredStore) -> None:
    with pytest.raises(RequestError, match="no"), store.lock():
        raise RequestError("no")
    assert store.objects.read(LEASE_NAME) is None


@pytest.mark.parametrize("command", ["plan", "sweep", "fetch", "watch", "show"])
@pytest.mark.parametrize("problem", ["bucket", "credentials"])
def test_a_store_that_refuses_is_told_at_the_start(
    bucket: str, write: Callable[..., Path], call: Callable[..., Any], monkeypatch: pytest.MonkeyPatch,
    command: str, problem: str,
) -> None:  # fmt: skip
    words = "there is no such bucket" if problem == "bucket" else "there are no credentials"
    if problem == "credentials":
        monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    url = f"{bucket}-none/results"
    makes = command in ("plan", "sweep")
    result = call(command, write(), "--results", url) if makes else call(command, f"{url}/small")
    assert result.exit_code == 2, result.output
    assert words in result.output
    assert not list(Path().iterdir())
