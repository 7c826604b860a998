"""The account of packs: what waits, runs, is tried again, alone or no more, whatever happens to workers and Ray."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kdtune.columns import DONE, ERROR, FAILED, ID, STATUS
from kdtune.results.store import Store
from kdtune.run.pack_runs import PackRuns
from kdtune.train.rows import make_row


class Ledger:
    """A listener that keeps the rows and the crashes."""

    def __init__(self):
        self.rows, self.crashes, self.in_training = [], [], ()

    def on_training_changed(self, in_training):
        self.in_training = in_training

    def on_rows_finished(self, rows):
        self.rows += rows.select([ID, STATUS, ERROR]).to_pylist()

    def on_pack_crashed(self, pack, crashes, memory):
        self.crashes.append((pack.id, crashes))


def make_runs(plan, folder, workers=2, retries=3):
    ledger = Ledger()
    return PackRuns(plan.packs, Store(folder, "small"), workers, retries, ledger), ledger


def train(runs, planned_id):
    pack = runs._ordered[planned_id].pack
    runs.store.write_part(pack.id, [make_row(network) for network in pack.networks])
    runs.mark_ended(planned_id)


def begin(runs):
    """Order what may be ordered, and begin as many packs as there are workers: the ids of those in training."""
    while runs.order_next() is not None:
        assert len(runs._ordered) <= 2 * runs.workers
    for planned_id in list(runs._ordered):
        if planned_id not in runs._in_training and len(runs._in_training) < runs.workers:
            runs.mark_started(planned_id)
    return list(runs._in_training)


def finish(runs):
    while not runs.is_finished:
        train(runs, begin(runs)[0])


def test_a_pack_that_kills_ray_is_found_and_fails_alone(plan, tmp_path):
    """Two packs run when Ray dies; from the second death on they run one at a time, and only the culprit fails."""
    small = plan(workers=4)
    runs, ledger = make_runs(small, tmp_path)
    culprit, other = begin(runs)
    deaths = 0
    while not runs.is_finished:
        in_training = begin(runs)
        if culprit in in_training:
            assert deaths < 2 or list(runs._ordered) == [culprit]
            runs.mark_all_crashed(", at 22.4 of 23.4 GiB of memory")
            deaths += 1
        else:
            train(runs, in_training[0])
    assert deaths == 4
    failed = [row for row in ledger.rows if row[STATUS] == FAILED]
    assert {row[ERROR] for row in failed} == {"Ray died 4 times while it trained, at 22.4 of 23.4 GiB of memory"}
    of_culprit = next(pack for pack in small.packs if pack.id == culprit)
    assert {row[ID] for row in failed} == {network.id for network in of_culprit.networks}
    assert other not in {row[ID] for row in failed}


@pytest.mark.parametrize(("retries", "restarts"), [(3, 100), (100, 3)])
def test_of_two_packs_that_kill_ray_one_fails_before_the_restarts_are_used_up(plan, tmp_path, retries, restarts):
    """The pack that ran alone when Ray died comes next, until it is known."""
    runs, _ = make_runs(plan(workers=4), tmp_path, retries=retries)
    culprits = begin(runs)
    in_vain = 0
    while not runs.is_finished:
        in_training = begin(runs)
        if set(culprits) & set(in_training):
            n_finished = runs.n_finished
            runs.mark_all_crashed("", is_last_restart=in_vain == restarts)
            in_vain = 0 if runs.n_finished > n_finished else in_vain + 1
            assert in_vain <= min(retries, restarts)
        else:
            train(runs, in_training[0])
            in_vain = 0


def test_packs_that_were_ordered_but_not_begun_are_not_suspected(plan, tmp_path):
    runs, ledger = make_runs(plan(workers=4), tmp_path)
    for _ in range(10):
        assert runs.order_next() is not None
        runs.mark_all_crashed("")
    finish(runs)
    assert {row[STATUS] for row in ledger.rows} == {DONE}


def test_a_pack_that_was_alone_and_had_not_begun_does_not_fail_at_the_last_restart(plan, tmp_path):
    runs, ledger = make_runs(plan(workers=4), tmp_path)
    for _ in range(2):
        begin(runs)
        runs.mark_all_crashed("")
    assert runs.order_next() is not None
    assert runs.order_next() is None
    runs.mark_all_crashed("", is_last_restart=True)
    finish(runs)
    assert {row[STATUS] for row in ledger.rows} == {DONE}


def test_a_worker_that_dies_for_want_of_memory_says_so(plan, tmp_path):
    runs, ledger = make_runs(plan(workers=4), tmp_path, retries=0)
    first = begin(runs)[0]
    runs.mark_crashed(
        first, "The actor died unexpectedly", ", at 22.4 of 23.4 GiB of memory: give packs fewer networks"
    )
    errors = {row[ERROR] for row in ledger.rows if row[STATUS] == FAILED}
    assert errors == {"its worker crashed 1 time, at 22.4 of 23.4 GiB of memory: give packs fewer networks"}


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.sampled_from(["train", "crash", "die"]), st.integers(0, 9)), max_size=40))
def test_whatever_dies_each_network_has_one_final_row_in_the_end(plan, tmp_path_factory, events):
    """And never more packs are handed out than there are workers; with retries enough nothing fails."""
    small = plan(workers=4)
    runs, ledger = make_runs(small, tmp_path_factory.mktemp("runs"), retries=100)
    for event, number in events:
        in_training = begin(runs)
        assert len(ledger.in_training) == len(in_training)
        if runs.is_finished:
            break
        planned_id = in_training[number % len(in_training)]
        if event == "train":
            train(runs, planned_id)
        elif event == "crash":
            runs.mark_crashed(planned_id, "", "")
        else:
            runs.mark_all_crashed("")
    finish(runs)
    assert sorted(row[ID] for row in ledger.rows) == sorted(network.id for network in small.networks)
    assert {row[STATUS] for row in ledger.rows} == {DONE}
    assert not runs.list_remaining_packs()
