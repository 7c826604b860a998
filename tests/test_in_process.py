"""Sweeps with `workers: 0`, which this process trains: the numbers of Ray's workers, without Ray."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file

import kdtune as package
from kdtune.columns import BASELINE, DONE, ERROR, FAILED, ID, SKIPPED, STATUS, STUDENT, TEACHER
from kdtune.errors import StorageError, SweepError
from kdtune.results.store import Store
from kdtune.run.in_process import run_packs_in_process
from kdtune.run.pack_training import train_or_write_failed_rows
from kdtune.run.worker_options import WorkerOptions
from kdtune.train.rows import make_failed_row, make_row
from tests.folders import assert_same_rows, table, train_alone


@pytest.fixture
def sweep_here(call, tmp_path):
    """Run `kdtune sweep --workers 0` with results in the test's folder."""
    return lambda *arguments: call("sweep", *arguments, "--workers", "0", "--results", tmp_path / "results")


class Ledger:
    """A listener that keeps the rows, and the order of the packs."""

    def __init__(self):
        self.packs, self.rows = [], []

    def on_training_changed(self, in_training):
        self.packs += [each.pack for each in in_training]

    def on_workers_changed(self, workers):
        pass

    def on_ray_died(self, reason):
        raise AssertionError("there is no Ray")

    def on_rows_finished(self, rows):
        self.rows += rows.to_pylist()

    def on_pack_crashed(self, pack, crashes, memory):
        raise AssertionError("there is no worker that could crash")

    def on_tick(self):
        pass


@pytest.fixture
def run_here(plan, tmp_path):
    """Run the small sweep's packs with another function than training; return the plan and the ledger."""

    def run(train):
        small_plan, ledger = plan(), Ledger()
        run_packs_in_process(small_plan.packs, Store(tmp_path, "small"), WorkerOptions(1), ledger, train)
        return small_plan, ledger

    return run


def finish(pack, store, options):
    store.write_part(pack.id, [make_row(network) for network in pack.networks])


@pytest.mark.xdist_group("ray")
def test_numbers_and_weights_are_those_of_workers_to_the_bit(sweep_here, call, write, ray_address, tmp_path):
    """With other packs than on one worker: these were cut for two."""
    here = sweep_here(write())
    assert here.exit_code == 0, here.output
    elsewhere = call("sweep", write(), "--address", ray_address, "--results", tmp_path / "ray")
    assert elsewhere.exit_code == 0, elsewhere.output
    assert_same_rows(table(tmp_path / "results/small"), table(tmp_path / "ray/small"))
    weights = list((tmp_path / "results").glob("*/**/*.safetensors"))
    assert len(weights) == 18, "two teachers, four baselines, twelve students"
    for path in weights:
        other_state = load_file(tmp_path / "ray" / path.relative_to(tmp_path / "results"))
        for name, value in load_file(path).items():
            assert torch.equal(value, other_state[name])


def test_the_table_is_the_reference_and_ray_is_not_imported(write, tmp_path):
    """Also where the file asks for it."""
    file = write(resources={"workers": 0})
    code = f"import sys, kdtune; kdtune.sweep({str(file)!r}); sys.exit('ray' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert "Training 18 networks in 3 packs in this process." in run.stderr
    assert "Ray" not in run.stderr
    assert_same_rows(table(tmp_path / "results/small"), train_alone(write(name="reference.yaml")))


def test_only_what_is_missing_is_trained(sweep_here, write, tmp_path):
    assert sweep_here(write()).exit_code == 0
    before = table(tmp_path / "results/small")
    assert "nothing to train" in sweep_here(write()).stderr
    more = sweep_here(write(), "--set", "distill.T=[1, 2, 5, 9]")
    assert "18 of 22 networks are done already; 4 to train" in more.stderr
    after = table(tmp_path / "results/small").set_index(ID)
    assert (after.loc[before[ID], "seconds"] == before.set_index(ID).seconds).all()


def test_packs_run_in_the_order_of_the_queue(run_here):
    plan, ledger = run_here(finish)
    assert sorted(row[ID] for row in ledger.rows) == sorted(network.id for network in plan.networks)
    started = [pack.id for pack in ledger.packs]
    home = {network.id: pack.id for pack in plan.packs for network in pack.networks}
    for pack in plan.packs:
        assert all(started.index(home[teacher]) < started.index(pack.id) for teacher in pack.teacher_ids)


def test_an_error_makes_failed_rows_and_the_sweep_goes_on(run_here):
    def fail_with_students(pack, store, options):
        if pack.teacher_ids:
            raise ValueError("this comes again\nand has two lines")
        finish(pack, store, options)

    plan, ledger = run_here(fail_with_students)
    failed = {row[ID]: row[ERROR] for row in ledger.rows if row[STATUS] == FAILED}
    assert failed.keys() == {network.id for pack in plan.packs if pack.teacher_ids for network in pack.networks}
    (reason,) = set(failed.values())
    assert reason.endswith("ValueError: this comes again and has two lines"), "after its place in this file"
    assert len(ledger.rows) == len(plan.networks)


def test_a_failed_teacher_skips_its_students_only(run_here):
    def fail_teachers(pack, store, options):
        if pack.is_teacher_pack:
            store.write_part(pack.id, [make_failed_row(network, "it burnt") for network in pack.networks])
        else:
            finish(pack, store, options)

    plan, ledger = run_here(fail_teachers)
    status = {row[ID]: row[STATUS] for row in ledger.rows}
    expected = {TEACHER: FAILED, BASELINE: DONE, STUDENT: SKIPPED}
    assert status == {network.id: expected[network.model] for network in plan.networks}


def test_a_row_that_is_missing_ends_the_sweep(run_here):
    with pytest.raises(SweepError, match="rows are incomplete"):
        run_here(lambda pack, store, options: store.write_part(pack.id, [make_row(n) for n in pack.networks[1:]]))


def test_an_interrupt_keeps_what_is_finished(sweep_here, write, monkeypatch, tmp_path):
    """Also the rows of a pack that was saved, and not collected yet."""
    trained_packs = []

    def interrupt_after_two(train, pack, store, options):
        train_or_write_failed_rows(train, pack, store, options)
        trained_packs.append(pack)
        if len(trained_packs) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr("kdtune.run.in_process.train_or_write_failed_rows", interrupt_after_two)
    run = sweep_here(write(), "--pack", "1")
    assert run.exit_code == 130, run.output
    assert "16 of 18 networks are missing; finished ones are kept" in run.stderr
    finished = table(tmp_path / "results/small")
    assert set(finished[ID]) == {network.id for pack in trained_packs for network in pack.networks}
    monkeypatch.undo()
    continued = sweep_here(write(), "--pack", "1")
    assert "2 of 18 networks are done already; 16 to train" in continued.stderr
    assert (table(tmp_path / "results/small")[STATUS] == DONE).all()


def test_a_full_disk_ends_the_sweep(write, small_disk, tmp_path):
    small_disk.fill(leaving=60_000)
    arguments = {"workers": 0, "results": small_disk.path, "pack": 1, "progress": False}
    with pytest.raises(StorageError, match="No space left"):
        package.sweep(write(), **arguments)
    small_disk.empty()
    found = package.sweep(write(), **arguments)
    assert (found[STATUS] == DONE).all()
    assert len(found) == 18


def test_the_number_of_threads_is_that_of_before(run_here):
    def train_on_one_thread(pack, store, options):
        torch.set_num_threads(1)
        finish(pack, store, options)

    torch.set_num_threads(2)
    try:
        run_here(train_on_one_thread)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"address": "auto"}, "workers: 0 trains in this process, without Ray, but there is the address"),
        ({"cpus_per_worker": 1000}, "it needs 1000 CPUs"),
        ({"gpus_per_worker": 1}, "it needs 1 GPUs, but a machine has 0"),
    ],
)
def test_what_this_process_cannot_have_is_refused(write, tmp_path, monkeypatch, arguments, message):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    with pytest.raises(package.RequestError, match=message):
        package.sweep(write(), workers=0, results=tmp_path / "results", **arguments)
    assert not (tmp_path / "results").exists()


def test_threads_and_a_gpu_are_those_that_are_asked_for(write, tmp_path, monkeypatch):
    options = []

    def keep_options(train, pack, store, worker_options):
        options.append(worker_options)
        finish(pack, store, worker_options)

    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr("kdtune.run.in_process.train_or_write_failed_rows", keep_options)
    monkeypatch.setattr("kdtune.run.resources.count_cores", lambda: 2)
    results = iter(["first", "second"])
    for resources in ({}, {"cpus_per_worker": 2, "gpus_per_worker": 0.5}):
        package.sweep(write(), workers=0, results=tmp_path / next(results), progress=False, **resources)
    assert (options[0].cpus_per_worker, options[0].gpus_per_worker) == (1, 0)
    assert (options[-1].cpus_per_worker, options[-1].gpus_per_worker) == (2, 0.5)


def test_an_exit_that_ray_raises_writes_no_failed_rows():
    """Ray's compiled code names a source that lies nowhere; what it ends is trained again."""
    leave = compile("raise SystemExit(1)", "python/ray/_raylet.pyx", "exec")

    def train(pack, store, options):
        exec(leave, {})

    with pytest.raises(SystemExit):
        train_or_write_failed_rows(train, None, None, None)
