"""Modules of the user's: built, probed, stacked and alone, against training one at a time by PyTorch itself."""

from __future__ import annotations

import importlib.util
import json
import math
import random
import re
from dataclasses import asdict

import numpy as np
import pytest
import torch
from torch import nn

from kdtune.plan.identity import derive_seed
from kdtune.plan.memory_estimate import round_up_to_alignment
from kdtune.settings import Train
from kdtune.stacked.dropout_masks import DeviceDropoutMasks, DropoutMasks
from kdtune.stacked.lone_module import LoneModule
from kdtune.stacked.memory_layout import Inputs
from kdtune.stacked.modules import StackedModules
from kdtune.stacked.optimizer import make_optimizer
from kdtune.stacked.probe import measure_trained_module, probe_module
from kdtune.stacked.user_modules import build_user_module
from kdtune.stacked.user_stack import build_user_stack
from tests import refused_nets, user_nets

SHAPE, N_CLASSES, N_FEATURES = (3, 8, 8), 4, 192
IDS = ["a", "b", "c"]


def build(factory, seed=0, dtype=torch.float64, **args):
    return build_user_module(factory, args, SHAPE, N_CLASSES, seed, dtype)


def stack_up(factory, n_members=3, reason=None, dtype=torch.float64, precision=None, device="cpu"):
    modules = [build(factory, seed, dtype) for seed in range(n_members)]
    return build_user_stack(modules, SHAPE, reason, IDS[:n_members], N_FEATURES, dtype, device, precision or dtype)


def lay_out(x, n_members, device="cpu"):
    """Lay out x, (1 or members, batch, *shape of an example)."""
    rows = x.flatten(2).to(device)
    padding = round_up_to_alignment(N_FEATURES + 1) - N_FEATURES
    return Inputs.from_examples(nn.functional.pad(rows, (0, padding), value=7.0), N_FEATURES, n_members, x.shape[1])


def draw_batches(n_steps=14, n_sources=1, dtype=torch.float64):
    """Draw the examples and targets of each step; every third batch is smaller."""
    generator = torch.Generator().manual_seed(5)
    sizes = [4 if step % 3 == 2 else 6 for step in range(n_steps)]
    return [
        (
            torch.randn(n_sources, size, *SHAPE, generator=generator, dtype=dtype),
            torch.randint(N_CLASSES, (size,), generator=generator),
        )
        for size in sizes
    ]


def find_logit_gradient(z, y):
    """Return the gradient of the mean cross-entropy, (members, classes, batch)."""
    return (torch.softmax(z, dim=1) - nn.functional.one_hot(y, N_CLASSES).T) / len(y)


def train(stack, batches, masks=None):
    """Train a stack by Adam, as ``Trainer`` does."""
    take_optimizer_step = make_optimizer(stack.flat_parameters, stack.flat_gradient, Train(lr=0.01))
    stack.start_epoch(0)
    if masks:
        masks.start_epoch(0)
    for x, y in batches:
        inputs = lay_out(x.to(stack.precision), stack.n_members, stack.flat_parameters.device)
        z = stack.forward(inputs, masks.draw(len(y)) if masks else None)
        stack.backward(inputs, find_logit_gradient(z, y.to(z.device)))
        take_optimizer_step()


def make_masks(stack):
    if not stack.dropout_layers:
        return None
    ids, layers, device = IDS[: stack.n_members], stack.dropout_layers, stack.flat_parameters.device.type
    if device != "cpu":
        return DeviceDropoutMasks(ids, layers, stack.precision, device)
    return DropoutMasks(ids, layers, stack.precision, stack.is_example_major)


def train_by_torch(module, batches, member=0):
    """Train a module by an ordinary loop."""
    optimizer = torch.optim.Adam([p for p in module.parameters() if p.requires_grad], 0.01, eps=1e-7)
    for x, y in batches:
        optimizer.zero_grad()
        nn.functional.cross_entropy(module(x[member % len(x)]), y).backward()
        for parameter in module.parameters():  # torch's Adam leaves out what has no gradient
            if parameter.requires_grad and parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
        optimizer.step()


@pytest.fixture
def given_masks(monkeypatch):
    """Let nn.Dropout and nn.Dropout2d multiply by the masks in this list, (batch, units) each, in turn."""
    masks = []

    def drop(layer, x):
        if not layer.training or not layer.p:
            return x
        mask = masks.pop(0)
        mask = mask.reshape(*mask.shape, *[1] * (x.ndim - 2)) if type(layer) is nn.Dropout2d else mask.view_as(x)
        return x.mul_(mask) if layer.inplace else x * mask

    monkeypatch.setattr(nn.Dropout, "forward", drop)
    monkeypatch.setattr(nn.Dropout2d, "forward", drop)
    return masks


@pytest.mark.parametrize("n_sources", [1, 3])
@pytest.mark.parametrize("factory", user_nets.STACKABLE)
def test_a_stack_learns_what_each_module_learns_by_itself(factory, n_sources, given_masks):
    """Shared examples and own ones, steps before and after they are recorded, the logits in evaluation, the state."""
    stack = stack_up(factory)
    assert isinstance(stack, StackedModules)
    batches = draw_batches(40, n_sources)
    train(stack, batches, make_masks(stack))
    for member in range(3):
        module = build(factory, member)
        if stack.dropout_layers:
            masks = DropoutMasks([IDS[member]], stack.dropout_layers, torch.float64, is_example_major=True)
            masks.start_epoch(0)
            given_masks[:] = [mask[0].T.clone() for _, y in batches for mask in masks.draw(len(y))]
        train_by_torch(module, batches, member)
        assert not given_masks
        state = stack.copy_member_state(member)
        assert state.keys() == module.state_dict().keys()
        for name, values in module.state_dict().items():
            torch.testing.assert_close(state[name], values, rtol=1e-7, atol=1e-9)
        with torch.no_grad():
            x = batches[0][0][:1]
            z = stack.forward(lay_out(x, 3))[member].T
            torch.testing.assert_close(z, module.eval()(x[0]), rtol=1e-7, atol=1e-9)
            copied_module = build(factory, 9)
            copied_module.load_state_dict(state)
            torch.testing.assert_close(copied_module.eval()(x[0]), z, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("n_members", [1, 2])
@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("factory", user_nets.STACKABLE)
def test_a_recorded_step_gives_the_same_numbers(factory, precision, n_members):
    """The same bits each time that it is recorded; those of autograd but for roundings of another memory layout."""
    states = []
    for steps_before_recording in (1, 1, 10**9):
        stack = stack_up(factory, n_members, dtype=torch.float32, precision=precision)
        stack.steps_before_recording = steps_before_recording
        train(stack, draw_batches(9, dtype=torch.float32), make_masks(stack))
        if factory is not user_nets.OneHot:  # whose check of values is an operation that cannot be replayed
            assert (stack._replayed_step is None) == (steps_before_recording > 1), "no step was replayed"
        assert stack.flat_parameters.dtype == torch.float32
        states.append(stack.flat_parameters.clone())
    assert states[0].isfinite().all()
    assert torch.equal(states[0], states[1])
    torch.testing.assert_close(states[0], states[2], rtol=1e-4, atol=1e-6)


def test_what_needs_no_gradient_is_not_trained():
    """Not by weight decay either."""
    stack = stack_up(user_nets.Fourier)
    before = stack.copy_member_state(1)
    take_optimizer_step = make_optimizer(
        stack.flat_parameters, stack.flat_gradient, Train(optimizer="adamw", weight_decay=0.5)
    )
    for _ in range(3):
        take_optimizer_step()
    after = stack.copy_member_state(1)
    assert {name for name in after if not torch.equal(after[name], before[name])} == {"head.weight", "head.bias"}


@pytest.mark.parametrize("factory", [*user_nets.STACKABLE, *user_nets.ALONE])
def test_the_probe_says_what_trains_alone_and_why(factory):
    facts = probe_module(factory, {}, SHAPE, N_CLASSES)
    reason = user_nets.ALONE.get(factory)
    assert (facts.reason_alone or "").startswith(reason or "")
    assert (facts.reason_alone is None) == (reason is None)
    assert type(facts)(**json.loads(json.dumps(asdict(facts)))) == facts


@pytest.mark.parametrize("factory", refused_nets.REFUSED)
def test_what_no_copy_trains_rightly_is_refused(factory):
    message = f"the module of {factory.__name__} {refused_nets.REFUSED[factory]}"
    with pytest.raises(ValueError, match=re.escape(message)) as error:
        probe_module(factory, {}, SHAPE, N_CLASSES)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("factory", [refused_nets.LambdaThatKeepsABuffer, refused_nets.LambdaOfTheMode])
def test_a_trained_module_whose_copy_is_another_is_refused(factory):
    """Weights that are loaded into the copy, and its mode, would not reach what the lambda uses."""
    with pytest.raises(ValueError, match="computes something else when kdtune copies it"):
        measure_trained_module(factory, {}, SHAPE, N_CLASSES, None)
    measure_trained_module(user_nets.Rotary, {}, SHAPE, N_CLASSES, None)


@pytest.mark.parametrize("factory", [user_nets.mlp, user_nets.batch_norm, user_nets.lazy])
def test_the_probe_leaves_a_module_that_a_factory_returns_again_as_it_is(factory):
    module = factory(SHAPE, N_CLASSES).eval()
    if factory is not user_nets.lazy:
        before = {name: values.clone() for name, values in module.state_dict().items()}
    probe_module(lambda: module, {}, SHAPE, N_CLASSES)
    assert not any(part.training for part in module.modules())
    if factory is not user_nets.lazy:
        after = module.state_dict()
        assert all(after[name].dtype == values.dtype for name, values in before.items())
        assert all(torch.equal(after[name], values) for name, values in before.items())


def test_a_check_of_the_copy_is_fair_to_modules_that_draw():
    """Two copies of such a module differ as the module and its copy do."""
    generator = np.random.default_rng(0)

    class Noisy(user_nets.TwoLayers):
        def change(self, h):
            return h + float(generator.standard_normal())

    assert probe_module(Noisy, {}, SHAPE, N_CLASSES).reason_alone == "forward changes the class Noisy"


def test_the_members_of_a_stack_hold_the_same_attributes():
    """The probe tries two seeds, and others may draw something else."""

    class RareActivation(user_nets.TwoLayers):
        def extend(self):
            self.activation = torch.tanh if random.random() < 0.85 and random.random() < 0.9 else torch.sigmoid

        def change(self, h):
            return self.activation(h)

    assert probe_module(RareActivation, {}, SHAPE, N_CLASSES).reason_alone is None
    assert stack_up(RareActivation, 2).n_members == 2
    with pytest.raises(ValueError, match=r"self\.activation is not the same in the modules of networks a and c"):
        stack_up(RareActivation, 3)


def test_a_new_module_has_not_been_called():
    """It may count its calls."""
    assert build(user_nets.Counter).calls == 0


def test_the_probe_tells_modules_that_start_alike_under_every_seed():
    def build_seeded(inputs, n_classes):
        torch.manual_seed(0)
        return user_nets.mlp(inputs, n_classes)

    assert probe_module(build_seeded, {}, SHAPE, N_CLASSES).has_fixed_weights
    assert not probe_module(user_nets.mlp, {}, SHAPE, N_CLASSES).has_fixed_weights


@pytest.mark.parametrize("last_layer", [nn.Softmax(dim=1), nn.LogSoftmax(dim=1), nn.Sigmoid()])
def test_a_softmax_at_the_end_is_refused(last_layer):
    def build(inputs, n_classes):
        return nn.Sequential(nn.Flatten(), nn.Linear(math.prod(inputs), n_classes), last_layer)

    if isinstance(last_layer, nn.Softmax):
        with pytest.raises(ValueError, match=r"gives probabilities .* leave out the softmax at its end"):
            probe_module(build, {}, SHAPE, N_CLASSES)
    else:
        probe_module(build, {}, SHAPE, N_CLASSES)


class Masked(nn.Module):
    """A text classifier that leaves padding out, and has no mean of an example that is padding alone."""

    def __init__(self, n_classes, padding):
        super().__init__()
        self.padding, self.words, self.last = padding, nn.Embedding(30, 4), nn.Linear(4, n_classes)

    def forward(self, x):
        is_word = x.long() != self.padding
        if (is_word.sum(dim=1) == 0).any():
            raise RuntimeError("an example is padding alone")
        return self.last((self.words(x.long()) * is_word.unsqueeze(-1)).sum(dim=1))


@pytest.mark.parametrize("padding", [0, 1])
def test_a_module_that_masks_padding_is_tried_on_examples_with_words(padding):
    ids = np.random.default_rng(0).integers(2, 30, (22, 6))
    facts = probe_module(Masked, {"padding": padding}, (6,), N_CLASSES, examples=ids.astype(np.float32))
    assert facts.n_params == 30 * 4 + 4 * N_CLASSES + N_CLASSES


def test_modules_are_tried_on_examples_of_the_data():
    ids = np.random.default_rng(0).integers(0, 30, (22, 6))
    ids[0, 0] = 29
    assert probe_module(user_nets.Words, {}, (6,), N_CLASSES, ids).reason_alone is None
    assert measure_trained_module(user_nets.Words, {}, (6,), N_CLASSES, None, ids).n_params == 30 * 4 + 5 * N_CLASSES
    with pytest.raises(ValueError, match="IndexError"):
        probe_module(user_nets.Words, {"vocabulary": 29}, (6,), N_CLASSES, ids)


def test_layers_of_a_transformer_count_in_evaluation_too():
    """torch computes a whole layer by one operation there, which its counter does not know."""

    def build(inputs, n_classes):
        layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
        return nn.Sequential(nn.TransformerEncoder(layer, 1), nn.Flatten(), nn.Linear(5 * 8, n_classes))

    # Query, key, value and output; attention twice; two layers; the head.
    expected = 5 * (4 * 8 * 8 + 2 * 8 * 16) + 2 * 5 * 5 * 8 + 40 * N_CLASSES
    assert measure_trained_module(build, {}, (5, 8), N_CLASSES, None).multiply_adds == expected


def test_the_probe_counts_by_hand():
    """192 -> 5 -> 5 -> 4; autograd keeps both hidden layers before and after GELU, and what dropout gave."""
    facts = probe_module(user_nets.mlp, {"dropout": 0.0}, SHAPE, N_CLASSES)
    assert facts.n_params == 193 * 5 + 6 * 5 + 6 * 4
    assert facts.multiply_adds == 192 * 5 + 5 * 5 + 5 * 4
    assert facts.activations == 4 * 5
    assert not facts.has_dropout
    assert probe_module(user_nets.mlp, {}, SHAPE, N_CLASSES).has_dropout
    tied = probe_module(user_nets.Tied, {}, SHAPE, N_CLASSES)
    assert tied.n_params == 193 * 6 + (7 * 6) + 6 + 7 * 4 + 3 * 4


def test_the_probe_leaves_all_generators_and_modes_as_they_are():
    states = read_generators()
    for factory in [user_nets.mlp, *user_nets.ALONE]:
        probe_module(factory, {}, SHAPE, N_CLASSES)
    assert read_generators() == states
    assert torch.is_grad_enabled()
    assert torch.backends.mha.get_fastpath_enabled()


def read_generators():
    numpy_state = np.random.get_state()
    return (
        torch.get_rng_state().tolist(),
        random.getstate(),
        (numpy_state[1].tolist(), numpy_state[2:]),
    )


@pytest.mark.parametrize("factory", user_nets.ALONE)
def test_a_lone_module_learns_as_by_an_ordinary_loop(factory):
    """Buffers and draws of its own too; and the loop's draws come from no stream but the network's."""
    batches = draw_batches()
    stack = stack_up(factory, 1, "some reason")
    assert isinstance(stack, LoneModule)
    states = read_generators()
    train(stack, batches)
    assert read_generators() == states

    module = build(factory)
    seed = derive_seed("module", "a", 0)
    torch.manual_seed(seed)
    random.seed(seed)
    np.random.seed([seed & 0xFFFFFFFF, seed >> 32])
    train_by_torch(module, batches)
    state = stack.copy_member_state(0)
    assert state.keys() == module.state_dict().keys()
    for name, values in module.state_dict().items():
        torch.testing.assert_close(state[name], values, rtol=1e-7, atol=1e-9)
    x = batches[0][0]
    with torch.inference_mode():
        z, z_again = (stack.forward(lay_out(x, 1))[0].T.clone() for _ in range(2))
    assert torch.equal(z, z_again)
    if factory not in (user_nets.DropoutForever, user_nets.DropoutInEvaluation):
        torch.testing.assert_close(z, module.eval()(x[0]).detach(), rtol=1e-7, atol=1e-9)
    for name, values in stack.copy_member_state(0).items():
        assert torch.equal(values, state[name]), "evaluation changes the module"


@pytest.mark.parametrize("factory", [user_nets.FunctionalDropout, user_nets.PythonRandom, user_nets.NumpyRandom])
def test_draws_belong_to_network_and_epoch(factory):
    """Not to what the process has drawn before."""
    x, _ = draw_batches(1)[0]

    def compute_logits(network_id, epoch):
        stack = build_user_stack([build(factory)], SHAPE, "x", [network_id], N_FEATURES, x.dtype, "cpu", x.dtype)
        torch.rand(3), random.random(), np.random.rand()
        stack.start_epoch(epoch)
        return [stack.forward(lay_out(x, 1)).clone() for _ in range(2)]

    first, second = compute_logits("a", 0)
    assert not torch.equal(first, second)
    assert all(torch.equal(a, b) for a, b in zip((first, second), compute_logits("a", 0), strict=True))
    assert not torch.equal(first, compute_logits("a", 1)[0])
    assert not torch.equal(first, compute_logits("b", 0)[0])


def test_batch_norm_takes_a_batch_of_one_by_its_running_statistics():
    """Where torch raises: the example is not left out, and the running statistics stay."""
    stack = stack_up(user_nets.batch_norm, 1, "x")
    train(stack, draw_batches())
    before = stack.copy_member_state(0)
    x = draw_batches(1)[0][0][:, :1]
    module = build(user_nets.batch_norm)
    with pytest.raises(ValueError, match="more than 1 value per channel"):
        module(x[0])
    for layer in stack.module.modules():
        if isinstance(layer, nn.Dropout):
            layer.p = 0.0
    z = stack.forward(lay_out(x, 1))
    stack.backward(lay_out(x, 1), torch.ones_like(z))
    assert stack.flat_gradient.any()
    after = stack.copy_member_state(0)
    assert all(torch.equal(after[name], before[name]) for name in before)
    assert all(layer.training for layer in stack.module.modules())
    with torch.no_grad():
        assert torch.equal(z, stack.forward(lay_out(x, 1)))


def test_bf16_trains_modules_alone_by_autocast():
    stack = stack_up(user_nets.batch_norm, 1, "x", torch.float32, torch.bfloat16)
    train(stack, draw_batches(dtype=torch.float32))
    state = stack.copy_member_state(0)
    assert {values.dtype for values in state.values()} == {torch.float32, torch.int64}
    assert stack._logits.dtype == torch.bfloat16
    assert stack.find_finite_members().tolist() == [True]


@pytest.mark.parametrize("factory", [*user_nets.STACKABLE, *user_nets.ALONE])
def test_the_same_seed_gives_the_same_bits(factory):
    states = read_generators()
    first = build(factory, 2**62 + 1).state_dict()
    torch.rand(3)
    second, other = build(factory, 2**62 + 1).state_dict(), build(factory, 2**62 + 2).state_dict()
    assert all(torch.equal(values, second[name]) for name, values in first.items())
    assert not all(torch.equal(values, other[name]) for name, values in first.items())
    torch.set_rng_state(torch.tensor(states[0], dtype=torch.uint8))
    assert read_generators() == states


MISTAKES = """
import sys
import torch
from torch import nn

def raises(inputs):
    return nn.Linear(inputs[0], 0.5)

def raises_itself():
    raise KeyError("no such thing")

def leaves():
    sys.exit(3)

class Wrong(nn.Linear):
    def __init__(self, inputs, n_classes):
        super().__init__(3, n_classes)
    def forward(self, x):
        return super().forward(x)

def no_module(inputs, n_classes):
    return [nn.Linear(3, 3)]

def seven(inputs):
    return nn.Linear(inputs[0], 7)

def thousand(num_classes=1000):
    return nn.Linear(5, num_classes)

class Whole(nn.Linear):
    def __init__(self, inputs, n_classes):
        super().__init__(inputs[0], n_classes)
    def forward(self, x):
        return super().forward(x).argmax(-1, keepdim=True).expand(-1, 10)

class Pair(Whole):
    def forward(self, x):
        return x, x

def frozen(inputs, n_classes):
    return nn.Linear(inputs[0], n_classes).requires_grad_(False)

def needs(n_classes, width, depth):
    return nn.Linear(192, n_classes)

def takes_any(n_classes, **kwargs):
    assert kwargs == {"width": 3}, kwargs
    return nn.Linear(5, n_classes)
"""


@pytest.mark.parametrize(
    ("name", "args", "message"),
    [
        ("raises", {}, "raises raised MODULE:7: TypeError: empty(): .*"),
        ("raises_itself", {}, "raises_itself raised MODULE:10: KeyError: 'no such thing'"),
        ("leaves", {}, "leaves raised MODULE:13: SystemExit: 3"),
        ("Wrong", {}, "Wrong raised MODULE:19: RuntimeError: .*mat1 and mat2 .*"),
        ("no_module", {}, "no_module returns a list; a PyTorch module (torch.nn.Module) is right"),
        ("seven", {}, "the module of seven returns logits of shape (2, 7); with 10 classes (2, 10) is right.*"),
        ("thousand", {}, ".*give the number in args, as in args: {num_classes: ...}"),
        ("Whole", {}, "the module of Whole returns logits of type int64; floating-point numbers are right"),
        ("Pair", {}, "forward of Pair returns a tuple of 2 (a tensor (2, 5) and a tensor (2, 5)); one tensor of .*"),
        ("frozen", {}, "frozen returns a module without a parameter that can be trained; .*"),
        ("needs", {"width": 3}, "needs needs depth; give a value in args, or a default in its signature"),
        ("needs", {"wide": 3}, "args names 'wide', which needs does not take; it takes width, depth"),
        ("seven", {"wide": 3}, "args names 'wide', which seven does not take; it takes no arguments of its own"),
        ("needs", {"n_classes": 3}, "args names 'n_classes', which kdtune passes to needs itself; .*"),
    ],
)
def test_mistakes_are_named_with_the_line_of_the_users_file(tmp_path, name, args, message):
    module = load_mistakes(tmp_path)
    path = str(tmp_path / "mistaken_nets.py")
    pattern = ".*".join(re.escape(part) for part in message.split(".*")).replace("MODULE", re.escape(path))
    with pytest.raises(ValueError, match=f"^{pattern}$") as error:
        build_user_module(getattr(module, name), args, (5,), 10, 0)
    assert "\n" not in str(error.value)


def test_any_arguments_may_be_taken(tmp_path):
    assert build_user_module(load_mistakes(tmp_path).takes_any, {"width": 3}, (5,), 10, None).out_features == 10


def load_mistakes(folder):
    (folder / "mistaken_nets.py").write_text(MISTAKES, encoding="utf-8")
    spec = importlib.util.spec_from_file_location("mistaken_nets", folder / "mistaken_nets.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_rows_become_images():
    """What a module sees is (batch, channels, height, width), in the order of the features."""
    seen_images = []

    class Look(user_nets.TwoLayers):
        def forward(self, x):
            seen_images.append(x.detach().clone())
            return super().forward(x)

    x = torch.arange(2 * math.prod(SHAPE), dtype=torch.float64).reshape(1, 2, *SHAPE)
    stack = build_user_stack([Look(SHAPE, N_CLASSES).double()], SHAPE, "x", ["a"], N_FEATURES, x.dtype, "cpu", x.dtype)
    stack.forward(lay_out(x, 1))
    assert torch.equal(seen_images[-1], x[0])


def test_several_modules_that_train_alone_are_no_stack():
    with pytest.raises(ValueError, match="2 modules that train alone"):
        stack_up(user_nets.batch_norm, 2, "BatchNorm1d keeps running statistics")
