"""Which networks are trained together: cells, merged cells, and shares for the workers."""

from __future__ import annotations

import math
from collections import Counter
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kdtune.columns import BASELINE, TEACHER
from kdtune.plan.enumerate_networks import enumerate_networks
from kdtune.plan.network_types import NetworkType, NetworkTypes
from kdtune.plan.packing import (
    MAX_PACK_SECONDS,
    PackLimits,
    limit_loss,
    pack_students,
    pack_teachers,
    split_evenly,
)
from kdtune.plan.plan import make_plan
from kdtune.plan.training_time import (
    MAX_CALL_SHARE,
    SECONDS_PER_STEP,
    count_networks_within,
    estimate_seconds,
)
from kdtune.spec.load import load_spec
from tests.conftest import write_small

# What the times of docs and design were measured on.
HUNDRED_FEATURES = ("dataset.n_features=100", "dataset.n_classes=10", "train.batch_size=100")


@pytest.fixture(scope="module")
def networks_by_sweep(tmp_path_factory):
    """The networks of the small sweep, by its number of temperatures and of replicates."""
    path = write_small(tmp_path_factory.mktemp("sweep") / "small.yaml")
    networks = {}
    for n_temperatures, n_replicates in product((1, 2, 3, 4), (1, 2, 3)):
        temperatures = list(range(1, n_temperatures + 1))
        spec = load_spec(path, [f"distill.T={temperatures}", f"replicates={n_replicates}"])
        networks[n_temperatures, n_replicates] = list(enumerate_networks(spec))
    return networks


@given(
    sweep=st.tuples(st.integers(1, 4), st.integers(1, 3)),
    workers=st.integers(1, 4),
    limits=st.builds(PackLimits, max_networks=st.integers(1, 30), max_merged_work=st.sampled_from([0.0, 1e7, 4e10])),
)
@settings(deadline=None, max_examples=60)
def test_packs_divide_all_networks_among_the_workers(networks_by_sweep, sweep, workers, limits):
    networks = networks_by_sweep[sweep]
    teachers = [network for network in networks if network.model == TEACHER]
    students = [network for network in networks if network.model != TEACHER]
    teacher_packs = pack_teachers(teachers, workers, limits, limit_to_stack=True)
    student_packs = pack_students(students, teacher_packs, workers, limits)
    packs = teacher_packs + student_packs
    assert Counter(n.id for pack in packs for n in pack.networks) == Counter(n.id for n in networks)
    assert all(len(pack.networks) <= limits.max_networks for pack in packs)

    pack_of_teacher = {teacher.id: pack.id for pack in teacher_packs for teacher in pack.networks}
    for pack in student_packs:
        assert len({pack_of_teacher[teacher] for teacher in pack.teacher_ids}) <= 1
        if len({network.data.id for network in pack.networks}) > 1:
            assert pack.work <= limits.max_merged_work, "only small cells are merged"
    for packs_of_kind in (teacher_packs, student_packs):
        work = [pack.work for pack in packs_of_kind[: len(packs_of_kind) // 2]]
        assert work == sorted(work, reverse=True)


def test_an_unmerged_cell_is_a_baseline_and_its_students(networks_by_sweep):
    networks = networks_by_sweep[4, 3]
    students = [network for network in networks if network.model != TEACHER]
    packs = pack_students(students, [], 1, PackLimits(max_merged_work=0))
    for pack in packs:
        baseline, *distilled_students = pack.networks
        assert baseline.model == BASELINE
        assert len(distilled_students) == 4
        assert len(pack.teacher_ids) == 1
        assert len({(n.data.id, n.draw, n.shape.width, n.order_seed, n.weights_seed) for n in pack.networks}) == 1


def test_small_cells_are_merged_if_they_wait_for_the_same_pack(networks_by_sweep):
    networks = networks_by_sweep[4, 3]
    teachers = [network for network in networks if network.model == TEACHER]
    students = [network for network in networks if network.model != TEACHER]
    together = pack_teachers(teachers, 1, PackLimits(), limit_to_stack=False)
    assert len(together) == 1
    widths = [
        {network.shape.width for network in pack.networks}
        for pack in pack_students(students, together, 1, PackLimits())
    ]
    assert sorted(widths, key=min) == [{3}, {7}], "one pack for each width"
    apart = pack_teachers(teachers, 1, PackLimits(max_networks=1), limit_to_stack=False)
    packs = pack_students(students, apart, 1, PackLimits())
    assert all(len(pack.teacher_ids) == 1 for pack in packs)
    assert len(packs) == 2 * len(teachers)


@pytest.mark.parametrize(
    ("workers", "sizes"),
    [
        (1, [5, 5]),
        (2, [5, 5]),
        (3, [2, 3, 2, 3]),
        (4, [2, 3, 2, 3]),
        (5, [1, 2, 2, 1, 2, 2]),
    ],
)
def test_the_last_packs_are_split_so_that_every_worker_gets_a_part(networks_by_sweep, workers, sizes):
    """Two cells of five networks each, in packs of their own."""
    students = [n for n in networks_by_sweep[4, 1] if n.model != TEACHER and n.shape.width == 7]
    packs = pack_students(students, [], workers, PackLimits(max_merged_work=0))
    assert [len(pack.networks) for pack in packs] == sizes


def make_type(steps=20_000, work=10**9, training_bytes=200_000, stack_size=30):
    return NetworkType(work, steps, training_bytes, 1, stack_size)


@pytest.mark.parametrize(
    ("width", "n_networks", "microseconds"),
    [(10, 40, 18), (20, 40, 27), (50, 9, 75), (50, 40, 70), (50, 1, 131), (200, 9, 476)],
)
def test_estimated_seconds_are_near_those_that_were_measured(width, n_networks, microseconds, tmp_path):
    """Per network and step, of students of two layers on 100 features; see the design."""
    spec = load_spec(write_small(tmp_path / "small.yaml"), [f"student.width={width}", *HUNDRED_FEATURES])
    network_type = NetworkTypes().find(list(enumerate_networks(spec))[-1])
    seconds = estimate_seconds(network_type, n_networks) / n_networks / network_type.steps
    assert seconds == pytest.approx(microseconds * 1e-6, rel=0.3)


@given(
    st.builds(
        make_type,
        steps=st.integers(0, 10**6),
        work=st.integers(0, 10**13),
        training_bytes=st.integers(1, 10**7),
        stack_size=st.integers(1, 300),
    ),
    st.floats(0.1, 1000),
)
def test_a_pack_takes_about_so_many_seconds_or_is_of_one_stack_that_would_be_slow(network_type, max_seconds):
    count = count_networks_within(network_type, max_seconds)
    if estimate_seconds(network_type, 1) == 0:
        assert count == math.inf
        return
    assert count >= 1
    seconds = estimate_seconds(network_type, count)
    call_seconds = network_type.steps * SECONDS_PER_STEP
    if count > 1:
        assert seconds <= max(max_seconds, call_seconds / MAX_CALL_SHARE) * (1 + 1e-9)
    if count > network_type.stack_size:
        assert count % network_type.stack_size == 0, "no stack is cut"
    one_more = count + (1 if count < network_type.stack_size else network_type.stack_size)
    assert estimate_seconds(network_type, one_more) > max_seconds


def test_small_sweeps_are_cut_so_that_little_is_lost(tmp_path):
    """One cell of 64 small networks: some 13 s as one pack."""
    temperatures = [1 + i / 4 for i in range(63)]
    sets = ["dataset.class_sep=1", "student.width=20", f"distill.T={temperatures}", "train.batch_size=32"]
    spec = load_spec(write_small(tmp_path / "small.yaml"), [*sets, "dataset.n_samples=20000", "train.epochs=60"])
    networks = list(enumerate_networks(spec))
    types = NetworkTypes()

    def estimate(pack):
        return estimate_seconds(types.find(pack.networks[0]), len(pack.networks))

    packs = make_plan(networks).packs[1:]
    assert len(packs) > 1
    assert max(map(estimate, packs)) <= 1.01 * MAX_PACK_SECONDS
    fixed = make_plan(networks, fixed_packs=True).packs[1:]
    assert [len(pack.networks) for pack in fixed] == [64], "what depends on its pack is cut as before"
    assert estimate(fixed[0]) > MAX_PACK_SECONDS


def test_packs_of_a_large_sweep_may_take_a_tenth_of_it(networks_by_sweep):
    networks = networks_by_sweep[4, 3]
    assert limit_loss(PackLimits(), networks).max_seconds == MAX_PACK_SECONDS
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("kdtune.plan.packing.estimate_stacked_seconds", lambda network_type: 100.0)
        assert limit_loss(PackLimits(), networks).max_seconds == pytest.approx(10 * len(networks))


@given(st.lists(st.integers(), min_size=1, max_size=50), st.integers(1, 60))
def test_even_parts_keep_the_order_and_differ_by_one_at_most(items, max_items):
    parts = list(split_evenly(items, max_items))
    assert [item for part in parts for item in part] == items
    assert max(map(len, parts)) <= max_items
    assert max(map(len, parts)) - min(map(len, parts)) <= 1
