"""Stacked training against training by autograd, one network at a time."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from kdtune.columns import (
    BASELINE,
    CONFUSION,
    DIVERGED,
    ERROR,
    FAILED,
    LEARNING_CURVE,
    MODEL,
    NUM_ERROR,
    RUN_COLUMNS,
    STATUS,
    STUDENT,
    TEACHER,
    VAL_NLL,
    VAL_NUM_ERROR,
)
from kdtune.data.load import load_data
from kdtune.plan.network import Pack, make_pack
from kdtune.stacked import losses
from kdtune.stacked import perceptrons as models
from kdtune.stacked.architectures import build_module
from kdtune.train import train_pack as train
from kdtune.train.fit import fit
from tests.separate import DIGITS, load_members_of, make_teacher_logits, make_teachers, train_separately

MIN_STEPS = 50


@pytest.mark.parametrize(
    "overrides",
    [
        (),
        ("train.optimizer=adamw",),
        ("train.optimizer=sgd", "train.momentum=0.9", "train.lr=0.01"),
        ("distill.hard_weight=[0, 0.7]", "distill.scale_T2=[true, false]"),
        ("student.dropout=0.3", "train.weight_decay=0.1"),
        ("student={hidden: {grid_search: [[], [5, 9, 4]]}}", "teacher={hidden: [6]}"),
        ("teacher={hidden: []}",),
        ("student.activation=tanh", "teacher.activation=gelu", "distill.hard_weight=[0, 0.7]"),
        ("teacher.init_std=0.3", "teacher.max_norm=0.9", "student.max_norm=0.5"),
        ("teacher={activation: silu, max_norm: 0.5}", "student.activation=tanh"),
        (*DIGITS, "teacher={kind: cnn, channels: [3, 4], pool: [2, 3], dropout: 0.3, hidden: [6]}"),
        (*DIGITS, "student={kind: cnn, channels: [2], kernel: {grid_search: [1, 5]}}", "distill.hard_weight=0.5"),
        (*DIGITS, "teacher={grid_search: [{kind: cnn, channels: [2]}, {hidden: [7]}]}", "replicates={teacher: 2}"),
        (*DIGITS, "transfer={omit: [3]}", "distill.bias_start={3: 3.5}"),
        (
            *DIGITS,
            "transfer={grid_search: [{keep: [7, 8]}, {}]}",
            "distill.hard_weight=[0, 0.7]",
            "train.batch_size=32",
        ),
        (*DIGITS, "dataset.jitter=[0, 2]", "teacher.hidden=[9]", "replicates={student: 2}"),
        (*DIGITS, "dataset.jitter=1", "transfer={omit: [1]}", "teacher={kind: cnn, channels: [2], dropout: 0.2}"),
    ],
)
def test_stacked_equals_separate(plan, overrides):
    """To 1e-9 in float64 over 50 steps or more: teachers with dropout, baselines and distilled students."""
    packs = plan(*overrides, "train.epochs=12").packs
    assert {n.model for one in packs for n in one.networks} == {TEACHER, BASELINE, STUDENT}
    for one in packs:
        members = load_members_of(one)
        fitted = fit(members, "cpu", torch.float64, should_stop=lambda steps: steps >= MIN_STEPS)
        for i, network in enumerate(one.networks):
            net = members.teacher_nets and members.teacher_nets[i]
            expected = train_separately(network, members.data[i], members.teacher_logits[i], net, fitted.steps)
            for name, value in fitted.model.copy_member_state(i).items():
                torch.testing.assert_close(value, expected[name], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("batch_size", [37, 100, 5])
@pytest.mark.parametrize("width", [1, 7, 50])
def test_numbers_do_not_depend_on_the_pack(plan, batch_size, width):
    """To the bit, in float32: every network alone, in pairs and all together."""
    overrides = (f"train.batch_size={batch_size}", f"student.width={width}", "distill.hard_weight=[0, 0.5]")
    for one in plan(*overrides, workers=1).packs:
        together = results(one)
        for size in (1, 2, 3):
            for begin in range(0, len(one.networks), size):
                part = make_pack(one.networks[begin : begin + size])
                for name, (row, state) in results(part).items():
                    assert row == together[name][0]
                    for key, value in state.items():
                        assert torch.equal(value, together[name][1][key]), (name, key, size)


@pytest.mark.parametrize(
    "overrides",
    [
        ("teacher={hidden: [40, 30], max_norm: 0.5, init_std: 0.1, dropout: 0.5}", "distill.bias_shift=[0]"),
        (
            *DIGITS,
            "transfer={omit: [3]}",
            "distill.bias_start={grid_search: [{3: 3.5}, {3: 1}]}",
            "replicates={student: 2}",
        ),
        (*DIGITS, "teacher={grid_search: [{hidden: [7]}, {hidden: [8]}]}", "replicates={teacher: 2}"),
        (*DIGITS, "student={kind: cnn, channels: [2]}", "teacher={kind: cnn, channels: [2], dropout: 0.3}"),
        (*DIGITS, "dataset.jitter=1", "distill.T=[2]", "replicates={student: 2}", "student={kind: cnn, channels: [2]}"),
    ],
)
def test_nor_do_those_of_other_networks_and_data(plan, overrides):
    """To the bit: networks that are exact or trained alone, in packs of their own and all together."""
    for one in plan(*overrides, workers=1).packs:
        together = results(one)
        for network in one.networks:
            row, state = results(make_pack([network]))[network.id]
            assert row == together[network.id][0]
            assert all(torch.equal(value, together[network.id][1][key]) for key, value in state.items())


def test_recording_changes_no_bit_and_no_id(plan):
    plain, recorded = (plan(*DIGITS, *more) for more in ((), ("train.eval_every=2", "train.epochs=2")))
    for one, other in zip(plain.packs, recorded.packs, strict=True):
        assert one.id == other.id
        with_curves = results(other)
        for name, (row, state) in results(one).items():
            own, own_state = with_curves[name]
            (point,) = own.pop(LEARNING_CURVE)
            assert own == row
            assert all(torch.equal(value, own_state[key]) for key, value in state.items())
            assert point["epoch"] == 2
            assert (point["val_loss"], point["val_num_error"]) == (row[VAL_NLL], row[VAL_NUM_ERROR])


def test_epochs_that_are_recorded(plan):
    one = plan(*DIGITS, "train.epochs=5", "train.eval_every=2", "teacher.train.eval_every=0").packs
    curves = {name: row.get(LEARNING_CURVE) for p in one for name, (row, _) in results(p).items()}
    for network in (n for p in one for n in p.networks):
        found = curves[network.id]
        assert found is None if network.model == TEACHER else [point["epoch"] for point in found] == [2, 4, 5]


def test_a_shift_is_in_the_row_and_in_the_weights(plan):
    """The row is that of the network that did not shift, after the shift; the weights give the errors of the row."""
    overrides = (*DIGITS, "transfer={omit: [3]}", "distill.T=[2]", "train.epochs=6")
    shifted, plain = (
        next(p for p in plan(*overrides, *more).packs if p.teacher_ids) for more in (("distill.bias_shift=[3]",), ())
    )
    (row, state), (before, weights) = (
        next(r for r in results(p).values() if r[0][MODEL] == STUDENT) for p in (shifted, plain)
    )
    assert row["unshifted_num_error"] == before[NUM_ERROR] > row[NUM_ERROR]
    assert row["unshifted_val_num_error"] == before[VAL_NUM_ERROR] > row[VAL_NUM_ERROR]
    difference = state["logit.bias"] - weights["logit.bias"]
    torch.testing.assert_close(difference[3].item(), row["bias_shifted_by"], rtol=1e-5, atol=0)
    assert difference.count_nonzero() == 1
    network = shifted.networks[-1]
    net = build_module(network.shape, network.input_shape, 10)
    net.load_state_dict(state)
    data = load_data(network.data)
    wrong = net(torch.from_numpy(data.x_test)).argmax(dim=1).numpy() != data.y_test
    assert wrong.sum() == row[NUM_ERROR]
    matrix = np.array(row[CONFUSION]).reshape(10, 10)
    assert matrix.sum() - matrix.trace() == row[NUM_ERROR]
    assert matrix[3].sum() - matrix[3, 3] == wrong[data.y_test == 3].sum()


def results(one: Pack, **options):
    return {
        r.network.id: ({k: v for k, v in r.row.items() if k not in RUN_COLUMNS}, r.weights)
        for r in train.train_pack(one, *make_teachers(one, torch.float32), keep_weights=True, **options)
    }


def test_a_member_that_diverges_changes_no_bit_of_the_others(plan):
    one = next(p for p in plan("train.optimizer=sgd", "distill.T=[1, 2, 5]").packs if p.teacher_ids)
    wild = replace(one.networks[1], distill=one.networks[1].distill.model_copy(update={"hard_weight": 1e38}))
    calm = results(one)
    pack = make_pack([one.networks[0], wild, *one.networks[2:]])
    broken = train.train_pack(pack, make_teacher_logits, keep_weights=True)
    assert broken[1].row[STATUS] == FAILED
    assert broken[1].row[ERROR].startswith(DIVERGED)
    assert NUM_ERROR not in broken[1].row
    for i in (0, *range(2, len(one.networks))):
        row, state = calm[one.networks[i].id]
        assert {k: v for k, v in broken[i].row.items() if k not in RUN_COLUMNS} == row
        assert all(torch.equal(value, state[key]) for key, value in broken[i].weights.items())


def test_students_of_one_shape_share_initial_weights_and_order(plan):
    networks = [n for n in plan("dataset.class_sep=[1]", "replicates=2").networks if n.model != TEACHER]
    for replicate in (0, 1):
        own = [n for n in networks if n.replicate == replicate]
        assert len({n.order_seed for n in own}) == 1
        for width in (3, 7):
            assert len({n.weights_seed for n in own if n.shape.width == width}) == 1
        assert len({n.weights_seed for n in own}) == 2
    assert len({n.order_seed for n in networks}) == 2


@given(seed=st.integers(0, 10_000), T=st.floats(0.3, 30), w=st.floats(0, 3), scale=st.booleans())
@settings(max_examples=50, deadline=None)
def test_gradient_is_that_of_the_loss(seed, T, w, scale):
    """Against autograd, to 1e-10; the factor T^2 stands at hard_weight 0 too."""
    random = torch.Generator().manual_seed(seed)
    z = torch.randn(2, 4, 6, generator=random, dtype=torch.float64, requires_grad=True)
    v = torch.randn(4, 6, generator=random, dtype=torch.float64) * 4
    labels = nn.functional.one_hot(torch.randint(0, 4, (6,), generator=random), 4).T.double()
    Ts = torch.tensor([T, 2 * T], dtype=torch.float64).view(2, 1, 1)
    a = Ts**2 if scale else torch.ones_like(Ts)
    ws = torch.tensor([w, 0.0], dtype=torch.float64).view(2, 1, 1)
    q = losses.soft_targets(v, Ts)
    torch.testing.assert_close(q.sum(dim=1), torch.ones(2, 6, dtype=torch.float64))
    loss = losses.distillation_loss(z, q, labels, Ts, a, ws)
    (expected,) = torch.autograd.grad(loss.sum(), z)
    found = losses.distillation_gradient(z.detach(), q, labels, Ts, losses.gradient_weights(Ts, a, ws, z.shape[2]))
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-12)
    bare, plain = (
        losses.distillation_gradient(z.detach(), q, None, Ts, losses.gradient_weights(Ts, weight, 0 * ws, z.shape[2]))
        for weight in (a, torch.ones_like(a))
    )
    torch.testing.assert_close(bare, a * plain, rtol=1e-12, atol=0)


def test_high_temperature_matches_logits():
    """Section 2.1 of the paper: with zero-mean logits the gradient tends to (z - v) / (N C) as T grows."""
    random = torch.Generator().manual_seed(0)
    z, v = (torch.randn(1, 10, 8, generator=random, dtype=torch.float64) for _ in range(2))
    z, v = z - z.mean(dim=1, keepdim=True), v - v.mean(dim=1, keepdim=True)
    T = torch.full((1, 1, 1), 1e4, dtype=torch.float64)
    weights = losses.gradient_weights(T, T**2, torch.zeros(1, 1, 1), 8)
    found = losses.distillation_gradient(z, losses.soft_targets(v, T), None, T, weights)
    torch.testing.assert_close(found, (z - v) / 10 / 8, rtol=1e-3, atol=1e-6)


def test_the_teacher_is_evaluated_without_dropout_and_left_alone(plan):
    """Its logits are those of the loaded module in evaluation mode; distilling changes none of them."""
    p = plan()
    teacher = next(r for r in train.train_pack(p.packs[0]))
    net = build_module(teacher.network.shape, teacher.network.input_shape, teacher.network.data.settings.n_classes)
    net.load_state_dict(teacher.weights)
    data = load_data(teacher.network.data)
    expected = net.eval()(torch.from_numpy(data.x_test)).detach()
    torch.testing.assert_close(torch.from_numpy(teacher.logits["test"]), expected, rtol=1e-4, atol=1e-5)
    before = teacher.logits["train"].copy()
    students = next(one for one in p.packs if teacher.network.id in one.teacher_ids)
    train.train_pack(students, lambda _: teacher.logits["train"])
    assert np.array_equal(before, teacher.logits["train"])


def test_glorot_uniform_and_zero_biases():
    stack = models.StackedPerceptrons([(400, 300), (300, 10)], [1, 2])
    for (inputs, outputs), matrix in zip(stack.layers, stack.matrices, strict=True):
        weight, bias = matrix[:, :, :-1], matrix[:, :, -1]
        limit = (6 / (inputs + outputs)) ** 0.5
        assert weight.abs().max() <= limit
        assert abs(weight.std() - limit / 3**0.5) < 0.02 * limit
        assert not bias.any()
    assert not torch.equal(stack.matrices[0][0], stack.matrices[0][1])
