"""The step of a stack against autograd; its memory layout, dropout masks, precision and optimizers."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from kdtune.columns import ACCURACY
from kdtune.plan.memory_estimate import round_up_to_alignment
from kdtune.settings import MLP, Train
from kdtune.stacked import losses
from kdtune.stacked.architectures import build_module
from kdtune.stacked.dropout_masks import DeviceDropoutMasks, DropoutLayer, DropoutMasks
from kdtune.stacked.memory_layout import Inputs, append_ones
from kdtune.stacked.modules import StackedModules
from kdtune.stacked.optimizer import make_optimizer
from kdtune.stacked.perceptrons import StackedPerceptrons
from kdtune.stacked.threads import flush_denormals, run_on_threads
from tests.test_train import results


def draw(seed: int, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def lay_out(x: Tensor, n_members: int, extra_examples: int = 0) -> Inputs:
    """Return x, (1 or members, batch, features), as inputs of a stack, followed by examples that do not count."""
    _, batch, features = x.shape
    rows = nn.functional.pad(x, (0, round_up_to_alignment(features + 1) - features, 0, extra_examples), value=100.0)
    rows[:, :, features] = 1
    rows[:, :, features + 1 :] = 0
    return Inputs.from_examples(rows, features, n_members, batch)


@given(
    hidden=st.lists(st.integers(1, 9), max_size=4),
    sizes=st.tuples(st.integers(1, 4), st.integers(1, 7), st.integers(1, 8), st.integers(2, 5)),
    dropout=st.sampled_from([0.0, 0.3]),
    share=st.booleans(),
    extra_examples=st.sampled_from([0, 2, "to a multiple of 16"]),
    w=st.floats(0, 2),
    seed=st.integers(0, 1000),
)
@settings(max_examples=60, deadline=None)
def test_every_derivative_is_that_of_autograd(hidden, sizes, dropout, share, extra_examples, w, seed):
    """All parameters to 1e-10 in float64: any depth and width, own data or shared, mixed loss, dropout.

    Both kinds of stacks, from the same masks.
    """
    n_members, features, batch, classes = sizes
    layers = list(zip([features, *hidden], [*hidden, classes], strict=True))
    x = draw(seed, 1 if share else n_members, batch, features)
    T = torch.linspace(1, 7, n_members, dtype=torch.float64).view(-1, 1, 1)
    hard_weights = torch.full_like(T, w)
    targets = losses.soft_targets(draw(seed + 1, n_members, classes, batch) * 3, T)
    labels = nn.functional.one_hot(torch.arange(batch) % classes, classes).T.double().expand(n_members, -1, -1)
    dropout_layers = [DropoutLayer(dropout, units) for units in hidden] if dropout else []

    def draw_masks():
        if not dropout_layers:
            return None
        masks = DropoutMasks([str(i) for i in range(n_members)], dropout_layers, torch.float64)
        masks.start_epoch(3)
        return [mask.clone() for mask in masks.draw(batch)]

    seeds = [seed + i for i in range(n_members)]
    shape = MLP(hidden=list(hidden), dropout=dropout)
    networks = [build_module(shape, [features], classes, s, torch.float64) for s in seeds]
    stacks = (
        StackedPerceptrons(layers, seeds, dropout, torch.float64),
        StackedModules(networks, features, torch.float64),
    )
    assert all(stack.dropout_layers == dropout_layers for stack in stacks)
    if not isinstance(extra_examples, int):
        extra_examples = round_up_to_alignment(batch) - batch
    inputs = lay_out(x, n_members, extra_examples)
    weights = losses.gradient_weights(T, T**2, hard_weights, batch)
    for stack in stacks:
        z = stack.forward(inputs, draw_masks())
        stack.backward(inputs, losses.distillation_gradient(z, targets, labels, T, weights))
    for i, network in enumerate(networks):
        h = x[0 if share else i].T
        masks = draw_masks()
        linear_layers = [layer for layer in network if isinstance(layer, nn.Linear)]
        for index, layer in enumerate(linear_layers):
            h = layer.weight @ h + layer.bias[:, None]
            if index < len(linear_layers) - 1:
                h = torch.relu(h) * (masks[index][i] if masks else 1)
        member = slice(i, i + 1)
        loss = losses.distillation_loss(
            h[None], targets[member], labels[member], T[member], T[member] ** 2, hard_weights[member]
        )
        loss.sum().backward()
        for stack in stacks:
            for name, parameter in network.named_parameters():
                torch.testing.assert_close(get_gradient(stack, i, name), parameter.grad, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("masked_before", [False, True])
def test_the_gradient_without_masks_is_that_of_the_network_without_dropout(masked_before):
    """A stack with dropout whose last forward pass had no masks, though an earlier one may have had some."""
    layers, n_members, batch = [(6, 5), (5, 4), (4, 3)], 2, 7
    dropout_stack = StackedPerceptrons(layers, [1, 2], 0.3, torch.float64)
    modules = [build_module(MLP(hidden=[5, 4]), [6], 3, seed, torch.float64) for seed in (1, 2)]
    inputs, dz = lay_out(draw(0, n_members, batch, 6), n_members), draw(1, n_members, 3, batch)
    if masked_before:
        masks = DropoutMasks(["a", "b"], dropout_stack.dropout_layers, torch.float64)
        masks.start_epoch(0)
        dropout_stack.forward(inputs, masks.draw(batch))
        dropout_stack.backward(inputs, dz)
    dropout_stack.forward(inputs)
    dropout_stack.backward(inputs, dz)
    for i, module in enumerate(modules):
        module(inputs.examples_as_rows[i, :, :6]).backward(dz[i].T)
        for name, parameter in module.named_parameters():
            torch.testing.assert_close(get_gradient(dropout_stack, i, name), parameter.grad, rtol=1e-10, atol=1e-12)


def get_gradient(stack: StackedPerceptrons | StackedModules, member: int, name: str) -> Tensor:
    if isinstance(stack, StackedModules):
        return stack.gradients[name][member]
    layer, _, kind = name.partition(".")
    index = len(stack.layers) - 1 if layer == "logit" else int(layer.removeprefix("hidden_")) - 1
    gradient, inputs = stack._compute_gradient_matrices[index][member], stack.layers[index][0]
    assert not gradient[:, inputs + 1 :].any(), "padding would be trained"
    return gradient[:, :inputs] if kind == "weight" else gradient[:, inputs]


@given(
    sizes=st.tuples(st.integers(1, 4), st.integers(1, 40), st.integers(1, 5), st.integers(1, 20)),
    share=st.booleans(),
)
def test_each_batch_is_a_slice_of_the_examples(sizes, share):
    """Both views of each batch; columns run on to a multiple of 16."""
    n_members, size, n_batches, features = sizes
    n_examples = n_batches * size + round_up_to_alignment(size) - size
    examples = [
        append_ones(draw(i, n_examples, features).numpy(), torch.float64) for i in range(1 if share else n_members)
    ]
    batches = Inputs.split_into_batches(torch.stack(examples), features, n_members, size)
    assert len(batches) == n_batches
    for i, batch in enumerate(batches):
        assert batch.examples_as_columns.shape == (n_members, features + 1, round_up_to_alignment(size))
        for member in range(n_members):
            expected = examples[0 if share else member][i * size : (i + 1) * size]
            assert torch.equal(batch.examples_as_rows[member], expected)
            assert torch.equal(batch.examples_as_columns[member, :, :size], expected[:, : features + 1].T)


@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize("decay", [0.0, 0.1])
@pytest.mark.parametrize("name", ["adam", "adamw", "sgd"])
def test_optimizers_are_those_of_torch(name, decay, momentum):
    settings = Train(optimizer=name, lr=0.01, weight_decay=decay, momentum=momentum)
    parameters, expected = draw(0, 64), draw(0, 64).requires_grad_()
    gradient = torch.zeros_like(parameters)
    step = make_optimizer(parameters, gradient, settings)
    torch_optimizer: torch.optim.Optimizer = {
        "adam": lambda: torch.optim.Adam([expected], 0.01, eps=1e-7, weight_decay=decay),
        "adamw": lambda: torch.optim.AdamW([expected], 0.01, eps=1e-7, weight_decay=decay),
        "sgd": lambda: torch.optim.SGD([expected], 0.01, momentum, weight_decay=decay),
    }[name]()
    for i in range(20):
        gradient.copy_(draw(i + 1, 64))
        expected.grad = gradient.clone()
        step()
        torch_optimizer.step()
    torch.testing.assert_close(parameters, expected.detach(), rtol=1e-10, atol=1e-12)


def test_any_architecture_can_be_stacked():
    """Modules that ``StackedPerceptrons`` does not know: a convolution, a residual sum, two rates of dropout."""

    class ResidualNetwork(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.drop = nn.Conv1d(1, 3, 3, padding=1), nn.Dropout(0.5)
            self.mix, self.last_drop, self.out = nn.Linear(24, 24), nn.Dropout(0.25), nn.Linear(24, 4)

        def forward(self, x: Tensor) -> Tensor:
            h = self.drop(torch.relu(self.conv(x.unsqueeze(1)))).flatten(1)
            return self.out(self.last_drop(h + torch.tanh(self.mix(h))))

    networks = [ResidualNetwork().double() for _ in range(3)]
    stack = StackedModules(networks, 8, torch.float64)
    assert stack.dropout_layers == [(0.5, 24), (0.25, 24)]
    dropout_masks = DropoutMasks(["a", "b", "c"], stack.dropout_layers, torch.float64)
    dropout_masks.start_epoch(0)
    masks = [mask.clone() for mask in dropout_masks.draw(5)]
    x, dz = draw(0, 3, 5, 8), draw(1, 3, 4, 5)
    z = stack.forward(lay_out(x, 3), masks)
    stack.backward(lay_out(x, 3), dz)
    for i, network in enumerate(networks):
        h = torch.relu(network.conv(x[i].unsqueeze(1))) * masks[0][i].T.reshape(5, 3, 8)
        h = h.flatten(1)
        expected = network.out((h + torch.tanh(network.mix(h))) * masks[1][i].T)
        torch.testing.assert_close(z[i].T, expected.detach(), rtol=1e-10, atol=1e-12)
        expected.backward(dz[i].T)
        for name, parameter in network.named_parameters():
            torch.testing.assert_close(stack.gradients[name][i], parameter.grad, rtol=1e-10, atol=1e-12)
        with torch.no_grad():
            evaluated = stack.forward(lay_out(x, 3))[i].T
            torch.testing.assert_close(evaluated, network.eval()(x[i]), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("kind", ["numpy", "example-major", "device"])
def test_masks_have_their_rate_and_are_independent(kind):
    """Of units, layers, steps, epochs and members; the same key draws the same masks."""
    layers = [DropoutLayer(0.3, 300), DropoutLayer(0.5, 300)]
    ids = ["a", "b"]
    masks = (
        DeviceDropoutMasks(ids, layers, torch.float32, "cpu")
        if kind == "device"
        else DropoutMasks(ids, layers, torch.float32, is_example_major=kind == "example-major")
    )

    def draw_step():
        return [mask.clone() for mask in masks.draw(400)]

    masks.start_epoch(0)
    drawn_masks = draw_step() + draw_step()
    masks.start_epoch(1)
    drawn_masks += draw_step()
    masks.start_epoch(0)
    assert all(torch.equal(a, b) for a, b in zip(drawn_masks[:2], draw_step(), strict=True))
    zs = []
    for i, mask in enumerate(drawn_masks):
        rate = layers[i % 2].rate
        torch.testing.assert_close(mask.unique(), torch.tensor([0, 1 / (1 - rate)]))
        is_kept = (mask > 0).double()
        deviation = (rate * (1 - rate)) ** 0.5
        assert abs(is_kept.mean() - (1 - rate)) < 5 * deviation / is_kept.numel() ** 0.5
        z = (is_kept - (1 - rate)) / deviation
        zs += list(z)
        for axis in (0, 1):  # rates of single units and of single examples vary as a coin's do
            variance_ratio = z.mean(dim=2 - axis).var() * z.shape[2 - axis]
            assert abs(variance_ratio - 1) < 0.35
        for products in (z[:, 1:] * z[:, :-1], z[:, :, 1:] * z[:, :, :-1]):
            assert abs(products.mean()) < 5 / products.numel() ** 0.5
    for i, a in enumerate(zs):
        for b in zs[:i]:
            assert abs((a * b).mean()) < 5 / a.numel() ** 0.5


def test_bf16_learns_what_float32_learns(plan):
    """With other numbers, under other ids; parameters stay float32."""
    overrides = "train.epochs=20", "distill.T=[1, 2]"
    exact, rough = (
        {
            network.id: result
            for pack in plan(*overrides, f"train.precision={precision}").packs
            for network, result in zip(pack.networks, results(pack).values(), strict=True)
        }
        for precision in ("float32", "bf16")
    )
    assert not exact.keys() & rough.keys()
    assert exact.keys() == {n.id for n in plan(*overrides).networks}  # the default hashes as absent
    exact_accuracies, rough_accuracies = ([row[ACCURACY] for row, _ in run.values()] for run in (exact, rough))
    assert abs(np.mean(exact_accuracies) - np.mean(rough_accuracies)) < 0.05
    for (exact_row, exact_state), (rough_row, rough_state) in zip(exact.values(), rough.values(), strict=True):
        assert exact_row["model"] == rough_row["model"]
        assert {value.dtype for value in rough_state.values()} == {torch.float32}
        assert not all(torch.equal(value, rough_state[key]) for key, value in exact_state.items())


def test_denormals_are_flushed_and_then_treated_as_before():
    tiny = torch.full((), 1e-40)
    assert (tiny * 1).item() != 0
    with flush_denormals(), flush_denormals():
        assert (tiny * 1).item() == 0
    assert (tiny * 1).item() != 0


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere OpenMP threads do not inherit it")
def test_denormals_are_flushed_on_every_thread():
    denormals = torch.full((1_000_000,), 1e-40)
    torch.set_num_threads(3)  # threads that do not flush
    assert (denormals * 1).all()
    torch.set_num_threads(1)
    for n_threads in (1, 2, 3):
        assert not run_on_threads(n_threads, lambda: (denormals * 1).any())
        assert run_on_threads(n_threads, torch.get_num_threads) == n_threads
    assert torch.get_num_threads() == 1
    assert (denormals * 1).all()
