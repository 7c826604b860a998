"""Dividing a cluster among workers: all of them fit, no more would, and nothing that is asked for is changed."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from kdtune.errors import RequestError
from kdtune.run.shares import (
    NodeSize,
    ask_for_memory,
    check_gpus_per_worker,
    count_needed_gpus,
    follow_nodes,
    share_cluster,
)
from kdtune.run.worker_options import WorkerOptions
from kdtune.settings import Resources

GPU_SHARES = st.integers(0, 8).map(float) | st.integers(1, 10_000).map(lambda units: units / 10_000)
NODES = st.lists(st.builds(NodeSize, cpus=st.integers(0, 64), gpus=st.integers(0, 8)), min_size=1, max_size=4)


def place_workers(node: NodeSize, options: WorkerOptions) -> int:
    """Place workers on a machine one after the other, as Ray does; return how many found room."""
    gpu_share = Fraction(round(10_000 * options.gpus_per_worker), 10_000)
    free_cpus, free_gpus = node.cpus, [Fraction(1)] * node.gpus
    placed = 0
    while free_cpus >= options.cpus_per_worker:
        if gpu_share >= 1:
            if len(free_gpus) < gpu_share:
                break
            free_gpus = free_gpus[int(gpu_share) :]
        elif gpu_share > 0:
            fitting = [index for index, free in enumerate(free_gpus) if free >= gpu_share]
            if not fitting:
                break
            free_gpus[fitting[0]] -= gpu_share
        free_cpus -= options.cpus_per_worker
        placed += 1
    return placed


@given(
    NODES,
    st.builds(
        Resources,
        workers=st.none() | st.integers(1, 64),
        cpus_per_worker=st.none() | st.integers(1, 64),
        gpus_per_worker=st.none() | GPU_SHARES,
    ),
)
def test_as_many_workers_as_fit_or_as_are_asked_for(nodes, resources):
    try:
        options = share_cluster(nodes, resources)
    except RequestError:
        cpus_per_worker, gpus_per_worker = resources.cpus_per_worker or 1, resources.gpus_per_worker
        if gpus_per_worker is None:
            gpus_per_worker = float(any(node.gpus for node in nodes))
        smallest = WorkerOptions(1, cpus_per_worker, gpus_per_worker)
        assert not any(place_workers(node, smallest) for node in nodes), "one worker fits, but was refused"
        return
    fitting_workers = sum(place_workers(node, options) for node in nodes)
    assert options.workers == min(resources.workers or fitting_workers, fitting_workers)
    for asked, given_value in (
        (resources.cpus_per_worker, options.cpus_per_worker),
        (resources.gpus_per_worker, options.gpus_per_worker),
    ):
        assert asked is None or asked == given_value


@given(st.integers(1, 64), GPU_SHARES)
def test_the_gpus_that_workers_need_are_enough_and_one_less_is_not(workers, gpus_per_worker):
    gpus = count_needed_gpus(workers, gpus_per_worker)
    assume(gpus > 0)
    resources = Resources(workers=workers, cpus_per_worker=1, gpus_per_worker=gpus_per_worker)
    assert share_cluster([NodeSize(workers, gpus)], resources).workers == workers
    if gpus - 1 >= gpus_per_worker:
        assert share_cluster([NodeSize(workers, gpus - 1)], resources).workers < workers


@pytest.mark.parametrize(
    ("node", "asked", "workers", "cpus_per_worker"),
    [
        (NodeSize(64, 1), {"gpus_per_worker": 0.1}, 10, 6),  # in floats, 1 // 0.1 is 9
        (NodeSize(64, 4), {"gpus_per_worker": 0.4}, 8, 8),  # the rest of one GPU does not add to another's
        (NodeSize(32, 2), {"workers": 16}, 2, 16),
        (NodeSize(32, 2), {"workers": 1}, 1, 32),
        (NodeSize(32, 2), {"gpus_per_worker": 0.0}, 32, 1),
    ],
)
def test_known_shares(node, asked, workers, cpus_per_worker):
    options = share_cluster([node], Resources(**asked))
    assert (options.workers, options.cpus_per_worker) == (workers, cpus_per_worker)


def test_a_growing_cluster_keeps_the_workers_and_uses_the_gpus_that_it_has_now():
    resources = Resources(workers=8)
    assert share_cluster([NodeSize(64, 8)], resources, can_grow=True) == WorkerOptions(8, 8, 1.0)
    assert share_cluster([NodeSize(4, 1)], resources, can_grow=True) == WorkerOptions(8, 4, 1.0)
    on_cpus = Resources(workers=8, gpus_per_worker=0)
    assert share_cluster([NodeSize(64, 8)], on_cpus, can_grow=True) == WorkerOptions(8, 1, 0.0)


def test_a_cluster_that_scales_from_zero_starts_what_is_asked_for():
    assert share_cluster([NodeSize(0, 0)], Resources(workers=8), can_grow=True) == WorkerOptions(8, 1, 0.0)
    on_gpus = Resources(workers=8, gpus_per_worker=0.5, cpus_per_worker=4)
    assert share_cluster([NodeSize(0, 0)], on_gpus, can_grow=True) == WorkerOptions(
        8, 4, 0.5, cpus_per_cpu_only_worker=4
    )
    with pytest.raises(RequestError, match="give the number of workers"):
        share_cluster([NodeSize(0, 0)], Resources(), can_grow=True)


def test_cpus_beside_gpus_are_those_of_the_same_machine():
    nodes = [NodeSize(16), NodeSize(16), NodeSize(8, 1), NodeSize(8, 2)]
    assert share_cluster(nodes, Resources()) == WorkerOptions(3, 4, 1.0)


@pytest.mark.parametrize("gpus_per_worker", [1.5, 2.0001, 0.00001])
def test_shares_of_gpus_that_ray_cannot_give_are_refused(gpus_per_worker):
    with pytest.raises(RequestError, match="gpus_per_worker must be"):
        check_gpus_per_worker(gpus_per_worker)


@pytest.mark.parametrize("gpus_per_worker", [None, 0.0, 0.0001, 0.3, 1.0, 4.0])
def test_other_shares_of_gpus_are_accepted(gpus_per_worker):
    check_gpus_per_worker(gpus_per_worker)


GIB = 1 << 30
MIXED = [NodeSize(8, 1, 30 * GIB), NodeSize(16, 0, 8 * GIB)]


def test_machines_without_a_gpu_get_workers_of_their_own():
    options = share_cluster(MIXED, Resources(), can_grow=True)
    assert (options.workers, options.cpus_per_worker, options.gpus_per_worker) == (1, 8, 1.0)
    assert (options.cpu_only_workers, options.cpus_per_cpu_only_worker) == (16, 1)
    assert options.follows_cluster
    assert options.for_kind(is_cpu_only=True).gpus_per_worker == 0


@pytest.mark.parametrize(
    ("asked", "workers", "cpu_only_workers"),
    [
        ({"cpu_only_workers": 0}, 1, 0),
        ({"cpu_only_workers": 3}, 1, 3),
        ({"workers": 4, "cpu_only_workers": 40}, 4, 40),
        ({"workers": 4}, 4, 0),
        ({"gpus_per_worker": 0}, 24, 0),
    ],
)
def test_the_workers_of_each_kind_can_be_named(asked, workers, cpu_only_workers):
    options = share_cluster(MIXED, Resources(**asked), can_grow=True)
    assert (options.workers, options.cpu_only_workers) == (workers, cpu_only_workers)


def test_workers_without_a_gpu_are_refused_beside_others_without_one():
    with pytest.raises(RequestError, match="no worker has a GPU here"):
        share_cluster([NodeSize(4)], Resources(cpu_only_workers=2), can_grow=True)


def follow(options, nodes):
    return follow_nodes(options, nodes).workers, follow_nodes(options, nodes).cpu_only_workers


def test_each_kind_follows_its_machines_down_to_none_and_back():
    options = share_cluster(MIXED, Resources(), can_grow=True)
    assert follow(options, MIXED[:1]) == (1, 0)
    without_cpu_machines = follow_nodes(options, MIXED[:1])
    assert follow(without_cpu_machines, MIXED) == (1, 16)
    assert follow(options, MIXED[1:]) == (0, 16)


def test_a_number_that_was_asked_for_does_not_follow():
    options = share_cluster(MIXED, Resources(cpu_only_workers=3), can_grow=True)
    assert follow(options, MIXED) == (1, 3)
    options = share_cluster(MIXED, Resources(workers=2, gpus_per_worker=0), can_grow=True)
    assert follow(options, MIXED * 3) == (2, 0)


def ask(plan, *nodes, **resources):
    pack = plan().packs[0]  # of a few megabytes, to which a worker's own memory is added
    return ask_for_memory(share_cluster(nodes, Resources(**resources), can_grow=True), nodes, [pack])


def test_fewer_workers_fit_where_memory_is_short(plan):
    options = ask(plan, NodeSize(8, 0, 2 * GIB))
    assert (options.workers, options.memory_per_worker) == (4, GIB // 2)


def test_a_worker_that_needs_more_memory_than_any_machine_has_asks_for_all_of_it(plan):
    options = ask(plan, NodeSize(0, 0, 64 * GIB), NodeSize(4, 0, GIB // 4), NodeSize(4, 0, GIB // 8))
    assert (options.workers, options.memory_per_worker) == (1, GIB // 4)


def test_machines_that_do_not_say_what_memory_they_have_are_asked_for_none(plan):
    options = ask(plan, NodeSize(4, 0, 2 * GIB), NodeSize(4, 0, None))
    assert (options.workers, options.memory_per_worker) == (8, 0)


def test_a_cluster_without_machines_yet_is_asked_for_no_memory(plan):
    assert ask(plan, NodeSize(0, 0, GIB), workers=8).memory_per_worker == 0
