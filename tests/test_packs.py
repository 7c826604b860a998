"""What networks are trained together, and that it changes no number."""

from __future__ import annotations

from collections import Counter

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from kdtune.columns import TEACHER
from kdtune.plan.network import make_pack
from kdtune.plan.packing import PackLimits, pack_students, pack_teachers, split_evenly
from kdtune.train.batches import Batches
from kdtune.train.fit import split_into_stacks
from tests.separate import members_of
from tests.test_train import results


@pytest.mark.parametrize("most", [1, 2, 100])
@pytest.mark.parametrize("threads", [1, 2, 3])
def test_parts_and_threads_change_no_bit(plan, monkeypatch, threads, most):
    """However a pack is cut for the cache, and whichever thread trains a part."""
    packs = plan("distill.hard_weight=[0, 0.5]").packs
    whole = {one.id: results(one) for one in packs}
    monkeypatch.setattr("kdtune.plan.network.STACK_BYTES", most * packs[0].networks[0].training_bytes)
    for one in packs:
        parts = split_into_stacks(members_of(one), threads)
        assert sum(len(part.networks) for part in parts) == len(one.networks)
        assert all(len(part.networks) <= threads * part.networks[0].stack_size for part in parts)
        for name, (row, state) in results(one, threads=threads).items():
            assert row == whole[one.id][name][0]
            assert all(torch.equal(value, whole[one.id][name][1][key]) for key, value in state.items())


def test_threads_of_large_products_change_no_bit(plan):
    """Of stacks so large that torch and the BLAS share each operation out among their threads."""
    temperatures = [1 + i / 2 for i in range(30)]
    packs = plan(f"distill.T={temperatures}", "student.width=[50, 61]", "teacher.hidden=[90]", "train.batch_size=100")
    for one in packs.packs:
        alone = results(one)
        for threads in (2, 3):
            for name, (row, state) in results(one, threads=threads).items():
                assert row == alone[name][0]
                assert all(torch.equal(value, alone[name][1][key]) for key, value in state.items())


def test_threads_change_last_bits_of_other_modules_at_most(plan):
    for one in plan("student.activation=tanh", "teacher.activation=gelu", whole_packs=True).packs:
        alone, threaded = results(one), results(one, threads=2)
        for name, (_, state) in threaded.items():
            for key, value in state.items():
                torch.testing.assert_close(value, alone[name][1][key], rtol=1e-3, atol=1e-4)


def test_members_of_several_cells_learn_from_their_own(plan):
    """A pack over cells: x, targets and labels of each member are those it has alone."""
    one = next(p for p in plan("distill.hard_weight=[0, 0.5]").packs if len(p.teacher_ids) == 2)
    together = Batches(members_of(one), "cpu", torch.float64, torch.float64)
    laid = list(together.lay_out(next(together.epoch(1))))
    for i, network in enumerate(one.networks):
        alone = Batches(members_of(make_pack([network])), "cpu", torch.float64, torch.float64)
        for a, b in zip(laid, alone.lay_out(next(alone.epoch(1))), strict=False):
            assert torch.equal(a.x.rows[i], b.x.rows[0])
            assert torch.equal(a.x.columns[i, :, : len(a.x.rows[i])], b.x.rows[0, :, : a.x.columns.shape[1]].T)
            assert torch.equal(a.targets[i], b.targets[0])
            if b.labels is not None:
                assert torch.equal(a.labels[i], b.labels[0])


def test_every_example_once_an_epoch(plan):
    batches = Batches(members_of(plan().packs[0]), "cpu", torch.float32, torch.float32)
    batches.stretch = 3
    for epoch in (0, 1):
        picked = torch.cat(list(batches.epoch(epoch)), dim=1)
        for source in picked:
            assert sorted(source.tolist()) == list(range(batches.n_train))


@given(
    counts=st.tuples(st.integers(1, 4), st.integers(1, 3)),
    workers=st.integers(1, 4),
    limits=st.builds(PackLimits, networks=st.integers(1, 30), work=st.sampled_from([0.0, 1e7, 4e10])),
)
@settings(max_examples=40, deadline=None)
def test_packs_divide_among_the_workers(everything, counts, workers, limits):
    temperatures, replicates = counts
    networks = everything(temperatures, replicates)
    teachers = pack_teachers([n for n in networks if n.model == TEACHER], workers, limits, stacked=True)
    students = pack_students([n for n in networks if n.model != TEACHER], teachers, workers, limits)
    trained = Counter(n.id for one in (*teachers, *students) for n in one.networks)
    assert trained == Counter(n.id for n in networks)
    assert all(len(one.networks) <= limits.networks for one in (*teachers, *students))
    home = {n.id: one.id for one in teachers for n in one.networks}
    for one in students:
        assert len({home[name] for name in one.teacher_ids}) <= 1
        if len({n.data.id for n in one.networks}) > 1:  # cells share a pack only while it is small
            assert one.work <= limits.work
    for packs in (teachers, students):
        assert [one.work for one in packs[: len(packs) // 2]] == sorted(
            (one.work for one in packs[: len(packs) // 2]), reverse=True
        )


@pytest.fixture(scope="module")
def everything(tmp_path_factory):
    from ruamel.yaml import YAML

    from kdtune.plan.plan import enumerate_networks
    from kdtune.spec.spec import load_spec
    from tests.conftest import SMALL

    path = tmp_path_factory.mktemp("sweep") / "small.yaml"
    with path.open("w") as file:
        YAML(typ="safe", pure=True).dump(SMALL, file)

    def make(temperatures: int, replicates: int):
        values = [1 + i for i in range(temperatures)]
        return list(enumerate_networks(load_spec(path, [f"distill.T={values}", f"replicates={replicates}"])))

    return make


@given(st.lists(st.integers(), min_size=1, max_size=50), st.integers(1, 60))
def test_even_parts(items, largest):
    parts = list(split_evenly(items, largest))
    assert [item for part in parts for item in part] == items
    assert max(map(len, parts)) <= largest
    assert max(map(len, parts)) - min(map(len, parts)) <= 1
