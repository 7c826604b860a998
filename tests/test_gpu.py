"""What only a CUDA device can show."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from kdtune.columns import NUM_ERROR
from kdtune.train.fit import Trainer, fit
from kdtune.train.train_pack import train_pack
from tests.separate import DIGITS, members_of, taught

needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")


@pytest.mark.gpu
@needs_gpu
def test_a_captured_step_is_the_step(plan):
    """The CUDA graph trains to what the same operations give one by one."""
    one = plan("train.epochs=4", "teacher.dropout=0.3").packs[0]
    graphs = train_pack(one, taught, keep_weights=True, device="cuda")
    members = members_of(one)
    trainer = Trainer(members, "cuda", torch.float32)
    for epoch in range(4):
        if trainer.masks:
            trainer.masks.start(epoch)
        for picked in trainer.batches.epoch(epoch):
            trainer.stretch(picked)
    for i, result in enumerate(graphs):
        for key, value in trainer.model.state(i).items():
            torch.testing.assert_close(result.weights[key], value, rtol=1e-4, atol=1e-5)


@pytest.mark.gpu
@needs_gpu
@pytest.mark.parametrize(
    "overrides",
    [
        (*DIGITS, "teacher={kind: cnn, channels: [3, 4], hidden: [6]}", "student={kind: cnn, channels: [2]}"),
        (*DIGITS, "dataset.jitter=2", "teacher={hidden: [9], dropout: 0}", "replicates={student: 2}"),
        (*DIGITS, "transfer={omit: [3]}", "distill.bias_start={3: 3.5}", "teacher={max_norm: 0.5, dropout: 0}"),
    ],
)
def test_gpu_and_cpu_take_the_same_steps(plan, overrides):
    """In float64: convolutions, jitter, transfer sets, max-norm."""
    for one in plan(*overrides, whole_packs=True).packs:
        on = {device: fit(members_of(one), device, torch.float64, steps=20)[0] for device in ("cpu", "cuda")}
        for i in range(len(one.networks)):
            expected = on["cpu"].state(i)
            for key, value in on["cuda"].state(i).items():
                torch.testing.assert_close(value, expected[key], rtol=1e-8, atol=1e-10)


@pytest.mark.gpu
@needs_gpu
def test_gpu_and_cpu_agree_in_distribution(plan):
    """Errors over replicates: the paired difference of means is within its own noise."""
    packs = plan("replicates=10", "train.epochs=20", whole_packs=True).packs
    on = {
        device: {r.network.id: r.row[NUM_ERROR] for one in packs for r in train_pack(one, taught, device=device)}
        for device in ("cpu", "cuda")
    }
    difference = np.array([on["cpu"][name] - on["cuda"][name] for name in on["cpu"]], float)
    assert abs(difference.mean()) < 5 * difference.std() / len(difference) ** 0.5 + 0.5
