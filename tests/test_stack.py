"""One step of a stack against autograd; its parts, masks, precision and optimizers."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from kdtune import losses, modules
from kdtune import table as t
from kdtune.batches import Batches
from kdtune.fit import Trainer, cut
from kdtune.layout import Inputs
from kdtune.masks import DeviceMasks, Masks
from kdtune.models import StackedMLP
from kdtune.modules import StackedModules
from kdtune.network import pack
from kdtune.optimizer import make_optimizer
from kdtune.packing import Limits, even, student_packs, teacher_packs
from kdtune.settings import Train
from kdtune.sizes import padded
from kdtune.train import denormals_flushed, train_pack
from tests.test_train import members_of, results, taught


def draw(seed: int, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def laid_out(x: Tensor, pack: int, beyond: int = 0) -> Inputs:
    """x (1 or pack, batch, features) as stacks take it, with so many examples that do not count."""
    _, batch, features = x.shape
    rows = nn.functional.pad(x, (0, padded(features + 1) - features, 0, beyond), value=100.0)
    rows[:, :, features] = 1
    rows[:, :, features + 1 :] = 0
    found = Inputs.of(rows, features, pack)
    return Inputs(found.rows[:, :batch], found.columns)


@given(
    hidden=st.lists(st.integers(1, 9), max_size=4),
    sizes=st.tuples(st.integers(1, 4), st.integers(1, 7), st.integers(1, 8), st.integers(2, 5)),
    dropout=st.sampled_from([0.0, 0.3]),
    share=st.booleans(),
    beyond=st.sampled_from([0, 2, "a multiple of 16"]),
    w=st.floats(0, 2),
    seed=st.integers(0, 1000),
)
@settings(max_examples=60, deadline=None)
def test_every_derivative_is_autograds(hidden, sizes, dropout, share, beyond, w, seed):
    """All parameters to 1e-10 in float64: any depth and width, own data or shared, mixed loss, dropout.

    Both ways of stacking, the one written out and the general one, from the same masks.
    """
    members, features, batch, classes = sizes
    layers = list(zip([features, *hidden], [*hidden, classes], strict=True))
    x = draw(seed, 1 if share else members, batch, features)
    T = torch.linspace(1, 7, members, dtype=torch.float64).view(-1, 1, 1)
    weights = torch.full_like(T, w)
    targets = losses.soft_targets(draw(seed + 1, members, classes, batch) * 3, T)
    labels = nn.functional.one_hot(torch.arange(batch) % classes, classes).T.double().expand(members, -1, -1)
    rates = [(dropout, units) for units in hidden] if dropout else []
    masks = Masks([str(i) for i in range(members)], rates, torch.float64) if rates else None

    def drawn():
        if masks is None:
            return None
        masks.start(3)
        return [mask.clone() for mask in masks.draw(batch)]

    seeds = [seed + i for i in range(members)]
    nets = [modules.mlp(layers, dropout, seed=s, dtype=torch.float64) for s in seeds]
    stacks = StackedMLP(layers, seeds, dropout, torch.float64), StackedModules(nets, features, torch.float64)
    assert all(stack.masked == rates for stack in stacks)
    inputs = laid_out(x, members, beyond if isinstance(beyond, int) else padded(batch) - batch)
    of_terms = losses.gradient_weights(T, T**2, weights, batch)
    for stack in stacks:
        z = stack.forward(inputs, drawn())
        stack.backward(inputs, losses.distillation_gradient(z, targets, labels, T, of_terms))
    for i, net in enumerate(nets):
        h = x[0 if share else i].T
        own = drawn()
        linear = [part for part in net if isinstance(part, nn.Linear)]
        for place, part in enumerate(linear):
            h = part.weight @ h + part.bias[:, None]
            if place < len(linear) - 1:
                h = torch.relu(h) * (own[place][i] if own else 1)
        loss = losses.distillation_loss(
            h[None], targets[i : i + 1], labels[i : i + 1], T[i : i + 1], T[i : i + 1] ** 2, weights[i : i + 1]
        )
        loss.sum().backward()
        for stack in stacks:
            for name, parameter in net.named_parameters():
                torch.testing.assert_close(gradient(stack, i, name), parameter.grad, rtol=1e-10, atol=1e-12)


def gradient(stack: StackedMLP | StackedModules, member: int, name: str) -> Tensor:
    if isinstance(stack, StackedModules):
        return stack.gradients[name][member]
    layer, _, kind = name.partition(".")
    place = len(stack.layers) - 1 if layer == "logit" else int(layer.removeprefix("hidden_")) - 1
    own, inputs = stack._gradients[place][member], stack.layers[place][0]
    assert not own[:, inputs + 1 :].any(), "padding would be trained"
    return own[:, :inputs] if kind == "weight" else own[:, inputs]


@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize("decay", [0.0, 0.1])
@pytest.mark.parametrize("name", ["adam", "adamw", "sgd"])
def test_optimizers_are_torchs(name, decay, momentum):
    settings = Train(optimizer=name, lr=0.01, weight_decay=decay, momentum=momentum)
    flat, own = draw(0, 64), draw(0, 64).requires_grad_()
    slope = torch.zeros_like(flat)
    step = make_optimizer(flat, slope, settings)
    other: torch.optim.Optimizer = {
        "adam": lambda: torch.optim.Adam([own], 0.01, eps=1e-7, weight_decay=decay),
        "adamw": lambda: torch.optim.AdamW([own], 0.01, eps=1e-7, weight_decay=decay),
        "sgd": lambda: torch.optim.SGD([own], 0.01, momentum, weight_decay=decay),
    }[name]()
    for i in range(20):
        slope.copy_(draw(i + 1, 64))
        own.grad = slope.clone()
        step()
        other.step()
    torch.testing.assert_close(flat, own.detach(), rtol=1e-10, atol=1e-12)


def test_an_architecture_of_ones_own_is_stacked():
    """Modules that the written-out step does not know: a convolution, a residual sum, two kinds of dropout rate."""

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.drop = nn.Conv1d(1, 3, 3, padding=1), nn.Dropout(0.5)
            self.mix, self.last, self.out = nn.Linear(24, 24), nn.Dropout(0.25), nn.Linear(24, 4)

        def forward(self, x: Tensor) -> Tensor:
            h = self.drop(torch.relu(self.conv(x.unsqueeze(1)))).flatten(1)
            return self.out(self.last(h + torch.tanh(self.mix(h))))

    nets = [Net().double() for _ in range(3)]
    stack = StackedModules(nets, 8, torch.float64)
    assert stack.masked == [(0.5, 24), (0.25, 24)]
    masks = Masks(["a", "b", "c"], stack.masked, torch.float64)
    masks.start(0)
    drawn = [mask.clone() for mask in masks.draw(5)]
    x, dz = draw(0, 3, 5, 8), draw(1, 3, 4, 5)
    z = stack.forward(laid_out(x, 3), drawn)
    stack.backward(laid_out(x, 3), dz)
    for i, net in enumerate(nets):
        h = torch.relu(net.conv(x[i].unsqueeze(1))) * drawn[0][i].T.reshape(5, 3, 8)
        h = h.flatten(1)
        expected = net.out((h + torch.tanh(net.mix(h))) * drawn[1][i].T)
        torch.testing.assert_close(z[i].T, expected.detach(), rtol=1e-10, atol=1e-12)
        expected.backward(dz[i].T)
        for name, parameter in net.named_parameters():
            torch.testing.assert_close(stack.gradients[name][i], parameter.grad, rtol=1e-10, atol=1e-12)
        with torch.no_grad():
            torch.testing.assert_close(stack.forward(laid_out(x, 3))[i].T, net.eval()(x[i]), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("most", [1, 2, 100])
@pytest.mark.parametrize("threads", [1, 2, 3])
def test_parts_and_threads_change_no_bit(plan, monkeypatch, threads, most):
    """However a pack is cut for the cache, and whichever thread trains a part."""
    packs = plan("distill.hard_weight=[0, 0.5]").packs
    whole = {one.id: results(one) for one in packs}
    monkeypatch.setattr("kdtune.network.STACK_BYTES", most * packs[0].networks[0].footprint)
    for one in packs:
        parts = cut(members_of(one), threads)
        assert sum(len(part.networks) for part in parts) == len(one.networks)
        assert len(parts) >= min(threads, len(one.networks))
        for name, (row, state) in results(one, threads=threads).items():
            assert row == whole[one.id][name][0]
            assert all(torch.equal(value, whole[one.id][name][1][key]) for key, value in state.items())


def test_threads_change_no_bit_of_other_modules(plan):
    for one in plan("student.activation=tanh", "teacher.activation=gelu", whole_packs=True).packs:
        alone, threaded = results(one), results(one, threads=2)
        for name, (row, state) in threaded.items():
            assert row == alone[name][0]
            assert all(torch.equal(value, alone[name][1][key]) for key, value in state.items())


def test_members_of_several_cells_learn_from_their_own(plan):
    """A pack over cells: x, targets and labels of each member are those it has alone."""
    one = next(p for p in plan("distill.hard_weight=[0, 0.5]").packs if len(p.teachers) == 2)
    together = Batches(members_of(one), "cpu", torch.float64, torch.float64)
    laid = list(together.lay_out(next(together.epoch(1))))
    for i, network in enumerate(one.networks):
        alone = Batches(members_of(pack([network])), "cpu", torch.float64, torch.float64)
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
        for source, offset in zip(picked, batches.offsets, strict=True):
            assert sorted((source - offset).tolist()) == list(range(batches.n_train))


@pytest.mark.parametrize("kind", ["numpy", "device"])
def test_masks_have_their_rate_and_are_independent(kind):
    """Of units, layers, steps, epochs and members; the same key draws the same masks."""
    rates = [(0.3, 300), (0.5, 300)]
    ids = ["one", "two"]
    masks = Masks(ids, rates, torch.float32) if kind == "numpy" else DeviceMasks(ids, rates, torch.float32, "cpu")

    def step():
        return [mask.clone() for mask in masks.draw(400)]

    masks.start(0)
    drawn = step() + step()
    masks.start(1)
    drawn += step()
    masks.start(0)
    assert all(torch.equal(a, b) for a, b in zip(drawn[:2], step(), strict=True))
    zs = []
    for i, mask in enumerate(drawn):
        rate = rates[i % 2][0]
        torch.testing.assert_close(mask.unique(), torch.tensor([0, 1 / (1 - rate)]))
        kept = (mask > 0).double()
        deviation = (rate * (1 - rate)) ** 0.5
        assert abs(kept.mean() - (1 - rate)) < 5 * deviation / kept.numel() ** 0.5
        z = (kept - (1 - rate)) / deviation
        zs += list(z)
        for axis in (0, 1):  # rates of single units and of single examples vary as a coin's do
            spread = z.mean(dim=2 - axis).var() * z.shape[2 - axis]
            assert abs(spread - 1) < 0.35
        for shifted in (z[:, 1:] * z[:, :-1], z[:, :, 1:] * z[:, :, :-1]):
            assert abs(shifted.mean()) < 5 / shifted.numel() ** 0.5
    for i, a in enumerate(zs):
        for b in zs[:i]:
            assert abs((a * b).mean()) < 5 / a.numel() ** 0.5


def test_bf16_learns_what_float32_learns(plan):
    """With other numbers, under other ids; parameters stay float32."""
    overrides = "train.epochs=20", "distill.T=[1, 2]"
    exact, rough = (
        {
            n.id: r
            for one in plan(*overrides, f"train.precision={p}").packs
            for n, r in zip(one.networks, results(one).values(), strict=True)
        }
        for p in ("float32", "bf16")
    )
    assert not exact.keys() & rough.keys()
    assert exact.keys() == {n.id for n in plan(*overrides).networks}  # the default hashes as absent
    accuracies = [[row[t.ACCURACY] for row, _ in found.values()] for found in (exact, rough)]
    assert abs(np.mean(accuracies[0]) - np.mean(accuracies[1])) < 0.05
    for (one, state), (other, low) in zip(exact.values(), rough.values(), strict=True):
        assert one["model"] == other["model"]
        assert {value.dtype for value in low.values()} == {torch.float32}
        assert not all(torch.equal(value, low[key]) for key, value in state.items())


def test_denormals_are_flushed_and_left_as_they_were():
    tiny = torch.full((), 1e-40)
    assert (tiny * 1).item() != 0
    with denormals_flushed(), denormals_flushed():
        assert (tiny * 1).item() == 0
    assert (tiny * 1).item() != 0


@given(
    counts=st.tuples(st.integers(1, 4), st.integers(1, 3)),
    workers=st.integers(1, 4),
    limits=st.builds(Limits, networks=st.integers(1, 30), work=st.sampled_from([0.0, 1e7, 4e10])),
)
@settings(max_examples=40, deadline=None)
def test_packs_divide_among_the_workers(everything, counts, workers, limits):
    temperatures, replicates = counts
    networks = everything(temperatures, replicates)
    teachers = teacher_packs([n for n in networks if n.model == t.TEACHER], workers, limits, stacked=True)
    students = student_packs([n for n in networks if n.model != t.TEACHER], teachers, workers, limits)
    trained = Counter(n.id for one in (*teachers, *students) for n in one.networks)
    assert trained == Counter(n.id for n in networks)
    assert all(len(one.networks) <= limits.networks for one in (*teachers, *students))
    home = {n.id: one.id for one in teachers for n in one.networks}
    for one in students:
        assert len({home[name] for name in one.teachers}) <= 1
        if len({n.data.id for n in one.networks}) > 1:  # cells share a pack only while it is small
            assert one.work <= limits.work
    for packs in (teachers, students):
        assert [one.work for one in packs[: len(packs) // 2]] == sorted(
            (one.work for one in packs[: len(packs) // 2]), reverse=True
        )


@pytest.fixture(scope="module")
def everything(tmp_path_factory):
    from ruamel.yaml import YAML

    from kdtune.plan import all_networks
    from kdtune.spec import load
    from tests.conftest import SMALL

    path = tmp_path_factory.mktemp("sweep") / "small.yaml"
    with path.open("w") as file:
        YAML(typ="safe", pure=True).dump(SMALL, file)

    def make(temperatures: int, replicates: int):
        values = [1 + i for i in range(temperatures)]
        return list(all_networks(load(path, [f"distill.T={values}", f"replicates={replicates}"])))

    return make


@given(st.lists(st.integers(), min_size=1, max_size=50), st.integers(1, 60))
def test_even_parts(items, largest):
    parts = list(even(items, largest))
    assert [item for part in parts for item in part] == items
    assert max(map(len, parts)) <= largest
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


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
def test_gpu_and_cpu_agree_in_distribution(plan):
    """Errors over replicates: the paired difference of means is within its own noise."""
    packs = plan("replicates=10", "train.epochs=20", whole_packs=True).packs
    on = {
        device: {r.network.id: r.row[t.NUM_ERROR] for one in packs for r in train_pack(one, taught, device=device)}
        for device in ("cpu", "cuda")
    }
    difference = np.array([on["cpu"][name] - on["cuda"][name] for name in on["cpu"]], float)
    assert abs(difference.mean()) < 5 * difference.std() / len(difference) ** 0.5 + 0.5
