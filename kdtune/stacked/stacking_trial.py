"""Whether modules give the same logits and gradients stacked as they give alone.

It is found out by trying: a few examples, shared ones and own ones, batches of two sizes, float64.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn.modules.dropout import _DropoutNd

from kdtune.plan.memory_estimate import round_up_to_alignment
from kdtune.stacked.dropout_masks import DropoutMasks
from kdtune.stacked.masked_dropout import DROPOUTS, list_dropout_layers
from kdtune.stacked.memory_layout import Inputs
from kdtune.stacked.module_copies import copy_module
from kdtune.stacked.modules import StackedModules
from kdtune.stacked.plain_state import describe_state, find_difference
from kdtune.text import format_on_one_line

# In float64 the order of sums moves logits, and the gradient of a parameter, by less than this part of the largest
# value among them; and a gradient that would be 0 by less than the second part of the largest gradient.
RELATIVE_TOLERANCE, ABSOLUTE_TOLERANCE = 1e-6, 1e-9

# Parts of torch's messages, and what they mean in plain words.
_VMAP_REASONS = {
    "data-dependent control flow": "data-dependent control flow",
    ".item() on a Tensor": "data-dependent control flow",
    "random operation": "it draws its own random numbers",
    "Batching rule not implemented for ": "vmap has no rule for {}",
    "dynamic shape": "the shapes of its tensors depend on the data",
    "inplace arithmetic": "it changes a tensor in place in a way that vmap does not support",
}


@dataclass(frozen=True)
class _Result:
    """What a network gives for a batch."""

    logits: Tensor  # in training, (batch, classes)
    gradients: dict[str, Tensor]
    evaluation_logits: Tensor


def find_stacking_failure(modules: Sequence[nn.Module], pairs: Sequence[tuple[Tensor, Tensor]]) -> str | None:
    """Return why the modules cannot be stacked, as part of a sentence; None if they can.

    A stack of them is compared with each of them alone, in training with masks of dropout, in evaluation, and in
    training by a recorded step. The members share their examples, and then have examples of their own.

    Parameters
    ----------
    modules : Modules of one architecture, in float64; they are changed.
    pairs : Batches of different examples, (batch, *shape of one example) each; the batches of a pair are of one size.
    """
    difference = find_difference(*(describe_state(module) for module in modules[:2]))
    if difference is not None:
        return f"{difference} differs from seed to seed"
    try:
        with warnings.catch_warnings():
            # Operations without a batching rule would be run member by member, with a warning.
            warnings.filterwarnings("error", message=".*performance drop.*")
            stack = StackedModules(
                modules,
                pairs[0][0][0].numel(),
                pairs[0][0].dtype,
                input_shape=pairs[0][0].shape[1:],
                is_example_major=True,
                steps_before_recording=1,
            )
            for pair in pairs:
                masks = _draw_masks(stack, len(pair[0]))
                alone = [
                    [_try_alone(module, batch, masks, member) for member, module in enumerate(modules)]
                    for batch in pair
                ]
                # Which batch of the pair each member gets; a step is recorded at the second line of each kind. What
                # vmap or the recorder takes for a constant shows at the third.
                for choices in ((0, 0), (1, 1), (0, 0), (0, 1), (1, 0), (0, 1)):
                    results = _try_stack(stack, [pair[choice] for choice in choices], masks)
                    for member, choice in enumerate(choices):
                        reason = _compare(alone[choice][member], results[member])
                        if reason is not None:
                            return reason
    except Exception as error:  # whatever torch or the user's code raises under vmap
        return _explain_refusal(error)
    return None


def _draw_masks(stack: StackedModules, batch: int) -> list[Tensor] | None:
    """Draw masks for a stack, (members, units, batch) each; None if it has no layer of dropout."""
    if not stack.dropout_layers:
        return None
    ids = [str(i) for i in range(stack.n_members)]
    masks = DropoutMasks(ids, stack.dropout_layers, stack.precision, is_example_major=True)
    masks.start_epoch(0)
    return [mask.clone() for mask in masks.draw(batch)]


def _try_stack(stack: StackedModules, batches: Sequence[Tensor], masks: list[Tensor] | None) -> list[_Result]:
    """Return what each member gives for its batch in a stack; they share their examples if it is the same batch."""
    n_features, batch_size = stack.n_features, len(batches[0])
    sources = batches[:1] if all(batch is batches[0] for batch in batches) else batches
    rows = batches[0].new_zeros(len(sources), batch_size, round_up_to_alignment(n_features + 1))
    rows[:, :, :n_features] = torch.stack(list(sources)).reshape(len(sources), batch_size, -1)
    inputs = Inputs.from_examples(rows, n_features, stack.n_members, batch_size)
    logits = stack.forward(inputs, masks).clone()
    stack.backward(inputs, torch.sin(logits))
    gradients = [{name: values[i].clone() for name, values in stack.gradients.items()} for i in range(stack.n_members)]
    with torch.no_grad():
        evaluation_logits = stack.forward(inputs)
    return [_Result(*values) for values in zip(logits.mT, gradients, evaluation_logits.mT, strict=True)]


def _try_alone(module: nn.Module, x: Tensor, masks: list[Tensor] | None, member: int) -> _Result:
    """Return what a module gives by itself, with the masks of a member."""
    copied_module = copy_module(module).train()
    own_masks = None if masks is None else iter([mask[member].T for mask in masks])
    for layer in list_dropout_layers(copied_module):
        layer.forward = partial(_drop, layer, own_masks)
    logits = copied_module(x.clone())
    logits.backward(torch.sin(logits.detach()))
    gradients = {
        name: torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
        for name, parameter in copied_module.named_parameters()
        if parameter.requires_grad
    }
    with torch.no_grad():
        evaluation_logits = copy_module(module).eval()(x.clone())
    return _Result(logits.detach(), gradients, evaluation_logits)


def _drop(layer: _DropoutNd, masks: Iterator[Tensor] | None, input: Tensor) -> Tensor:
    """Drop as a layer of torch's does, by the next mask, (batch, units)."""
    if not layer.training or not layer.p:
        return input
    assert masks is not None, "a layer of dropout is called where no dropout is known"
    mask = next(masks)
    drops_channels = DROPOUTS[type(layer)] is not None
    mask = mask.reshape(*mask.shape, *[1] * (input.ndim - 2)) if drops_channels else mask.reshape(input.shape)
    return input.mul_(mask) if layer.inplace else input * mask


def _compare(alone: _Result, stacked: _Result) -> str | None:
    """Return in what the results differ, as part of a sentence; None if they are equal but for rounding."""
    for what, expected, values in (
        ("logits", alone.logits, stacked.logits),
        ("logits in evaluation", alone.evaluation_logits, stacked.evaluation_logits),
    ):
        difference = _find_difference(expected, values, largest=_find_scale(expected))
        if difference is not None:
            return f"it returns different {what} stacked (by {difference:.2g})"
    largest = max(map(_find_scale, alone.gradients.values()))
    for name, expected in alone.gradients.items():
        difference = _find_difference(expected, stacked.gradients[name], largest)
        if difference is not None:
            return f"it has another gradient of {name} stacked (by {difference:.2g})"
    return None


def _find_difference(expected: Tensor, values: Tensor, largest: float) -> float | None:
    """Return the largest difference between tensors; None if it comes from rounding."""
    tolerance = max(RELATIVE_TOLERANCE * _find_scale(expected), ABSOLUTE_TOLERANCE * max(largest, 1e-3))
    if torch.allclose(values, expected, rtol=0, atol=tolerance, equal_nan=True):
        return None
    return float((values - expected).abs().max())


def _find_scale(values: Tensor) -> float:
    """Return the largest finite value of a tensor: a module that diverges is named elsewhere."""
    return float(values.abs().nan_to_num(nan=0.0, posinf=0.0).max()) if values.numel() else 0.0


def _explain_refusal(error: Exception) -> str:
    """Return in plain words why an error came from a stack of modules."""
    text = format_on_one_line(error)
    operation = re.search(r"(?:batching rule for|Batching rule not implemented for) ([\w:.]+\w)", text)
    if operation is not None:
        return f"vmap has no rule for {operation[1]}"
    for part, reason in _VMAP_REASONS.items():
        if part in text:
            return reason
    first_sentence = re.split(r"(?<=\w)\. ", text)[0][:150]
    return f"vmap refuses it ({type(error).__name__}: {first_sentence})"
