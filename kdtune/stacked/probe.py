"""What a module of the user's is like: its size, and whether many can train as one stack.

It is found out by trying: a few examples, on the CPU in float64.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks
from torch.utils.flop_counter import FlopCounterMode

from kdtune.inputs.forward_outputs import describe_no_tensor
from kdtune.settings.module_facts import ModuleFacts
from kdtune.stacked.attention import avoid_fused_attention
from kdtune.stacked.masked_dropout import list_dropout_layers, record_dropout_calls, replace_dropout
from kdtune.stacked.module_copies import copy_module
from kdtune.stacked.random_streams import RandomStreams
from kdtune.stacked.stacking_trial import find_stacking_failure
from kdtune.stacked.threads import run_on_threads
from kdtune.stacked.trained_module import build_trained_module
from kdtune.stacked.user_modules import build_user_module, describe_user_errors, get_name
from kdtune.stacked.watched_forward import find_side_effect

CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
PROBE_SEED = 0
PROBE_BATCHES = (4, 7)  # What fits one number of examples alone shows with the other.


def probe_module(
    factory: Callable[..., Any],
    args: Mapping[str, Any],
    input_shape: tuple[int, ...],
    n_classes: int,
    examples: npt.NDArray[Any] | None = None,
) -> ModuleFacts:
    """Build a module of the user's and try it on a few examples, on the CPU in float64.

    Parameters
    ----------
    factory, args, input_shape, n_classes : As for ``build_user_module``.
    examples : Examples of the data, (examples, *input_shape), which a module with an embedding of ids needs; None
        stands for random ones.

    Raises
    ------
    ValueError
        If the module cannot be built or used, see ``build_user_module``; if its code raises in training or gives its
        logits no gradient; or if it ends in a softmax.
    """

    def build(seed: int, copy_examples: Tensor | None = None) -> nn.Module:
        return build_user_module(
            factory, args, input_shape, n_classes, seed, torch.float64, is_trained=False, copy_examples=copy_examples
        )

    def probe() -> ModuleFacts:
        pairs = _make_pairs(input_shape, examples)
        batches = [x for x, _ in pairs]
        modules = [build(PROBE_SEED, batches[0]), build(PROBE_SEED + 1)]
        n_params = sum(parameter.numel() for parameter in modules[0].parameters())
        has_fixed_weights = _have_same_weights(*modules)
        module = copy_module(modules[0])
        check_no_probabilities(factory, module, batches[0])
        _check_training_logits(factory, module, batches[0], n_classes)
        with describe_user_errors(factory):
            multiply_adds = _count_multiply_adds(module.eval(), batches[0])
            activations = _count_activations(module.train(), batches[0])
        reason, has_dropout = _find_reason_alone(modules, pairs)
        has_convolutions = any(isinstance(part, CONVOLUTIONS) for part in modules[0].modules())
        has_masks = has_dropout and reason is None
        return ModuleFacts(n_params, multiply_adds, activations, reason, has_masks, has_convolutions, has_fixed_weights)

    with RandomStreams(PROBE_SEED):
        return run_on_threads(1, probe)


def _make_pairs(input_shape: tuple[int, ...], examples: npt.NDArray[Any] | None) -> list[tuple[Tensor, Tensor]]:
    """Return pairs of batches of the sizes of ``PROBE_BATCHES``, in float64: different examples in each."""
    if examples is None:
        batches = [torch.randn(size, *input_shape, dtype=torch.float64) for size in PROBE_BATCHES]
        return [(x, _change_examples(x)) for x in batches]
    rows = torch.from_numpy(np.ascontiguousarray(examples)).to(torch.float64)
    n_pair = sum(PROBE_BATCHES)
    rows = rows.repeat(-(-2 * n_pair // len(rows)), *(1 for _ in input_shape))[: 2 * n_pair]
    first, second = (torch.split(part, list(PROBE_BATCHES)) for part in (rows[:n_pair], rows[n_pair:]))
    return list(zip(first, second, strict=True))


def _change_examples(x: Tensor) -> Tensor:
    """Return other examples in an order of their own: half of their values are 0, as padding is."""
    changed = x.flip(0) + 1
    changed.reshape(len(x), -1)[:, 1::2] = 0
    return changed


def _find_reason_alone(modules: Sequence[nn.Module], pairs: Sequence[tuple[Tensor, Tensor]]) -> tuple[str | None, bool]:
    """Return why such modules train alone, None if they do not, and whether they have layers of dropout."""
    batches = [x for x, _ in pairs]
    has_dropout = bool(list_dropout_layers(modules[0]))
    if has_dropout:
        try:
            masked_module, queue = replace_dropout(modules[0])
            evaluation_calls = record_dropout_calls(masked_module.eval(), queue, batches[0])
            calls_by_batch = [record_dropout_calls(masked_module.train(), queue, x) for x in batches]
        except ValueError as error:
            return str(error), True
        has_dropout = bool(calls_by_batch[0])
        if any(calls != calls_by_batch[0] for calls in calls_by_batch):
            return "the calls of its layers of dropout depend on the number of examples", has_dropout
        if evaluation_calls:
            return "its layers of dropout drop units in evaluation as well", has_dropout
    module, _ = replace_dropout(modules[0])
    for x in batches:
        reason = find_side_effect(module, x)
        if reason is not None:
            return reason, has_dropout
    return find_stacking_failure(modules, pairs), has_dropout


def _have_same_weights(module: nn.Module, other: nn.Module) -> bool:
    """Return whether two modules that were built under different seeds start from the same weights."""
    states = module.state_dict(), other.state_dict()
    return states[0].keys() == states[1].keys() and all(
        torch.equal(values, states[1][name]) for name, values in states[0].items()
    )


def check_no_probabilities(factory: Callable[..., Any], module: nn.Module, x: Tensor) -> None:
    """Raise ValueError if a module maps a batch to values from 0 to 1 that add up to 1 for each example."""
    with torch.no_grad(), describe_user_errors(factory):
        outputs = module.eval()(x)
    sums = outputs.sum(dim=1)
    if ((outputs >= 0) & (outputs <= 1)).all() and torch.allclose(sums, torch.ones_like(sums), rtol=0, atol=1e-4):
        raise ValueError(
            f"the module of {get_name(factory)} gives probabilities (from 0 to 1, and each example's add up to 1), and "
            f"logits are needed: leave out the softmax at its end"
        )


def _check_training_logits(factory: Callable[..., Any], module: nn.Module, x: Tensor, n_classes: int) -> None:
    """Raise ValueError if a module gives no tensor in training, as those with a second output for training do."""
    with torch.no_grad(), describe_user_errors(factory):
        output = copy_module(module).train()(x)  # A copy, since layers such as batch norm change in training.
    if not isinstance(output, Tensor):
        raise ValueError(f"in training, {describe_no_tensor(get_name(factory), output, n_classes)}")


def _count_multiply_adds(module: nn.Module, x: Tensor) -> int:
    """Return the multiply-adds of a forward pass, for each example."""
    # The counter does not know the one operation by which torch computes a whole layer of a transformer.
    with avoid_fused_attention(), torch.no_grad(), FlopCounterMode(display=False) as counter:
        module(x)
    return int(counter.get_total_flops()) // (2 * len(x))


def _count_activations(module: nn.Module, x: Tensor) -> int:
    """Return how many values autograd keeps for an example, parameters and inputs left out, and check the gradient.

    Raises
    ------
    ValueError
        If the logits do not depend on a parameter that is trained.
    """
    sizes: dict[int, int] = {}  # by address, so that what two operations keep counts once
    known = {tensor.untyped_storage().data_ptr() for tensor in [x, *module.parameters(), *module.buffers()]}

    def note(tensor: Tensor) -> Tensor:
        address = tensor.untyped_storage().data_ptr()
        if address not in known:
            sizes[address] = max(sizes.get(address, 0), tensor.numel())
        return tensor

    with saved_tensors_hooks(note, lambda tensor: tensor):
        logits = module(x)
    if not logits.requires_grad:
        raise ValueError("its logits do not depend on any parameter that is trained")
    logits.sum().backward()
    return -(-sum(sizes.values()) // len(x))


def measure_trained_module(
    factory: Callable[..., Any],
    args: Mapping[str, Any],
    input_shape: tuple[int, ...],
    n_classes: int,
    weights: Path | None,
    examples: npt.NDArray[Any] | None = None,
) -> ModuleFacts:
    """Measure the size of a module that is used as it is, and check that it gives logits.

    Parameters
    ----------
    factory, args, input_shape, n_classes, weights : As for ``trained_module.build_trained_module``.
    examples : As for ``probe_module``.

    Raises
    ------
    ValueError
        If the module cannot be built, its weights do not fit, or it gives no logits.
    """
    # The module's own random numbers stay those of a run without this check.
    with RandomStreams(PROBE_SEED):
        x = torch.cat(_make_pairs(input_shape, examples)[0]).float()
    module = build_trained_module(factory, args, input_shape, n_classes, weights, copy_examples=x)
    n_params = sum(parameter.numel() for parameter in module.parameters())
    check_no_probabilities(factory, module, x)
    with describe_user_errors(factory):
        multiply_adds = _count_multiply_adds(module, x)
    return ModuleFacts(
        n_params, multiply_adds, activations=0, reason_alone=None, has_dropout=False, has_convolutions=False
    )
