"""What only a CUDA device can show."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from kdtune.columns import NUM_ERROR
from kdtune.train.fit import Trainer, fit
from kdtune.train.train_pack import train_pack
from tests import user_nets
from tests.separate import DIGITS, load_members_of, make_teacher_logits
from tests.test_user_modules import draw_batches, lay_out, make_masks, stack_up, train

needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")


@pytest.mark.gpu
@needs_gpu
def test_a_cuda_graph_gives_what_its_operations_give_one_by_one(plan):
    pack = plan("train.epochs=4", "teacher.dropout=0.3").packs[0]
    captured = train_pack(pack, make_teacher_logits, keep_weights=True, device="cuda")
    members = load_members_of(pack)
    trainer = Trainer(members, "cuda", torch.float32)
    for epoch in range(4):
        trainer.start_epoch(epoch)
        for example_indices in trainer.batches.draw_chunks(epoch):
            trainer.train_chunk(example_indices)
    for i, result in enumerate(captured):
        for key, value in trainer.model.copy_member_state(i).items():
            torch.testing.assert_close(result.weights[key], value, rtol=1e-4, atol=1e-5)


@pytest.mark.gpu
@needs_gpu
@pytest.mark.parametrize(
    "overrides",
    [
        (
            *DIGITS,
            "teacher={kind: cnn, channels: [3, 4], hidden: [6], dropout: 0}",  # masks differ between the devices
            "student={kind: cnn, channels: [2]}",
        ),
        (*DIGITS, "dataset.jitter=2", "teacher={hidden: [9], dropout: 0}", "replicates={student: 2}"),
        (*DIGITS, "transfer={omit: [3]}", "distill.bias_start={3: 3.5}", "teacher={max_norm: 0.5, dropout: 0}"),
    ],
)
def test_gpu_and_cpu_take_the_same_steps(plan, overrides):
    """In float64, over one epoch: convolutions, jitter, transfer sets, max-norm."""
    for pack in plan(*overrides, "train.epochs=1", fixed_packs=True).packs:
        on_cpu, on_gpu = (fit(load_members_of(pack), device, torch.float64).model for device in ("cpu", "cuda"))
        for i in range(len(pack.networks)):
            expected = on_cpu.copy_member_state(i)
            for key, value in on_gpu.copy_member_state(i).items():
                torch.testing.assert_close(value, expected[key], rtol=1e-8, atol=1e-10)


@pytest.mark.gpu
@needs_gpu
@pytest.mark.parametrize("factory", [*user_nets.STACKABLE, user_nets.batch_norm])
def test_modules_take_the_same_steps_on_gpu_and_cpu(factory):
    """In float64, without dropout, whose masks differ between the devices: stacked, or alone with batch norm."""
    reason = user_nets.ALONE.get(factory)
    n_members = 1 if reason else 3
    states = []
    for device in ("cpu", "cuda"):
        stack = stack_up(factory, n_members, reason, device=device)
        stack.dropout_layers.clear()
        for module in (stack.module if reason else stack.template).modules():
            if isinstance(module, nn.Dropout | nn.Dropout2d):
                module.p = 0.0
        train(stack, draw_batches())
        states.append([stack.copy_member_state(i) for i in range(n_members)])
    for on_cpu, on_gpu in zip(*states, strict=True):
        for name, values in on_cpu.items():
            torch.testing.assert_close(on_gpu[name], values, rtol=1e-8, atol=1e-10)


@pytest.mark.gpu
@needs_gpu
@pytest.mark.parametrize("factory", user_nets.STACKABLE)
def test_a_recorded_step_gives_what_its_operations_give_on_a_gpu(factory):
    """With masks that the device draws."""
    states = []
    for steps_before_recording in (1, 10**9):
        stack = stack_up(factory, 2, device="cuda")
        stack.steps_before_recording = steps_before_recording
        train(stack, draw_batches(), make_masks(stack))
        states.append(stack.flat_parameters.clone())
    torch.testing.assert_close(*states, rtol=1e-8, atol=1e-10)


@pytest.mark.gpu
@needs_gpu
@pytest.mark.parametrize("factory", [user_nets.FunctionalDropout, user_nets.batch_norm])
def test_draws_on_a_gpu_belong_to_network_and_epoch(factory):
    """And leave the generators of the process as they were."""
    states, logits = [], []
    for n_drawn in (0, 7):
        torch.rand(n_drawn, device="cuda")
        generators = torch.cuda.get_rng_state(), torch.get_rng_state()
        stack = stack_up(factory, 1, "draws its own random numbers", device="cuda")
        train(stack, draw_batches())
        after = torch.cuda.get_rng_state(), torch.get_rng_state()
        assert all(torch.equal(a, b) for a, b in zip(generators, after, strict=True))
        states.append(stack.flat_parameters.clone())
        stack.start_epoch(1)
        logits.append(stack.forward(lay_out(draw_batches(1)[0][0], 1, "cuda")).clone())
    torch.testing.assert_close(*states, rtol=1e-8, atol=1e-10)
    torch.testing.assert_close(*logits, rtol=1e-8, atol=1e-10)


@pytest.mark.gpu
@needs_gpu
def test_gpu_and_cpu_agree_in_distribution(plan):
    """Errors over replicates: the paired difference of means is within its own noise."""
    packs = plan("replicates=10", "train.epochs=20", fixed_packs=True).packs
    num_errors = {}
    for device in ("cpu", "cuda"):
        results = [result for pack in packs for result in train_pack(pack, make_teacher_logits, device=device)]
        num_errors[device] = np.array([result.row[NUM_ERROR] for result in results], float)
    difference = num_errors["cpu"] - num_errors["cuda"]
    assert abs(difference.mean()) < 5 * difference.std() / len(difference) ** 0.5 + 0.5
