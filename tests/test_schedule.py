"""Scheduling on real Ray: retries, errors that are not retried, dependencies, failed teachers."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest
import ray

from kdtune.columns import BASELINE, DONE, ERROR, FAILED, ID, SKIPPED, STATUS, STUDENT, TEACHER
from kdtune.errors import SweepError
from kdtune.plan.packing import PackLimits
from kdtune.results.store import Store
from kdtune.run.patience import Patience
from kdtune.run.ray_messages import Connect
from kdtune.run.supervisor import RayWorkers
from kdtune.run.trainable import PACK_ID, PackTrainable
from kdtune.run.worker_options import WorkerOptions
from kdtune.table import get_final_ids
from kdtune.train.rows import make_failed_row, make_row

pytestmark = pytest.mark.xdist_group("ray")
DEFAULT_LIMITS = PackLimits()


class Ledger:
    """A listener that keeps all events."""

    def __init__(self):
        self.rows, self.crashes, self.in_training, self.deaths = [], [], [], []
        self.n_ticks = 0

    def on_training_changed(self, in_training):
        self.in_training.append(in_training)

    def on_workers_changed(self, workers):
        pass

    def on_ray_died(self, reason):
        self.deaths.append(reason)

    def on_rows_finished(self, rows):
        self.rows += rows.to_pylist()

    def on_pack_crashed(self, pack, crashes, memory):
        self.crashes.append((pack.id, crashes))

    def on_tick(self):
        self.n_ticks += 1


@pytest.fixture
def go(plan, tmp_path, ray_address):
    """Run the small sweep's packs with another function than training."""

    def go(train, *overrides, limits=DEFAULT_LIMITS, **options):
        store = Store(tmp_path, "small")
        ledger = Ledger()
        small_plan = plan(*overrides, workers=2, limits=limits)
        settings = WorkerOptions(workers=2, **options)
        (tmp_path / "scratch").mkdir()
        request = Connect(ray_address, cpus=1, verbose=False, code_folder=None)
        workers = RayWorkers(request, tmp_path / "scratch", tmp_path / "ray.log", Patience(), print)
        try:
            workers.connect()
            workers.run_packs(small_plan.packs, store, settings, ledger, train)
        finally:
            workers.close()
        return small_plan, ledger, store

    return go


# The functions below run in Ray's workers, which see the results folder and cannot import this module.
ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])


def log(store: Store, text: str) -> None:
    with (Path(store.root) / "log").open("a") as file:
        file.write(f"{time.time()} {text}\n")


def lines(store: Store) -> list[list[str]]:
    return [line.split()[1:] for line in (Path(store.root) / "log").read_text().splitlines()]


def finish(pack, store, options):
    log(store, f"begin {pack.id}")
    store.write_part(pack.id, [make_row(network) for network in pack.networks])
    log(store, f"end {pack.id}")


def crash_twice(pack, store, options):
    log(store, f"begin {pack.id}")
    if pack.teacher_ids and sum(line[1] == pack.id for line in lines(store)) <= 2:
        os._exit(1)
    finish(pack, store, options)


def crash_always(pack, store, options):
    if pack.teacher_ids:
        log(store, f"begin {pack.id}")
        os._exit(1)
    finish(pack, store, options)


def crash_between_packs_and_always(pack, store, options):
    """Crash with every student; after a teacher, crash as soon as the worker is given a student."""

    def crash_before_a_student(self, new_config):
        pack = ray.get(self.packs[new_config[PACK_ID]])
        if pack.teacher_ids:
            log(store, f"reset {pack.id}")
            os._exit(1)
        return True

    classes = [PackTrainable]
    for cls in classes:  # Ray copies the methods of an actor's class into a class of its own.
        cls.reset_config = crash_before_a_student
        classes += cls.__subclasses__()
    if pack.teacher_ids:
        log(store, f"begin {pack.id}")
        os._exit(1)
    finish(pack, store, options)


class SlowToStart:
    """A function that takes the second worker three seconds to unpickle, and each one after it."""

    def __init__(self, root):
        self.root = root

    def __reduce__(self):
        return start_slowly, (self.root,)

    def __call__(self, pack, store, options):
        log(store, f"worker {os.getpid()}")
        time.sleep(0.05)
        store.write_part(pack.id, [make_row(network) for network in pack.networks])


def start_slowly(root):
    if ray.get_runtime_context().worker.mode == ray.WORKER_MODE:
        log(Store(root, "small"), "start")
        if sum(line == ["start"] for line in lines(Store(root, "small"))) > 1:
            time.sleep(3)
    return SlowToStart(root)


def forget_one_row(pack, store, options):
    store.write_part(pack.id, [make_row(network) for network in pack.networks[1:]])


class Unreadable:
    """A function that can be pickled, but not unpickled by a worker."""

    def __reduce__(self):
        return refuse_to_unpickle, ()

    def __call__(self, pack, store, options):
        raise NotImplementedError


def refuse_to_unpickle():
    if ray.get_runtime_context().worker.mode == ray.WORKER_MODE:
        raise ValueError("this machine lacks a library")
    return Unreadable()


def fail_always(pack, store, options):
    log(store, f"begin {pack.id}")
    if pack.teacher_ids:
        raise ValueError("this comes again")
    finish(pack, store, options)


def fail_teachers(pack, store, options):
    if not pack.teacher_ids and pack.networks[0].model == TEACHER:
        store.write_part(pack.id, [make_failed_row(network, "it burnt") for network in pack.networks])
    else:
        finish(pack, store, options)


def test_every_pack_runs_once_after_its_teacher(go):
    plan, ledger, store = go(finish)
    assert sorted(r[ID] for r in ledger.rows) == sorted(n.id for n in plan.networks)
    order = lines(store)
    assert len(order) == 2 * len(plan.packs)
    assert ledger.n_ticks > 0
    assert {each.pack.id for moment in ledger.in_training for each in moment} == {pack.id for pack in plan.packs}
    assert {each.worker for moment in ledger.in_training for each in moment} <= {1, 2}
    assert ledger.in_training[-1] == ()
    at = {tuple(line): i for i, line in enumerate(order)}
    home = {n.id: pack.id for pack in plan.packs for n in pack.networks}
    for pack in plan.packs:
        for teacher in pack.teacher_ids:
            assert at["end", home[teacher]] < at["begin", pack.id]


@pytest.mark.slow
def test_a_worker_that_starts_is_not_ended_for_a_free_one(go, tmp_path):
    """Else one worker alone would train all packs that take less time than a worker to start."""
    temperatures = [1 + i / 10 for i in range(60)]
    plan, _, store = go(SlowToStart(tmp_path), f"distill.T={temperatures}", limits=PackLimits(max_networks=2))
    workers = [line[1] for line in lines(store) if line[0] == "worker"]
    assert len(workers) == len(plan.packs) > 60
    assert len(set(workers)) == 2
    assert sum(line == ["start"] for line in lines(store)) == 2


def test_parts_are_compacted_along_the_way(go, monkeypatch):
    """And only those that the driver has read: what workers write meanwhile stays for it."""
    monkeypatch.setattr("kdtune.run.row_collector.MAX_PARTS", 2)
    plan, ledger, store = go(finish)
    names = [path.name for path in store.parts_folder.iterdir()]
    assert len(names) == len(plan.packs) // 2 + len(plan.packs) % 2
    assert sum(name.startswith("compacted-") for name in names) == len(plan.packs) // 2
    assert get_final_ids(store.read_rows()) == {n.id for n in plan.networks} == {r[ID] for r in ledger.rows}


@pytest.mark.slow
def test_a_crash_is_retried_and_an_error_is_not(go):
    plan, ledger, _ = go(crash_twice)
    assert {r[STATUS] for r in ledger.rows} == {DONE}
    students = {pack.id for pack in plan.packs if pack.teacher_ids}
    assert {pack for pack, _ in ledger.crashes} == students
    assert max(times for _, times in ledger.crashes) == 2


@pytest.mark.slow
def test_a_crash_that_stays_ends_in_failed_rows(go):
    plan, ledger, store = go(crash_always, retries=1)
    failed = [r for r in ledger.rows if r[STATUS] == FAILED]
    students = [pack for pack in plan.packs if pack.teacher_ids]
    assert {r[ID] for r in failed} == {n.id for pack in students for n in pack.networks}
    reason = "The actor died unexpectedly before finishing this task."
    assert {r[ERROR] for r in failed} == {f"its worker crashed 2 times: {reason}"}
    begun = [line[1] for line in lines(store) if line[0] == "begin" and line[1] in {pack.id for pack in students}]
    assert all(begun.count(pack.id) == 2 for pack in students)
    assert not get_final_ids(store.read_rows()) & {r[ID] for r in failed}, "a crash is tried again by the next run"


@pytest.mark.slow
def test_retries_bound_the_crashes_of_a_pack_however_they_happen(go):
    """Each crash counts once, also that of a worker that dies between two packs, which ends the trial for Tune."""
    plan, ledger, store = go(crash_between_packs_and_always, retries=1)
    failed = [r for r in ledger.rows if r[STATUS] == FAILED]
    students = [pack for pack in plan.packs if pack.teacher_ids]
    assert {r[ID] for r in failed} == {n.id for pack in students for n in pack.networks}
    assert all(r[ERROR].startswith("its worker crashed 2 times") for r in failed), {r[ERROR] for r in failed}
    crashes = lines(store)
    assert any(event == "reset" for event, _ in crashes)
    for pack in students:
        assert sum(pack_id == pack.id for _, pack_id in crashes) == 2


@pytest.mark.slow
def test_a_worker_that_cannot_start_says_why(go):
    _, ledger, _ = go(Unreadable(), retries=0)
    failed = [r for r in ledger.rows if r[STATUS] == FAILED]
    assert failed
    assert {r[ERROR] for r in failed} == {"its worker crashed 1 time: ValueError: this machine lacks a library"}


def test_a_row_that_is_missing_ends_the_sweep(go):
    with pytest.raises(SweepError, match=r"rows are incomplete: pack .* has no row of network"):
        go(forget_one_row)


def test_an_error_that_would_come_again_is_not_retried(go):
    plan, ledger, store = go(fail_always)
    students = [pack for pack in plan.packs if pack.teacher_ids]
    begun = [line[1] for line in lines(store) if line[0] == "begin"]
    assert all(begun.count(pack.id) == 1 for pack in students)
    failed = [r for r in ledger.rows if r[STATUS] == FAILED]
    assert all(r[ERROR].endswith("ValueError: this comes again") for r in failed)


def test_a_failed_teacher_skips_its_students_only(go):
    plan, ledger, _ = go(fail_teachers)
    status = {r[ID]: r[STATUS] for r in ledger.rows}
    expected = {TEACHER: FAILED, BASELINE: DONE, STUDENT: SKIPPED}
    assert status == {n.id: expected[n.model] for n in plan.networks}
