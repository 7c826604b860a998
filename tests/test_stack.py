"""One step of a stack against autograd; its layout, masks, precision and optimizers."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from kdtune.columns import ACCURACY
from kdtune.plan.memory_estimate import pad_to_lane
from kdtune.settings import MLP, Train
from kdtune.stacked import losses
from kdtune.stacked.architectures import build_module
from kdtune.stacked.dropout_masks import DeviceDropoutMasks, DropoutMasks
from kdtune.stacked.memory_layout import Inputs, append_ones
from kdtune.stacked.modules import StackedModules
from kdtune.stacked.optimizer import make_optimizer
from kdtune.stacked.perceptrons import StackedPerceptrons
from kdtune.stacked.threads import flush_denormals, run_on_threads
from tests.test_train import results


def draw(seed: int, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def laid_out(x: Tensor, pack: int, beyond: int = 0) -> Inputs:
    """x (1 or pack, batch, features) as stacks take it, with so many examples that do not count."""
    _, batch, features = x.shape
    rows = nn.functional.pad(x, (0, pad_to_lane(features + 1) - features, 0, beyond), value=100.0)
    rows[:, :, features] = 1
    rows[:, :, features + 1 :] = 0
    return Inputs.of(rows, features, pack, batch)


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
    masks = DropoutMasks([str(i) for i in range(members)], rates, torch.float64) if rates else None

    def drawn():
        if masks is None:
            return None
        masks.start(3)
        return [mask.clone() for mask in masks.draw(batch)]

    seeds = [seed + i for i in range(members)]
    shape = MLP(hidden=list(hidden), dropout=dropout)
    nets = [build_module(shape, [features], classes, s, torch.float64) for s in seeds]
    stacks = StackedPerceptrons(layers, seeds, dropout, torch.float64), StackedModules(nets, features, torch.float64)
    assert all(stack.masked == rates for stack in stacks)
    inputs = laid_out(x, members, beyond if isinstance(beyond, int) else pad_to_lane(batch) - batch)
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


def gradient(stack: StackedPerceptrons | StackedModules, member: int, name: str) -> Tensor:
    if isinstance(stack, StackedModules):
        return stack.gradients[name][member]
    layer, _, kind = name.partition(".")
    place = len(stack.layers) - 1 if layer == "logit" else int(layer.removeprefix("hidden_")) - 1
    own, inputs = stack._gradients[place][member], stack.layers[place][0]
    assert not own[:, inputs + 1 :].any(), "padding would be trained"
    return own[:, :inputs] if kind == "weight" else own[:, inputs]


@given(
    sizes=st.tuples(st.integers(1, 4), st.integers(1, 40), st.integers(1, 5), st.integers(1, 20)),
    share=st.booleans(),
)
def test_batches_are_slices(sizes, share):
    """Both views of each batch; columns go on to a multiple of 16."""
    members, size, count, features = sizes
    rows = count * size + pad_to_lane(size) - size
    own = [append_ones(draw(i, rows, features).numpy(), torch.float64) for i in range(1 if share else members)]
    batches = Inputs.batches(torch.stack(own), features, members, size)
    assert len(batches) == count
    for i, batch in enumerate(batches):
        assert batch.columns.shape == (members, features + 1, pad_to_lane(size))
        for member in range(members):
            expected = own[0 if share else member][i * size : (i + 1) * size]
            assert torch.equal(batch.rows[member], expected)
            assert torch.equal(batch.columns[member, :, :size], expected[:, : features + 1].T)


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
    masks = DropoutMasks(["a", "b", "c"], stack.masked, torch.float64)
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


@pytest.mark.parametrize("kind", ["numpy", "device"])
def test_masks_have_their_rate_and_are_independent(kind):
    """Of units, layers, steps, epochs and members; the same key draws the same masks."""
    rates = [(0.3, 300), (0.5, 300)]
    ids = ["one", "two"]
    masks = (
        DropoutMasks(ids, rates, torch.float32)
        if kind == "numpy"
        else DeviceDropoutMasks(ids, rates, torch.float32, "cpu")
    )

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
    accuracies = [[row[ACCURACY] for row, _ in found.values()] for found in (exact, rough)]
    assert abs(np.mean(accuracies[0]) - np.mean(accuracies[1])) < 0.05
    for (one, state), (other, low) in zip(exact.values(), rough.values(), strict=True):
        assert one["model"] == other["model"]
        assert {value.dtype for value in low.values()} == {torch.float32}
        assert not all(torch.equal(value, low[key]) for key, value in state.items())


def test_denormals_are_flushed_and_left_as_they_were():
    tiny = torch.full((), 1e-40)
    assert (tiny * 1).item() != 0
    with flush_denormals(), flush_denormals():
        assert (tiny * 1).item() == 0
    assert (tiny * 1).item() != 0


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a team of OpenMP threads does not inherit it")
def test_denormals_are_flushed_on_all_threads():
    many = torch.full((1_000_000,), 1e-40)
    torch.set_num_threads(3)  # a team that does not flush
    assert (many * 1).all()
    torch.set_num_threads(1)
    for count in (1, 2, 3):
        assert not run_on_threads(count, lambda: (many * 1).any())
        assert run_on_threads(count, torch.get_num_threads) == count
    assert torch.get_num_threads() == 1
    assert (many * 1).all()
