"""Training networks together, in stacks and on threads, changes no number."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from kdtune.plan.network import make_pack
from kdtune.train.batches import Batches
from kdtune.train.members import split_into_stacks
from tests.separate import DIGITS, load_members_of
from tests.test_train import results


@pytest.mark.parametrize("max_members", [1, 2, 100])
@pytest.mark.parametrize("threads", [1, 2, 3])
def test_stacks_and_threads_change_no_bit(plan, monkeypatch, threads, max_members):
    """However a pack is split into stacks for the cache, and whichever thread trains a stack."""
    packs = plan("distill.hard_weight=[0, 0.5]").packs
    expected = {pack.id: results(pack) for pack in packs}
    stack_bytes = max_members * packs[0].networks[0].training_bytes
    monkeypatch.setattr("kdtune.plan.network.STACK_BYTES", stack_bytes)
    for pack in packs:
        stacks = split_into_stacks(load_members_of(pack), threads)
        assert sum(len(members.networks) for members in stacks) == len(pack.networks)
        assert all(len(members.networks) <= threads * members.networks[0].stack_size for members in stacks)
        assert_same_numbers(results(pack, threads=threads), expected[pack.id])


def test_threads_of_large_products_change_no_bit(plan):
    """Of stacks so large that torch and the BLAS share each operation out among their threads."""
    temperatures = [1 + i / 2 for i in range(30)]
    overrides = f"distill.T={temperatures}", "student.width=[50, 61]", "teacher.hidden=[90]", "train.batch_size=100"
    for pack in plan(*overrides).packs:
        expected = results(pack)
        for threads in (2, 3):
            assert_same_numbers(results(pack, threads=threads), expected)


def assert_same_numbers(trained, expected):
    for network_id, (row, state) in trained.items():
        expected_row, expected_state = expected[network_id]
        assert row == expected_row
        assert all(torch.equal(value, expected_state[name]) for name, value in state.items())


def test_threads_change_at_most_the_last_bits_of_other_modules(plan):
    for pack in plan("student.activation=tanh", "teacher.activation=gelu", fixed_packs=True).packs:
        expected = results(pack)
        for network_id, (_, state) in results(pack, threads=2).items():
            _, expected_state = expected[network_id]
            for name, value in state.items():
                torch.testing.assert_close(value, expected_state[name], rtol=1e-3, atol=1e-4)


def test_members_of_several_cells_learn_from_their_own_data(plan):
    """A pack over cells: x, targets and labels of each member are those that it has alone."""
    pack = next(p for p in plan("distill.hard_weight=[0, 0.5]").packs if len(p.teacher_ids) == 2)
    batches = Batches(load_members_of(pack), "cpu", torch.float64, torch.float64)
    stack_batches = list(batches.lay_out(next(batches.draw_chunks(1))))
    for i, network in enumerate(pack.networks):
        batches = Batches(load_members_of(make_pack([network])), "cpu", torch.float64, torch.float64)
        member_batches = batches.lay_out(next(batches.draw_chunks(1)))
        for stack_batch, member_batch in zip(stack_batches, member_batches, strict=False):
            rows, expected_rows = stack_batch.x.examples_as_rows[i], member_batch.x.examples_as_rows[0]
            columns = stack_batch.x.examples_as_columns[i]  # (features + 1, columns)
            assert torch.equal(rows, expected_rows)
            assert torch.equal(columns[:, : len(rows)], expected_rows[:, : len(columns)].T)
            assert torch.equal(stack_batch.targets[i], member_batch.targets[0])
            if member_batch.labels is not None:
                assert torch.equal(stack_batch.labels[i], member_batch.labels[0])


def test_every_epoch_takes_each_example_once(plan):
    batches = Batches(load_members_of(plan().packs[0]), "cpu", torch.float32, torch.float32)
    batches.chunk_steps = 3
    for epoch in (0, 1):
        example_indices = torch.cat(list(batches.draw_chunks(epoch)), dim=1)
        for source_indices in example_indices:
            assert sorted(source_indices.tolist()) == list(range(batches.n_train))


@pytest.mark.parametrize("overrides", [(), (*DIGITS, "dataset.jitter=1")])
def test_a_distilled_member_without_its_teacher_is_refused(plan, overrides):
    """Whether that is logits, or a module because images are shifted; else it would learn uniform targets."""
    pack = next(pack for pack in plan(*overrides).packs if pack.teacher_ids)
    members = load_members_of(pack)
    nothing = [None] * len(pack.networks)
    for teacher_nets in (None, members.teacher_nets and nothing):
        incomplete = replace(members, teacher_logits=nothing, teacher_nets=teacher_nets)
        with pytest.raises(AssertionError, match="teacher"):
            Batches(incomplete, "cpu", torch.float32, torch.float32)


def test_modules_of_teachers_are_refused_if_no_image_is_shifted(plan):
    """They would be ignored, or asked for targets that the stored logits already are."""
    pack = next(pack for pack in plan().packs if pack.teacher_ids)
    members = replace(load_members_of(pack), teacher_nets=[torch.nn.Identity()] * len(pack.networks))
    with pytest.raises(AssertionError, match="jitter"):
        Batches(members, "cpu", torch.float32, torch.float32)
