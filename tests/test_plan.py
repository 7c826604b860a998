"""Planning: what is trained, with what, in which pack; and what a network is called."""

from __future__ import annotations

import math

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import Field

from kdtune.columns import BASELINE, STUDENT, TEACHER
from kdtune.plan import identity
from kdtune.plan.enumerate_networks import enumerate_networks
from kdtune.plan.packing import PackLimits
from kdtune.plan.plan import make_plan
from kdtune.settings import Train


def test_part_three_of_the_tutorial():
    from kdtune.spec.bundled_sweeps import BUNDLED_SWEEPS_FOLDER
    from kdtune.spec.load import load_spec

    spec = load_spec(BUNDLED_SWEEPS_FOLDER / "fakeset.yaml", ["student.width=50"])
    plan = make_plan(list(enumerate_networks(spec)), workers=2)
    assert [plan.count_model(model) for model in (TEACHER, BASELINE, STUDENT)] == [9, 9, 72]
    # Nine cells for two workers: the last is shared out.
    assert sorted(len(p.networks) for p in plan.packs) == [4, 4, 5, 5] + [9] * 8
    teacher = plan.networks[0]
    assert teacher.n_params == 100 * 101 * 3 + 101 * 10


def test_what_extends_the_study_shares_its_networks():
    """Their teachers are those of the study; so are baselines, and students where their settings are the same."""
    from kdtune.spec.bundled_sweeps import BUNDLED_SWEEPS_FOLDER
    from kdtune.spec.load import load_spec

    study, low, replicates, teachers = (
        {network.id: network for network in enumerate_networks(load_spec(BUNDLED_SWEEPS_FOLDER / f"{name}.yaml"))}
        for name in (
            "fakeset-study",
            "fakeset-study-low",
            "fakeset-study-replicates",
            "fakeset-study-teachers",
        )
    )
    for sweep, n_networks, n_shared in (
        (low, (45, 135, 405), (45, 135, 0)),
        (replicates, (30, 60, 720), (15, 30, 360)),
        (teachers, (60, 15, 720), (15, 15, 180)),
    ):
        shared = [network for network in sweep.values() if network.id in study]
        for networks, counts in ((sweep.values(), n_networks), (shared, n_shared)):
            models = [network.model for network in networks]
            assert tuple(map(models.count, (TEACHER, BASELINE, STUDENT))) == counts
    assert {network.teacher.id for network in low.values() if network.teacher} <= study.keys()
    assert {network.replicate for network in replicates.values() if network.id not in study} == {5, 6, 7, 8, 9}


def test_each_network_once_and_baselines_once_a_cell(plan):
    p = plan("distill.hard_weight=[0, 1]", "replicates=2")
    ids = [n.id for n in p.networks]
    assert len(ids) == len(set(ids))
    assert p.count_model(TEACHER) == 2 * 2
    assert p.count_model(BASELINE) == 2 * 2 * 2
    assert p.count_model(STUDENT) == 2 * 2 * 2 * 3 * 2
    assert sorted(n.id for pack in p.packs for n in pack.networks) == sorted(ids)


@given(workers=st.integers(1, 5), max_networks=st.integers(1, 5) | st.just(64), done=st.sets(st.integers(0, 33)))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
def test_packs_hold_what_is_missing_and_members_are_alike(plan, workers, max_networks, done):
    everything = plan("replicates=2").networks
    finished = {everything[i].id for i in done if i < len(everything)}
    p = plan("replicates=2", workers=workers, limits=PackLimits(max_networks=max_networks), done_ids=finished)
    trained = [n.id for pack in p.packs for n in pack.networks]
    assert len(trained) == len(set(trained))
    missing = {n.id for n in everything} - finished
    retrained = set(trained) - missing  # only teachers whose logits are lost and still needed
    needed = {n.teacher.id for n in everything if n.id in missing and n.teacher}
    assert missing <= set(trained)
    assert retrained <= needed & finished
    teachers = [n for pack in p.packs for n in pack.networks if n.model == TEACHER]
    for pack in p.packs:
        assert {n.model == TEACHER for n in pack.networks} == {pack.is_teacher_pack}
        assert len({(tuple(n.layers), n.train.epochs, n.train.batch_size, n.train.lr) for n in pack.networks}) == 1
        assert len(pack.networks) <= max_networks
        if pack.is_teacher_pack:
            assert len(pack.networks) <= math.ceil(len(teachers) / workers)
        awaited_packs = [other.id for other in p.packs if pack.teacher_ids & {n.id for n in other.networks}]
        assert len(awaited_packs) <= 1, "no cell waits for the teacher of another"


def test_ready_teachers_are_not_trained_again(plan):
    everything = plan().networks
    teachers = {n.id for n in everything if n.model == TEACHER}
    p = plan(done_ids=teachers, ready_teacher_ids=teachers)
    assert not [n for n in p.networks_to_train if n.model == TEACHER]
    lost = plan(done_ids=teachers, ready_teacher_ids=set())
    assert {n.id for n in lost.networks_to_train if n.model == TEACHER} == teachers
    finished = plan(done_ids={n.id for n in everything}, ready_teacher_ids=set())
    assert not finished.packs


def test_a_diverged_teacher_is_not_trained_again_and_its_students_are_skipped(plan):
    everything = plan().networks
    teachers = [n.id for n in everything if n.model == TEACHER]
    rest = {n.id for n in everything if n.model != STUDENT}
    p = plan(done_ids=rest, ready_teacher_ids=teachers[1:], failed_teacher_ids=teachers[:1])
    students = [{n.id for n in everything if n.teacher and n.teacher.id == teacher} for teacher in teachers]
    assert {n.id for n in p.skipped} == students[0]
    assert {n.id for n in p.networks_to_train} == students[1]


def test_fixed_packs_depend_on_the_sweep_alone(plan):
    """For devices on which bits depend on the pack: neither what is done nor the workers change a pack."""
    everything = plan().networks
    full = {pack.id for pack in plan(fixed_packs=True).packs}
    for workers, done in ((1, set()), (7, {n.id for n in everything[::3]}), (2, {n.id for n in everything[:5]})):
        p = plan(fixed_packs=True, workers=workers, done_ids=done)
        assert {pack.id for pack in p.packs} <= full
        assert {n.id for n in everything} - done <= {n.id for n in p.networks_to_train}
    assert not plan(fixed_packs=True, done_ids={n.id for n in everything}).packs


def test_ids_depend_on_settings_only(spec):
    """Adding values changes no other network; names, replicates and resources are not in an id."""
    few = {n.id for n in enumerate_networks(spec())}
    more = {n.id for n in enumerate_networks(spec("distill.T=[1, 2, 5, 9]", "student.width=[3, 7, 8]", "replicates=3"))}
    assert few < more
    same = {n.id for n in enumerate_networks(spec("name=other", "resources={cpus_per_worker: 2}"))}
    assert same == few
    written_otherwise = spec(
        "distill.T=[1.0, 2.0, 5.0]", "dataset.test_size=100", "dataset.val_size=100", "student.depth=2.0"
    )
    assert {n.id for n in enumerate_networks(written_otherwise)} == few


@pytest.mark.parametrize(
    "override",
    [
        "seed=1",
        "dataset.flip_y=0.02",
        "dataset.n_samples=600",
        "train.lr=0.002",
        "train.epochs=3",
        "train.batch_size=36",
    ],
)
def test_ids_depend_on_every_setting(spec, override):
    assert not {n.id for n in enumerate_networks(spec())} & {n.id for n in enumerate_networks(spec(override))}


def test_teacher_settings_change_distilled_students_and_not_baselines(spec):
    before = {n.id: n.model for n in enumerate_networks(spec())}
    after = {n.id: n.model for n in enumerate_networks(spec("teacher.dropout=0.5"))}
    assert {before[i] for i in before.keys() & after.keys()} == {BASELINE}
    assert sum(m == BASELINE for m in before.values()) == len(before.keys() & after.keys())


def test_ids_and_seeds_stay_what_they_are(spec):
    """A change here makes every result that anyone has useless: raise identity.SCHEMA if it must be."""
    networks = list(enumerate_networks(spec("dataset.class_sep=1", "student.width=3", "distill.T=2")))
    assert [(n.model, n.id, n.weights_seed, n.order_seed) for n in networks] == GOLDEN


GOLDEN = [
    ("teacher", "7a9e531b740d1c691ff6", 2866850204565290790, 6109131781525874653),
    ("student", "5e6d683399e3b29ac839", 1759021214967935900, 2756563376691385280),
    ("distilled_student", "69d66884cb531a03699c", 1759021214967935900, 2756563376691385280),
]


def test_a_setting_introduced_later_hashes_as_absent():
    class Later(Train):
        label_smoothing: float = Field(default=0.0, json_schema_extra={"introduced": 0.0})

    assert identity.select_hashed_settings(Later()) == identity.select_hashed_settings(Train())
    assert identity.select_hashed_settings(Later(label_smoothing=0.1)) != identity.select_hashed_settings(Train())


def test_replicates_redraw_what_they_say(spec):
    def draws(override):
        return sorted(
            {
                (n.data.draw, n.teacher.draw, n.draw, n.replicate)
                for n in enumerate_networks(spec(override))
                if n.model == STUDENT
            }
        )

    assert draws("replicates=3") == [(0, 0, 0, 0), (1, 1, 1, 1), (2, 2, 2, 2)]
    assert draws("replicates={data: 1, teacher: 1, student: 3}") == [(0, 0, 0, 0), (0, 0, 1, 1), (0, 0, 2, 2)]
    assert draws("replicates={data: 1, teacher: 2, student: 4}") == [
        (0, 0, 0, 0),
        (0, 0, 2, 2),
        (0, 1, 1, 1),
        (0, 1, 3, 3),
    ]


def test_streams_differ_by_what_they_are_for(spec):
    networks = list(enumerate_networks(spec("replicates=2")))
    assert len({n.data.seed for n in networks}) == 2 * 2
    teachers = [n for n in networks if n.model == TEACHER]
    students = [n for n in networks if n.model != TEACHER]
    assert not {n.weights_seed for n in teachers} & {n.weights_seed for n in students}
    assert not {n.order_seed for n in networks} & {n.weights_seed for n in networks}


@given(
    missing=st.sets(st.integers(4, 33), min_size=1, max_size=3),
    ready=st.sets(st.integers(0, 7)),
    fixed_packs=st.booleans(),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
def test_every_teacher_of_a_pack_is_ready_or_trained(plan, missing, ready, fixed_packs):
    """Also that of a finished student which is trained again because its fixed pack is."""
    networks = plan("replicates=2").networks
    teacher_ids = [network.id for network in networks if network.model == TEACHER]
    done_ids = {network.id for i, network in enumerate(networks) if i not in missing} | set(teacher_ids)
    ready_ids = {teacher_ids[i] for i in ready if i < len(teacher_ids)}
    p = plan("replicates=2", done_ids=done_ids, ready_teacher_ids=ready_ids, fixed_packs=fixed_packs)
    trained_ids = {network.id for network in p.networks_to_train}
    for pack in p.packs:
        assert pack.teacher_ids <= ready_ids | trained_ids


def test_a_failed_teacher_leaves_the_other_fixed_packs_as_they_are(plan):
    """Else an interrupted sweep would train in other packs than an uninterrupted one."""
    options = {"fixed_packs": True, "limits": PackLimits(max_networks=6)}
    packs = plan("replicates=4", **options).packs
    teacher_ids = [network.id for pack in packs if pack.is_teacher_pack for network in pack.networks]
    for failed in teacher_ids:
        live_packs = [pack.without_teachers({failed}) for pack in packs if not pack.is_teacher_pack]
        p = plan("replicates=4", **options, done_ids=teacher_ids, failed_teacher_ids={failed},
                 ready_teacher_ids=teacher_ids)  # fmt: skip
        assert {pack.id for pack in p.packs} == {pack.id for pack in live_packs if pack.networks}


def test_baselines_that_differ_in_training_alone_are_all_there(plan):
    """Their students do not, for the training of students has the last word."""
    p = plan("student.train={grid_search: [{epochs: 1}, {epochs: 3}]}", "distill.train={epochs: 2}")
    assert {n.train.epochs for n in p.networks if n.model == BASELINE} == {1, 3}
    assert {n.train.epochs for n in p.networks if n.model == STUDENT} == {2}
