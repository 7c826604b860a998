"""Copies of modules, and whether a copy computes what the module itself computes."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from kdtune.stacked.random_streams import RandomStreams

# Logits and gradients of two runs of the same operations differ by less than this part of the largest of them.
RELATIVE_TOLERANCE = 1e-4
CHECK_SEED = 0


class CopyError(ValueError):
    """A copy of a module computes something else than the module itself."""


def copy_module(module: nn.Module, shares_parameters: bool = False) -> nn.Module:
    """Return a deep copy of a module, with its own parameters or those of the module.

    Torch copies no tensor with a graph behind it, as ``nn.utils.prune`` and the old ``nn.utils.weight_norm`` keep
    one: the copy gets its values, until the module computes it anew.
    """
    copies_by_id = {
        id(value): value.detach().clone()
        for part in module.modules()
        for value in vars(part).values()
        if isinstance(value, Tensor) and not value.is_leaf
    }
    if shares_parameters:
        copies_by_id |= {id(parameter): parameter for parameter in module.parameters()}
    return copy.deepcopy(module, copies_by_id)


def move_module(module: nn.Module, device: str, dtype: torch.dtype) -> nn.Module:
    """Move a module to a device and give its parameters and buffers of floating point a type, in place.

    Complex ones get the complex type of as many bits a part: ``nn.Module.to`` would drop their imaginary parts.
    """
    module._apply(lambda tensor: _convert(tensor, device, dtype))  # type: ignore[no-untyped-call]
    return module


def _convert(tensor: Tensor, device: str, dtype: torch.dtype) -> Tensor:
    """Return a tensor on a device and in a type, or in the complex type that belongs to it."""
    if tensor.is_complex():
        return tensor.to(device, torch.complex128 if dtype == torch.float64 else torch.complex64)
    return tensor.to(device, dtype if tensor.is_floating_point() else None)


def check_parameters(module: nn.Module) -> None:
    """Check that every trained parameter holds real numbers and is not empty, and that no parameter has a hook.

    Raises
    ------
    CopyError
        If one is not so; the message is a part of a sentence whose subject is the module.
    """
    for name, parameter in module.named_parameters():
        if parameter._backward_hooks or getattr(parameter, "_post_accumulate_grad_hooks", None):
            raise CopyError(
                f"registers a hook on its parameter {name}, which copies lose; change the gradient in forward instead"
            )
        if parameter.requires_grad and parameter.is_complex():
            raise CopyError(
                f"trains the complex parameter {name}, and kdtune trains real ones; keep its real and imaginary parts, "
                "with a last axis of 2, and use torch.view_as_complex in forward"
            )
        if parameter.requires_grad and not is_lazy(parameter) and not parameter.numel():
            shape = " x ".join(map(str, parameter.shape))
            raise CopyError(f"has a parameter without numbers: {name} is {shape}; give its layers sizes of 1 or more")


def check_copy(module: nn.Module, untouched_copy: nn.Module, x: Tensor, is_trained: bool) -> None:
    """Check that a copy computes what the module computes, and uses no tensor of the module.

    Functions are not copied: what a lambda or a hook knows of the module stays the module itself. So the module's
    tensors are NaN and its mode is the other one while the copy computes. At the end they are what they were before.

    Parameters
    ----------
    module : The module that the user's code has built.
    untouched_copy : A copy of it, which stays what it is: copies of it are tried.
    x : A batch of examples, of the type in which they compute.
    is_trained : Whether the module is used as it is: in evaluation, without gradients.

    Raises
    ------
    CopyError
        If the copy computes something else, or the module replaces a parameter by another in its forward pass.
    Exception
        What the user's code raises in the module itself.
    """
    modes = (False,) if is_trained else (True, False)
    with _restore_afterwards(module, untouched_copy):
        for values in _list_tensors(module):  # They stay the tensors that functions may keep.
            with torch.no_grad():
                values.data = _convert(values, "cpu", x.dtype)
        expected = [_compute(module.train(mode), x) for mode in modes]
        try:
            copied_module = move_module(copy_module(untouched_copy), "cpu", x.dtype)
            results = []
            for mode in modes:
                _spoil(module.train(not mode))
                results.append(_compute(copied_module.train(mode), x))
            is_equal = all(map(_are_close, expected, results))
        except (Exception, SystemExit):  # for instance a check of the user's that finds NaN
            is_equal = False
    # Results that differ from copy to copy come from draws or counters that belong to no module.
    if is_equal:
        return
    first_copy, second_copy = (move_module(copy_module(untouched_copy), "cpu", x.dtype) for _ in range(2))
    if _are_repeatable(first_copy, second_copy, x, modes):
        raise CopyError(
            "computes something else when kdtune copies it: a lambda, a hook or another function in it keeps the "
            "module or one of its tensors; use methods, or the arguments that hooks get"
        )


def _are_repeatable(module: nn.Module, other: nn.Module, x: Tensor, modes: tuple[bool, ...]) -> bool:
    """Return whether two copies of a module compute the same, or raise an error which the module itself does not."""
    try:
        results = [[_compute(part.train(mode), x) for mode in modes] for part in (module, other)]
    except (Exception, SystemExit):
        return True
    return all(map(_are_close, *results))


def _compute(module: nn.Module, x: Tensor) -> list[Tensor]:
    """Return the logits and, in training, the gradients of all parameters for the sum of squares of the logits.

    Raises
    ------
    CopyError
        If the module has other parameters afterwards.
    """
    names_by_parameter = {parameter: name for name, parameter in module.named_parameters() if parameter.requires_grad}
    is_training = module.training and bool(names_by_parameter)
    with RandomStreams(CHECK_SEED), torch.set_grad_enabled(is_training):
        logits: Tensor = module(x.clone())
    present_parameters = set(module.parameters())
    for parameter, name in names_by_parameter.items():
        if parameter not in present_parameters:
            raise CopyError(
                f"puts another parameter in the place of {name} in forward, so that the first is no longer trained; "
                f"change its values instead, as {name}.data.copy_(...) does"
            )
    if not isinstance(logits, Tensor):  # Whoever checks the logits says so.
        return []
    if not is_training or not logits.requires_grad:
        return [logits.detach().clone()]  # It may be a view of a parameter.
    parameters = list(names_by_parameter)
    gradients = torch.autograd.grad(logits.square().sum(), parameters, allow_unused=True)
    return [
        logits.detach().clone(),
        *(
            torch.zeros_like(parameter) if gradient is None else gradient
            for parameter, gradient in zip(parameters, gradients, strict=True)
        ),
    ]


def _are_close(expected: list[Tensor], results: list[Tensor]) -> bool:
    """Return whether the tensors of two lists are equal but for rounding, each by the largest value in it."""
    if len(expected) != len(results):
        return False
    floor = 1e-6 * max(map(_find_scale, expected), default=0.0)  # none where a module gives no tensor
    return all(_is_close(values, result, floor) for values, result in zip(expected, results, strict=True))


def _is_close(values: Tensor, result: Tensor, floor: float) -> bool:
    """Return whether two tensors are equal, or differ by less than a part of the largest value or the floor."""
    if values.shape != result.shape or torch.equal(values, result):
        return values.shape == result.shape
    tolerance = max(RELATIVE_TOLERANCE * _find_scale(values), floor)
    return torch.allclose(result.to(values.dtype), values, rtol=0, atol=tolerance, equal_nan=True)


def _find_scale(values: Tensor) -> float:
    """Return the largest finite absolute value of a tensor, 0 if it has none."""
    return float(values.abs().nan_to_num(nan=0.0, posinf=0.0).max()) if values.numel() else 0.0


@contextmanager
def _restore_afterwards(module: nn.Module, untouched_module: nn.Module) -> Iterator[None]:
    """Give a module its mode, and its tensors the values of those of a copy, at the end.

    A factory may return one module again and again.
    """
    modes = [part.training for part in module.modules()]
    try:
        yield
    finally:
        for part, mode in zip(module.modules(), modes, strict=False):
            part.training = mode
        for values, first_values in zip(_list_tensors(module), _list_tensors(untouched_module), strict=False):
            if not is_lazy(first_values):  # What was lazy has no values to go back to.
                values.data = first_values.data.clone()


def _spoil(module: nn.Module) -> None:
    """Fill the parameters and buffers of floating point with NaN."""
    for values in _list_tensors(module):
        if values.is_floating_point() or values.is_complex():
            values.detach().fill_(torch.nan)


def _list_tensors(module: nn.Module) -> Iterator[Tensor]:
    """Yield the parameters and buffers of a module."""
    return itertools.chain(module.parameters(), module.buffers())
