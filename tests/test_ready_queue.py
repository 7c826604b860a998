"""The order in which packs are handed out: after their teachers, students first, requeued packs before all."""

from __future__ import annotations

from itertools import permutations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kdtune.columns import BASELINE, STUDENT, TEACHER
from kdtune.plan.enumerate_networks import enumerate_networks
from kdtune.plan.network import Pack, make_pack
from kdtune.plan.packing import PackLimits
from kdtune.plan.plan import make_plan
from kdtune.plan.ready_queue import ReadyQueue

SINGLE_NETWORKS = PackLimits(max_networks=1)


def get_teacher_ids(pack):
    return [network.id for network in pack.networks if network.model == TEACHER]


def mark_trained(queue, pack):
    """Mark the teachers of a pack as trained."""
    for teacher_id in get_teacher_ids(pack):
        queue.mark_trained(teacher_id)


def pop_all(queue):
    """What may start without any further teacher, in order."""
    packs = []
    while pack := queue.pop():
        packs.append(pack)
    return packs


def run_queue(queue, after_pack):
    """Run a queue as a single worker would, one pack after another, and return the packs in order."""
    packs = []
    while pack := queue.pop():
        packs.append(pack)
        after_pack(pack)
    return packs


def test_a_pack_starts_once_its_own_teacher_is_trained(plan):
    packs = plan(limits=SINGLE_NETWORKS).packs
    queue = ReadyQueue(packs)
    trained = set()

    def finish(pack):
        assert pack.teacher_ids <= trained
        trained.update(get_teacher_ids(pack))
        mark_trained(queue, pack)

    started = run_queue(queue, finish)
    assert queue.is_empty
    assert sorted(pack.id for pack in started) == sorted(pack.id for pack in packs)
    models = [pack.networks[0].model for pack in started]
    second_teacher = [i for i, model in enumerate(models) if model == TEACHER][1]
    assert STUDENT in models[:second_teacher], "students of the first teacher do not wait for the second"


def test_a_pack_that_waits_for_its_teacher_is_not_handed_out(plan):
    queue = ReadyQueue(plan(workers=2).packs)
    first, second = queue.pop(), queue.pop()
    assert get_teacher_ids(first)
    assert get_teacher_ids(second)
    assert queue.pop() is None
    assert not queue.is_empty
    mark_trained(queue, second)
    assert queue.pop().teacher_ids == set(get_teacher_ids(second))


def test_a_failed_teacher_skips_its_students_and_not_their_baselines(plan):
    p = plan(workers=2)
    queue = ReadyQueue(p.packs)
    failed = get_teacher_ids(p.packs[0])
    skipped = []

    def finish(pack):
        if get_teacher_ids(pack) == failed:
            for teacher_id in failed:
                skipped.extend(queue.mark_failed(teacher_id))
        else:
            mark_trained(queue, pack)

    started = run_queue(queue, finish)
    assert queue.is_empty
    assert {n.id for n in skipped} == {n.id for n in p.networks if n.teacher and n.teacher.id in failed}
    trained = {network.id for pack in started for network in pack.networks}
    assert trained == {network.id for network in p.networks} - {network.id for network in skipped}


KINDS_OF_PACKS = ["teacher", "students", "baseline alone", "reduced, since its teacher failed"]


def hand_out_every_kind_of_pack(plan):
    """A queue in which students and teachers are ready, and a pack of every kind that it has handed out."""
    packs = plan("replicates=3", "student.width=3", limits=PackLimits(max_networks=9, max_merged_work=0)).packs
    teachers = [make_pack([network]) for pack in packs if pack.is_teacher_pack for network in pack.networks]
    cells = [pack for pack in packs if not pack.is_teacher_pack]
    baselines = [make_pack(n for n in pack.networks if n.model == BASELINE) for pack in cells]
    students = [make_pack(n for n in pack.networks if n.model == STUDENT) for pack in cells]
    assert len(teachers) == len(cells) == 6

    queue = ReadyQueue([*teachers, *cells[:-1], students[-1], baselines[-1]])
    assert queue.pop() == baselines[-1]
    assert [queue.pop() for _ in range(4)] == teachers[:4]
    queue.mark_failed(*get_teacher_ids(teachers[0]))
    mark_trained(queue, teachers[1])
    mark_trained(queue, teachers[2])
    handed_out = [teachers[3], cells[1], baselines[-1], baselines[0]]
    assert [queue.pop(), queue.pop()] == [baselines[0], cells[1]]
    return queue, dict(zip(KINDS_OF_PACKS, handed_out, strict=True)), [cells[2], *teachers[4:]]


@pytest.mark.parametrize("kind", KINDS_OF_PACKS)
def test_a_requeued_pack_goes_before_all_others(plan, kind):
    queue, handed_out, ready = hand_out_every_kind_of_pack(plan)
    queue.requeue(handed_out[kind])
    assert pop_all(queue) == [handed_out[kind], *ready]


@pytest.mark.parametrize("order", list(permutations(KINDS_OF_PACKS)))
def test_of_several_requeued_packs_the_first_goes_first(plan, order):
    queue, handed_out, ready = hand_out_every_kind_of_pack(plan)
    for kind in order:
        queue.requeue(handed_out[kind])
    assert pop_all(queue) == [*(handed_out[kind] for kind in order), *ready]


def test_a_requeued_pack_makes_an_empty_queue_full_again(plan):
    queue = ReadyQueue(plan(workers=1).packs[:1])
    pack = queue.pop()
    assert queue.is_empty
    queue.requeue(pack)
    assert not queue.is_empty
    assert queue.pop() is pack
    assert queue.is_empty


def test_no_pack_can_wait_for_itself(plan):
    """Such a queue would never become empty, and the sweep would hang."""
    networks = plan().networks
    student = next(network for network in networks if network.teacher)
    with pytest.raises(ValueError, match=r"pack [0-9a-f]{20} holds both teachers \(1 of 2 networks\) and students"):
        ReadyQueue([make_pack([student.teacher, student])])
    with pytest.raises(ValueError, match="pack by hand holds"):
        Pack("by hand", (student, student.teacher))


def test_packs_cannot_wait_for_one_another(plan):
    """Two packs, each with the teacher of a student in the other, would hang as well."""
    networks = plan().networks
    teachers = [network for network in networks if network.model == TEACHER]
    students = [next(n for n in networks if n.teacher and n.teacher.id == teacher.id) for teacher in teachers]
    with pytest.raises(ValueError, match="put teachers and students into packs of their own"):
        ReadyQueue([make_pack([teachers[0], students[1]]), make_pack([teachers[1], students[0]])])


def test_a_teacher_in_no_pack_counts_as_trained(plan):
    """A plan leaves out teachers whose logits are stored."""
    packs = [pack for pack in plan(limits=SINGLE_NETWORKS).packs if not pack.is_teacher_pack]
    queue = ReadyQueue(packs)
    assert pop_all(queue) == packs
    assert queue.is_empty


@pytest.fixture
def networks(spec):
    return list(enumerate_networks(spec("replicates=2")))


@given(
    workers=st.integers(1, 5),
    max_networks=st.integers(1, 5) | st.just(64),
    fixed_packs=st.booleans(),
    done=st.sets(st.integers(0, 35)),
    ready=st.sets(st.integers(0, 3)),
    failing=st.sets(st.integers(0, 3)),
    crash_steps=st.sets(st.integers(0, 40)),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=100)
def test_every_plan_comes_to_its_end(networks, workers, max_networks, fixed_packs, done, ready, failing, crash_steps):
    """Whatever is done, fails or crashes, each network that is to train is trained or skipped, once."""
    teachers = [network.id for network in networks if network.model == TEACHER]
    assert len(networks) == 36
    assert len(teachers) == 4
    p = make_plan(
        networks,
        workers=workers,
        limits=PackLimits(max_networks=max_networks),
        fixed_packs=fixed_packs,
        done_ids={networks[i].id for i in done},
        ready_teacher_ids={teachers[i] for i in ready},
    )
    failing_teachers = {teachers[i] for i in failing}
    to_train = {network.id for network in p.networks_to_train}
    trained, skipped = [], []
    queue = ReadyQueue(p.packs)
    step = 0
    while not queue.is_empty:
        pack = queue.pop()
        assert pack is not None, "no pack is in flight, so one may start"
        assert pack.teacher_ids & to_train <= set(trained) - failing_teachers
        if step in crash_steps:
            queue.requeue(pack)
        else:
            trained += [network.id for network in pack.networks]
            for teacher in get_teacher_ids(pack):
                if teacher in failing_teachers:
                    skipped += [network.id for network in queue.mark_failed(teacher)]
                else:
                    queue.mark_trained(teacher)
        step += 1
    assert sorted(trained + skipped) == sorted(to_train)
