"""Whether modules give the same logits and gradients stacked as they give alone. Found by trying."""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from kdtune.plan.memory_estimate import round_up_to_alignment
from kdtune.stacked.dropout_masks import DropoutMasks
from kdtune.stacked.masked_dropout import replace_dropout
from kdtune.stacked.memory_layout import Inputs
from kdtune.stacked.modules import StackedModules

# In float64 the order of sums moves logits and gradients by less than this part of the largest of them.
RELATIVE_TOLERANCE = 1e-6

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
    """What the networks of a stack give: a list entry each."""

    logits: list[Tensor]  # in training, (batch, classes)
    gradients: list[dict[str, Tensor]]
    evaluation_logits: list[Tensor]


def find_stacking_failure(modules: Sequence[nn.Module], x: Tensor) -> str | None:
    """Return why the modules cannot be stacked, as part of a sentence; None if they can.

    A stack of them is compared with each of them alone, in training with masks of dropout, in evaluation, and in
    training by a recorded step.

    Parameters
    ----------
    modules : Modules of one architecture, in float64; they are changed.
    x : (batch, *shape of one example).
    """
    try:
        with warnings.catch_warnings():
            # Operations without a batching rule would be run member by member, with a warning.
            warnings.filterwarnings("error", message=".*performance drop.*")
            stack = StackedModules(
                modules, x[0].numel(), x.dtype, input_shape=x.shape[1:], is_example_major=True, steps_before_recording=2
            )
            masks = _draw_masks(stack, len(x))
            batches = [x, x.flip(0) + 1]
            results = [(batch, _try_stack(stack, batch, masks)) for batch in batches]
            results += [(batch, _try_stack(stack, batch, masks)) for batch in batches]  # by a recorded step
    except Exception as error:  # whatever torch or the user's code raises under vmap
        return _explain_refusal(error)
    for batch, result in results:
        reason = _compare(_try_alone(modules, batch, masks), result)
        if reason is not None:
            return reason
    return None


def _draw_masks(stack: StackedModules, batch: int) -> list[Tensor] | None:
    """Draw masks for a stack, (members, units, batch) each; None if it has no layer of dropout."""
    if not stack.dropout_layers:
        return None
    ids = [str(i) for i in range(stack.n_members)]
    masks = DropoutMasks(ids, stack.dropout_layers, stack.precision, is_example_major=True)
    masks.start_epoch(0)
    return [mask.clone() for mask in masks.draw(batch)]


def _try_stack(stack: StackedModules, x: Tensor, masks: list[Tensor] | None) -> _Result:
    """Return what the stack gives for a batch that all members share."""
    n_features = stack.n_features
    rows = x.new_zeros(1, len(x), round_up_to_alignment(n_features + 1))
    rows[0, :, :n_features] = x.reshape(len(x), -1)
    inputs = Inputs.from_examples(rows, n_features, stack.n_members, len(x))
    logits = stack.forward(inputs, masks).clone()
    stack.backward(inputs, torch.sin(logits))
    with torch.no_grad():
        evaluation_logits = stack.forward(inputs)
    members = range(stack.n_members)
    gradients = [{name: values[i].clone() for name, values in stack.gradients.items()} for i in members]
    return _Result([logits[i].T for i in members], gradients, [evaluation_logits[i].T for i in members])


def _try_alone(modules: Sequence[nn.Module], x: Tensor, masks: list[Tensor] | None) -> _Result:
    """Return what each module gives by itself, with the same masks."""
    result = _Result([], [], [])
    for i, module in enumerate(modules):
        masked_module, queue = replace_dropout(module)
        masked_module.train()
        shapes: list[tuple[float, torch.Size]] = []
        if masks is not None:
            queue.calls = shapes
            with torch.no_grad():
                masked_module(x)
            queue.calls = None
            member_masks = [mask[i].T.reshape(len(x), *shape) for mask, (_, shape) in zip(masks, shapes, strict=True)]
            queue.masks = iter(member_masks)
        logits = masked_module(x)
        logits.backward(torch.sin(logits.detach()))
        result.logits.append(logits.detach())
        result.gradients.append(
            {
                name: torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
                for name, parameter in masked_module.named_parameters()
                if parameter.requires_grad
            }
        )
        with torch.no_grad():
            result.evaluation_logits.append(module.eval()(x))
    return result


def _compare(alone: _Result, stacked: _Result) -> str | None:
    """Return in what the results differ, as part of a sentence; None if they are equal but for rounding."""
    for what, expected_values, values in (
        ("logits", alone.logits, stacked.logits),
        ("logits in evaluation", alone.evaluation_logits, stacked.evaluation_logits),
    ):
        difference = _find_difference(expected_values, values)
        if difference is not None:
            return f"it returns different {what} stacked (by {difference:.2g})"
    for expected_gradients, gradients in zip(alone.gradients, stacked.gradients, strict=True):
        names = expected_gradients.keys()
        difference = _find_difference([expected_gradients[k] for k in names], [gradients[k] for k in names])
        if difference is not None:
            return f"it has different gradients stacked (by {difference:.2g})"
    return None


def _find_difference(expected: list[Tensor], values: list[Tensor]) -> float | None:
    """Return the largest difference between tensors; None if it comes from rounding."""
    flat_expected = torch.cat([tensor.reshape(-1) for tensor in expected])
    flat_values = torch.cat([tensor.reshape(-1) for tensor in values])
    scale = float(flat_expected.abs().nan_to_num(nan=0.0, posinf=0.0).max())  # Such a module diverges, which is said.
    if torch.allclose(flat_values, flat_expected, rtol=0, atol=RELATIVE_TOLERANCE * max(scale, 1e-3), equal_nan=True):
        return None
    return float((flat_values - flat_expected).abs().max())


def _explain_refusal(error: Exception) -> str:
    """Return in plain words why an error came from a stack of modules."""
    text = " ".join(str(error).split())
    operation = re.search(r"(?:batching rule for|Batching rule not implemented for) ([\w:.]+\w)", text)
    if operation is not None:
        return f"vmap has no rule for {operation[1]}"
    for part, reason in _VMAP_REASONS.items():
        if part in text:
            return reason
    first_sentence = re.split(r"(?<=\w)\. ", text)[0][:150]
    return f"vmap refuses it ({type(error).__name__}: {first_sentence})"
