"""Whole sweeps through the command line, on real Ray: continued, torn, diverging, and on a full disk."""

from __future__ import annotations

import os
import shutil
import subprocess

import pandas as pd
import pytest

import kdtune as package
from kdtune.columns import (
    BASELINE,
    CLASS_SEP,
    DONE,
    FAILED,
    ID,
    MODEL,
    P_INFORMATIVE,
    SKIPPED,
    STATUS,
    STUDENT,
    TEACHER,
    TEMP,
    VAL_NUM_ERROR,
    WIDTH,
)
from kdtune.plan.enumerate_networks import enumerate_networks
from kdtune.results.store import Store
from kdtune.run.kept_students import StudentPruner, choose_kept_students
from kdtune.run.live_table import MIN_SECONDS_BETWEEN_WRITES, LiveTable
from kdtune.run.progress import Progress
from kdtune.run.publisher import Publisher
from kdtune.run.status_writer import StatusWriter
from kdtune.run.sweep import SweepListener
from kdtune.spec.load import load_spec
from kdtune.table import rows_to_arrow
from kdtune.table_facts import AnswerFacts
from kdtune.train.rows import make_row
from tests.conftest import write_small
from tests.folders import assert_same_rows, parts, table, train_alone

pytestmark = pytest.mark.xdist_group("ray")  # those that share one cluster run on one worker


@pytest.fixture(scope="session")
def reference(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    return train_alone(write_small(tmp_path_factory.mktemp("reference") / "small.yaml"))


@pytest.mark.slow
def test_a_sweep_on_two_raylets_gives_the_reference(kdtune, call, write, ray_address, reference, tmp_path):
    run = kdtune("sweep", write(), "--address", ray_address, "--keep-students", "all")
    assert run.returncode == 0, run.stderr
    found = table(tmp_path / "results/small")
    assert_same_rows(found, reference)
    assert list(found.columns[:5]) == [
        MODEL,
        CLASS_SEP,
        P_INFORMATIVE,
        WIDTH,
        TEMP,
    ]
    assert (found[STATUS] == DONE).all()
    assert "Errors on the test split" in run.stdout
    assert not [word for word in ("Traceback", "WARNING", "ray::", "(raylet") if word in run.stdout + run.stderr]

    # Every kept network comes back as a module with the errors of its row.
    import torch

    network = next(n for n in enumerate_networks(load_spec(write())) if n.model == STUDENT)
    net = package.load(tmp_path / "results/small", network.id)
    assert isinstance(net, torch.nn.Module)
    data = package.load_data(tmp_path / "results/small", network.id)
    with torch.no_grad():
        errors = (net(torch.from_numpy(data.x_test)).argmax(1).numpy() != data.y_test).sum()
    assert errors == found.set_index(ID).num_error[network.id]
    with pytest.raises(package.RequestError, match="there is no network"):
        package.load(tmp_path / "results/small", "feedbeef")

    def sweep(*arguments, address=ray_address):  # in this process: a new one imports torch and Ray anew
        return call("sweep", *arguments, "--address", address, "--results", tmp_path / "results")

    # The same command again trains nothing and needs no Ray.
    again = sweep(write(), address="127.0.0.1:1")
    assert again.exit_code == 0, again.output
    assert "nothing to train" in again.stderr
    assert_same_rows(table(tmp_path / "results/small"), reference)

    # More values: only what is new is trained, the old rows stay to the second.
    more = sweep(write(), "--set", "distill.T=[1, 2, 5, 9]")
    assert more.exit_code == 0, more.output
    assert "18 of 22 networks are done already; 4 to train" in more.stderr
    larger = table(tmp_path / "results/small").set_index(ID)
    pd.testing.assert_frame_equal(larger.loc[found[ID]], found.set_index(ID), check_dtype=False)

    # The earlier file gives its own rows again; a sweep under another name shares the teachers.
    sweep(write())
    assert_same_rows(table(tmp_path / "results/small"), reference)
    other = sweep(write(), "--set", "name=other", "--set", "student.width=4")
    assert "2 of 10 networks are done already" in other.stderr
    shared = table(tmp_path / "results/other")
    pd.testing.assert_frame_equal(shared[shared.model == TEACHER], found[found.model == TEACHER], check_dtype=False)

    # A torn and a foreign part are set aside, a torn teacher too; what they held is trained again.
    folder = tmp_path / "results/small"
    torn = max(parts(folder), key=lambda path: path.stat().st_size)
    torn.write_bytes(torn.read_bytes()[:-100])
    pd.DataFrame({"a": [1]}).to_parquet(folder / "parts/foreign.parquet")
    (folder / "parts/notes.txt").write_text("mine")
    teacher = found[found.model == TEACHER][ID].iloc[0]
    logits = tmp_path / "results/teachers" / teacher / "train.npy"
    logits.write_bytes(logits.read_bytes()[:1000])
    repaired = sweep(write())
    assert repaired.exit_code == 0, repaired.output
    assert repaired.stderr.count("set aside") == 4
    assert f"teachers/{teacher} is torn" in repaired.stderr
    assert_same_rows(table(folder), reference)
    assert len(list((folder / "set-aside").iterdir())) == 3

    # --fresh asks, and nobody can answer here; --yes starts over and leaves the teachers.
    refused = kdtune("sweep", write(), "--fresh")
    assert refused.returncode == 2
    assert "--yes" in refused.stderr
    # A torn teacher is trained again only where a student that is missing needs it.
    whole = sum((tmp_path / "results/teachers" / name).is_dir() for name in found[found.model == TEACHER][ID])
    fresh = sweep(write(), "--fresh", "--yes", "--keep-students", "best")
    assert f"{whole} of 18 networks are done already" in fresh.stderr
    assert_same_rows(table(folder), reference)
    kept = {path.stem for path in (folder / "students").glob("*.safetensors")}
    students = found[found.model == STUDENT]
    best = students.loc[students.groupby([CLASS_SEP, WIDTH])[[VAL_NUM_ERROR]].idxmin()[VAL_NUM_ERROR]]
    assert len(kept) == 4
    assert (students.set_index(ID).loc[sorted(kept)].val_num_error.sort_values().to_list()
            == best.val_num_error.sort_values().to_list())  # fmt: skip
    everything = sweep(write(), "--fresh", "--fresh-teachers", "--yes")
    assert "Training 18 networks" in everything.stderr
    assert_same_rows(table(folder), reference)


@pytest.mark.slow
def test_teachers_that_were_to_be_trained_again_are_so_after_an_interrupt(call, write, ray_address, tmp_path):
    def sweep(*arguments):
        return call("sweep", write(), *arguments, "--address", ray_address, "--results", tmp_path / "results")

    def interrupt(*_):
        raise KeyboardInterrupt

    assert sweep().exit_code == 0
    before = table(tmp_path / "results/small")
    teachers = before[before[MODEL] == TEACHER][ID]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("kdtune.run.supervisor.RayWorkers.run_packs", interrupt)
        assert sweep("--fresh-teachers", "--yes").exit_code == 130
    assert not any((tmp_path / "results/teachers" / name).exists() for name in teachers)
    continued = sweep()
    assert f"{len(teachers)} to train" in continued.stderr
    assert all((tmp_path / "results/teachers" / name).is_dir() for name in teachers)
    assert_same_rows(table(tmp_path / "results/small"), before)

    # Teachers that the user removed are not needed, and not trained again.
    shutil.rmtree(tmp_path / "results/teachers")
    assert "nothing to train" in sweep().stderr


def test_on_a_full_disk_the_first_error_is_raised(write, ray_address, small_disk, monkeypatch):
    def break_off(*_):
        small_disk.fill(leaving=0)
        raise package.SweepError("Ray Tune broke off")

    monkeypatch.setattr("kdtune.run.supervisor.RayWorkers.run_packs", break_off)
    with pytest.raises(package.SweepError, match="Ray Tune broke off"):
        package.sweep(write(), results=small_disk.path, address=ray_address, progress=False)


def test_the_table_on_disk_gets_rows_that_came_soon_after_a_write(plan, tmp_path, monkeypatch):
    seconds = [0.0]
    monkeypatch.setattr("kdtune.run.live_table.time.monotonic", lambda: seconds[0])
    store = Store(tmp_path, "small")
    store.folder.mkdir()
    small = plan()
    table = LiveTable(store, small, rows_to_arrow([]), "num_error", AnswerFacts())
    pruner = StudentPruner(store, small, choose_kept_students("none", small.networks))
    progress = Progress(None)
    status = StatusWriter(store.folder, progress, 18, 0, 1)
    listener = SweepListener(table, pruner, progress, status, Publisher(store))
    pack = small.packs[0]
    listener.on_rows_finished(rows_to_arrow([make_row(network) for network in pack.networks]))
    listener.on_tick()
    assert len(pd.read_parquet(store.table_path)) == 0, "it was written a moment ago"
    seconds[0] += MIN_SECONDS_BETWEEN_WRITES
    listener.on_tick()
    assert len(pd.read_parquet(store.table_path)) == len(pack.networks)
    written_at = store.table_path.stat().st_mtime_ns
    seconds[0] += 1000 * MIN_SECONDS_BETWEEN_WRITES
    listener.on_tick()
    assert store.table_path.stat().st_mtime_ns == written_at, "there was nothing new"


def test_an_address_where_nobody_answers_is_refused_and_nothing_is_written(kdtune, write, tmp_path):
    run = kdtune("sweep", write(), "--address", "127.0.0.1:1")
    assert run.returncode == 2
    assert "no Ray cluster answers there" in run.stderr
    assert not parts(tmp_path / "results/small")


@pytest.mark.slow
def test_a_teacher_that_diverges_leaves_its_students_skipped(kdtune, write, ray_address, tmp_path):
    wild = "{grid_search: [{hidden: [12, 12]}, {hidden: [12, 12], train: {optimizer: sgd, lr: 1.0e+30}}]}"
    command = ("sweep", write(), "--set", f"teacher={wild}", "--set", "dataset.class_sep=1", "--address", ray_address)
    run = kdtune(*command)
    assert run.returncode == 1, run.stderr
    found = table(tmp_path / "results/small")
    assert found.groupby([MODEL, STATUS]).size().to_dict() == {
        (TEACHER, DONE): 1,
        (TEACHER, FAILED): 1,
        (BASELINE, DONE): 2,
        (STUDENT, DONE): 6,
        (STUDENT, SKIPPED): 6,
    }
    broken = found[(found.model == TEACHER) & (found.status == FAILED)].iloc[0]
    assert broken.error.startswith("diverged: numbers are no longer finite after epoch 1 of 2")
    assert pd.isna(broken.num_error)
    skipped = found[found.status == SKIPPED]
    assert skipped.error.str.contains(f"its teacher {broken.id} failed: diverged").all()
    assert "1 network failed and 6 networks skipped" in run.stderr
    again = kdtune(*command)  # a divergence is a result: it is not tried again
    assert again.returncode == 1
    assert "6 networks are skipped" in again.stderr
    assert "nothing to train" in again.stderr
    assert_same_rows(table(tmp_path / "results/small"), found)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to mount a small tmpfs")
@pytest.mark.slow
def test_a_full_disk_ends_the_sweep_and_loses_nothing(kdtune, write, ray_address, tmp_path, reference):
    small = tmp_path / "tiny"
    small.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=160k", "tmpfs", small], capture_output=True).returncode:
        pytest.skip("cannot mount a tmpfs here")
    try:
        run = kdtune("sweep", write(), "--results", small, "--pack", "1", "--address", ray_address)
        assert run.returncode == 1, run.stderr
        assert "cannot write" in run.stderr
        assert "No space left" in run.stderr
        assert "Traceback" not in run.stderr
        subprocess.run(["mount", "-o", "remount,size=20m", small], check=True)
        before = len(parts(small / "small"))
        assert before > 0
        again = kdtune("sweep", write(), "--results", small, "--pack", "1", "--address", ray_address)
        assert again.returncode == 0, again.stderr
        assert "networks are done already" in again.stderr
        assert_same_rows(table(small / "small"), reference)
    finally:
        subprocess.run(["umount", "-l", small], check=True)
