"""How well networks have learned their training set: against torch's own losses, one network at a time."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.functional import cross_entropy

from kdtune.columns import BASELINE, LOGIT_STD, STUDENT, TEACHER, TRAIN_ERROR, TRAIN_LOSS, TRAIN_NUM_ERROR
from kdtune.plan.enumerate_networks import enumerate_networks
from kdtune.plan.network import make_pack
from kdtune.spec.load import load_spec
from kdtune.stacked.architectures import build_module
from kdtune.train import logits as logits_module
from kdtune.train import metrics
from kdtune.train.fit import fit
from kdtune.train.train_pack import train_pack
from kdtune.train.training_fit import _find_predictions, measure_training_fit
from tests.given_files import GIVEN, write_arrays, write_given
from tests.separate import DIGITS, load_members_of, make_teachers


def measure_separately(network, state, data, teacher_logits, teacher_net):
    """Measure one network on its training set by torch's own layers and losses, in float64."""
    module = build_module(network.shape, network.input_shape, data.n_classes, dtype=torch.float64).eval()
    module.load_state_dict(state)
    x, y = torch.from_numpy(data.x_train).double(), torch.from_numpy(data.y_train)
    with torch.no_grad():
        z = module(x)
        loss = cross_entropy(z, y)
        if network.distill:
            T = network.distill.T
            v = torch.from_numpy(teacher_logits).double() if teacher_net is None else teacher_net(x)
            soft_weight = T**2 if network.distill.scale_T2 else 1
            loss = soft_weight * cross_entropy(z / T, torch.softmax(v / T, 1)) + network.distill.hard_weight * loss
    errors = int((z.argmax(dim=1) != y).sum())
    return {
        TRAIN_NUM_ERROR: errors,
        TRAIN_ERROR: errors / len(y),
        TRAIN_LOSS: loss.item(),
        LOGIT_STD: metrics.logit_std(z.numpy()),
    }


@pytest.mark.parametrize(
    "overrides",
    [
        ("distill.hard_weight=[0, 0.7]", "distill.scale_T2=[true, false]", "replicates={student: 2}"),
        ("student.dropout=0.3", "dataset.class_sep=1"),
        (*DIGITS, "transfer={grid_search: [{keep: [7, 8]}, {}]}", "distill.hard_weight=[0, 0.7]"),
        (*DIGITS, "transfer={omit: [3]}", "distill.bias_start={3: 3.5}"),
        (*DIGITS, "dataset.jitter=[0, 2]", "teacher.hidden=[9]"),
        (*DIGITS, "student={kind: cnn, channels: [2]}", "distill.hard_weight=0.5"),
    ],
)
def test_it_is_what_torch_gives(plan, overrides, monkeypatch):
    """Of teachers, baselines and distilled students, in stacks of several sources, batch by batch."""
    monkeypatch.setattr(logits_module, "EVAL_BATCH", 256)
    packs = plan(*overrides).packs
    assert {network.model for pack in packs for network in pack.networks} == {TEACHER, BASELINE, STUDENT}
    for pack in packs:
        members = load_members_of(pack)
        model = fit(members, "cpu", torch.float64).model
        for i, measured in enumerate(measure_training_fit(model, members, "cpu")):
            network, net = pack.networks[i], members.teacher_nets and members.teacher_nets[i]
            expected = measure_separately(
                network, model.copy_member_state(i), members.data[i], members.teacher_logits[i], net
            )
            assert measured == pytest.approx(expected, rel=1e-6)


def test_rows_have_it_and_a_shift_of_biases_comes_later(plan):
    overrides = (*DIGITS, "transfer={omit: [3]}", "distill.T=[2]")
    columns = (TRAIN_NUM_ERROR, TRAIN_ERROR, TRAIN_LOSS, LOGIT_STD)
    shifted, plain = (
        [
            {name: result.row[name] for name in columns}
            for pack in plan(*overrides, *more).packs
            for result in train_pack(pack, *make_teachers(pack, torch.float32))
        ]
        for more in (("distill.bias_shift=[3]",), ())
    )
    assert shifted == plain
    assert all(0 < row[TRAIN_ERROR] < 1 and row[TRAIN_LOSS] > 0 for row in plain)


def test_numbers_that_are_not_finite_are_none_and_change_no_others(plan):
    pack = next(pack for pack in plan("distill.T=[1, 2, 5]").packs if pack.teacher_ids)
    members = load_members_of(pack)
    model = fit(members, "cpu", torch.float32).model
    calm = measure_training_fit(model, members, "cpu")
    model.logit_bias[1] = torch.tensor([torch.inf, -torch.inf, torch.nan])
    wild = measure_training_fit(model, members, "cpu")
    assert wild[1] == {TRAIN_LOSS: None, LOGIT_STD: None}
    assert [fit for i, fit in enumerate(wild) if i != 1] == [fit for i, fit in enumerate(calm) if i != 1]


def test_without_labels_there_is_a_loss_but_no_errors(plan):
    pack = next(pack for pack in plan().packs if pack.teacher_ids)
    students = make_pack([network for network in pack.networks if network.distill])
    members = load_members_of(students)
    model = fit(members, "cpu", torch.float32).model
    labelled = measure_training_fit(model, members, "cpu")
    members.data = [replace(data, has_training_labels=False) for data in members.data]
    for with_labels, without in zip(labelled, measure_training_fit(model, members, "cpu"), strict=True):
        assert without == {name: with_labels[name] for name in (TRAIN_LOSS, LOGIT_STD)}


@given(seed=st.integers(0, 2**32 - 1), n_values=st.integers(1, 4), n_classes=st.integers(2, 12))
def test_of_equal_logits_the_first_is_predicted(seed, n_values, n_classes):
    z = np.random.default_rng(seed).integers(0, n_values, (2, n_classes, 5)).astype(np.float32)
    assert np.array_equal(_find_predictions(torch.from_numpy(z)).numpy(), z.argmax(axis=1))


@pytest.mark.parametrize("is_labelled", [True, False])
def test_of_a_given_teacher_the_errors_of_its_outputs_are_known(tmp_path, is_labelled):
    arrays = write_arrays(tmp_path)
    for name in "xyz":
        np.save(tmp_path / f"val_{name}.npy", arrays[f"test_{name}"])
    dataset = {split: {"x": f"{split}_x.npy", "y": f"{split}_y.npy"} for split in ("train", "val", "test")}
    if not is_labelled:
        del dataset["train"]["y"]
    teacher = {"kind": "logits", "outputs": {**GIVEN["teacher"]["outputs"], "val": "val_z.npy"}}
    spec = load_spec(write_given(tmp_path, dataset=dataset, teacher=teacher), inputs_folder=tmp_path / "inputs")
    network = next(network for network in enumerate_networks(spec) if network.model == TEACHER)
    row = train_pack(make_pack([network]))[0].row
    errors = int((arrays["train_z"].argmax(axis=1) != arrays["train_y"]).sum())
    expected = (errors, errors / len(arrays["train_y"])) if is_labelled else (None, None)
    assert (row.get(TRAIN_NUM_ERROR), row.get(TRAIN_ERROR)) == expected
    assert row.get(TRAIN_LOSS) is None
    assert row[LOGIT_STD] == pytest.approx(metrics.logit_std(arrays["train_z"]))
