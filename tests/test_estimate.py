"""What `kdtune plan` says about time: that it times what trains, and how it puts that."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest
import torch

from kdtune.run.cost import TimeEstimate, format_time
from kdtune.run.estimate_time import estimate_time
from kdtune.run.worker_options import WorkerOptions
from kdtune.train.fit import fit
from kdtune.train.timing import StepTimer, measure_pack_seconds
from kdtune.train.train_pack import train_pack
from tests.separate import DIGITS, load_members_of, make_teachers

ESTIMATE = TimeEstimate(
    seconds=200.0,
    workers=2,
    threads=1,
    is_in_process=False,
    device="cpu",
    lacks_gpu=False,
    precisions=("bf16",),
    timed_kinds=3,
    float32_seconds=130.0,
)


def stop_after(n_steps):
    return lambda steps: steps >= n_steps


@pytest.mark.parametrize(
    "overrides",
    [
        ("teacher.dropout=0.3", "distill.hard_weight=[0, 0.7]"),
        ("teacher.activation=tanh", "student.activation=tanh", "train.precision=bf16"),
        (*DIGITS, "dataset.jitter=1", "teacher={kind: cnn, channels: [2], dropout: 0.2}"),
    ],
)
def test_training_that_stops_after_some_chunks_has_taken_the_steps_of_training(plan, overrides):
    """To the bit: the plan times ``fit`` until it stops, and ``fit`` is what trains."""
    for pack in plan(*overrides, "train.epochs=1", fixed_packs=True).packs:
        weights = {result.network.id: result.weights for result in train_pack(pack, *make_teachers(pack), True)}
        members = load_members_of(pack)
        epoch_steps = -(-len(members.data[0].y_train) // members.networks[0].train.batch_size)
        longer = [replace(n, train=n.train.model_copy(update={"epochs": 9})) for n in members.networks]
        stop = stop_after(epoch_steps)
        fitted = fit(replace(members, networks=longer), "cpu", torch.float32, should_stop=stop)
        assert fitted.steps == epoch_steps
        for i, network in enumerate(pack.networks):
            state = fitted.model.copy_member_state(i)
            assert all(torch.equal(value, state[name]) for name, value in weights[network.id].items())


def test_the_warm_up_is_not_timed(monkeypatch):
    readings = iter([100.0, 100.4, 100.6])
    monkeypatch.setattr("kdtune.train.timing.perf_counter", lambda: next(readings))
    timer = StepTimer("cpu", warm_up_steps=10)
    assert [timer.update(steps) for steps in (5, 10, 14, 16)] == [False, False, False, True]
    assert timer.seconds_per_step == pytest.approx(0.1)


def test_steps_are_timed_on_the_threads_of_a_worker(plan, monkeypatch):
    threads = set()

    class RecordingTimer(StepTimer):
        def update(self, steps):
            threads.add(torch.get_num_threads())
            return super().update(steps)

    monkeypatch.setattr("kdtune.train.timing.StepTimer", RecordingTimer)
    monkeypatch.setattr("kdtune.train.timing.TIMED_SECONDS", 0.01)
    measure_pack_seconds(plan().packs[0], "cpu", threads=2)
    assert threads == {2}


def test_a_pack_takes_about_as_long_as_estimated(plan, monkeypatch):
    """Within a factor of 3 of processor time, which other processes hardly disturb: steps, epochs, stacks all count."""
    monkeypatch.setattr("kdtune.train.timing.perf_counter", time.process_time)
    pack = plan("student.width=50", "train.epochs=150", "distill.T=[1, 2, 3, 4, 5]").packs[-1]
    estimated = measure_pack_seconds(pack, "cpu", threads=1)
    start = time.process_time()
    train_pack(pack, *make_teachers(pack))
    assert estimated / 3 < time.process_time() - start < 3 * estimated


def test_the_precision_that_is_asked_for_is_timed_and_compared_with_float32(plan):
    options = WorkerOptions(workers=1)
    overrides = (*DIGITS, "distill.T=[2]", "teacher={hidden: [5]}")
    low = estimate_time(plan(*overrides, "train.precision=bf16").packs, options)
    full = estimate_time(plan(*overrides).packs, options)
    assert (low.precisions, full.precisions) == (("bf16",), ("float32",))
    assert low.float32_seconds is not None
    assert full.float32_seconds is None


def test_advice_against_bf16_only_where_float32_is_clearly_faster():
    advice = "bf16 is slower here than float32: about 0:03:20 against 0:02:10; leave out --precision bf16"
    assert advice in "\n".join(format_time(ESTIMATE))
    for float32_seconds in (None, 199.0, 300.0):
        lines = "\n".join(format_time(replace(ESTIMATE, float32_seconds=float32_seconds)))
        assert "slower" not in lines
        assert ("float32 would take about" in lines) == (float32_seconds is not None)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "2 workers, 1 thread each"),
        ({}, "some steps of 3 kinds of pack timed on this machine, in bf16"),
        ({"threads": 2, "workers": 1}, "1 worker, 2 threads each"),
        ({"workers": 1, "is_in_process": True}, "about  0:03:20 in the process of the sweep, on 1 thread"),
        ({"device": "cuda"}, "timed on a GPU of this machine"),
        ({"lacks_gpu": True}, "timed on this machine, which has no GPU"),
        ({"seconds": 90061.0}, "1 day, 1:01:01"),
    ],
)
def test_the_plan_says_how_time_was_measured(changes, words):
    assert words in "\n".join(format_time(replace(ESTIMATE, **changes)))
