"""What a module does in its forward pass beside computing: draws of random numbers, changes, reads of values."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase
from torch.overrides import TorchFunctionMode

from kdtune.stacked.plain_state import describe_code_state, describe_state, find_difference
from kdtune.stacked.watched_values import ReadWatcher


def find_side_effect(module: nn.Module, x: Tensor) -> str | None:
    """Return what the module does in a forward pass that a stack cannot do, as part of a sentence; None if nothing.

    It is called in training mode with gradients, and in evaluation mode without. A branch that depends on values is
    for a trial of stacked modules to find.

    Parameters
    ----------
    module : Module whose layers of dropout draw no random numbers.
    x : A batch of examples.
    """
    for is_training in (True, False):
        module.train(is_training)
        parameters, buffers = _copy_values(module.named_parameters()), _copy_values(module.named_buffers())
        state, code_state = describe_state(module), describe_code_state(module)
        random_states = _get_random_states()
        draws, reads = _DrawWatcher(), ReadWatcher([x, *module.parameters()])
        with draws, reads.functions, reads, torch.set_grad_enabled(is_training):
            module(x.clone())
        if draws.first_draw is not None:
            return f"{draws.first_draw} in forward draws its own random numbers"
        for name, before, after in zip(("Python", "NumPy"), random_states, _get_random_states(), strict=True):
            if before != after:
                return f"forward draws random numbers from {name}"
        changed_buffer = _find_changed_tensor(buffers, dict(module.named_buffers()))
        if changed_buffer is not None:
            return _describe_changed_buffer(module, changed_buffer)
        changed_parameter = _find_changed_tensor(parameters, dict(module.named_parameters()))
        if changed_parameter is not None:
            return f"forward changes the parameter {changed_parameter}"
        changed_name = find_difference(state, describe_state(module))
        changed_name = changed_name or find_difference(code_state, describe_code_state(module))
        if changed_name is not None:
            return f"forward changes {changed_name}"
        if reads.first_read is not None:
            return reads.first_read
    return None


class _DrawWatcher(TorchFunctionMode):
    """Notes the first function of torch that draws random numbers, as the user's code names it."""

    def __init__(self) -> None:
        super().__init__()
        self.first_draw: str | None = None

    def __torch_function__(
        self, function: Callable[..., Any], types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Call the function, and compare the state of the generator after it with that before."""
        if self.first_draw is not None:
            return function(*args, **kwargs or {})
        state = torch.default_generator.get_state()
        result = function(*args, **kwargs or {})
        if not torch.equal(state, torch.default_generator.get_state()):
            name = getattr(function, "__name__", str(function))
            is_functional = (getattr(function, "__module__", None) or "").startswith("torch.nn.functional")
            self.first_draw = f"F.{name}" if is_functional else f"torch.{name}"
        return result


def _copy_values(named_tensors: Iterable[tuple[str, Tensor]]) -> dict[str, tuple[Tensor, Tensor]]:
    """Return each tensor with a copy of its values, by name."""
    return {name: (tensor, tensor.detach().clone()) for name, tensor in named_tensors}


def _find_changed_tensor(tensors: dict[str, tuple[Tensor, Tensor]], present_tensors: dict[str, Tensor]) -> str | None:
    """Return the name of a tensor that is another, or has other values, than ``_copy_values`` found; None if none."""
    for name, (tensor, values) in tensors.items():
        present = present_tensors.get(name)
        if present is not tensor or not torch.equal(present, values):
            return name
    return None


def _describe_changed_buffer(module: nn.Module, name: str) -> str:
    """Return which buffer has changed, as part of a sentence."""
    owner_path, _, buffer_name = name.rpartition(".")
    owner = module.get_submodule(owner_path)
    if isinstance(owner, _NormBase):
        return f"{type(owner).__name__} keeps running statistics"
    return f"{type(owner).__name__} changes its buffer {buffer_name} in forward"


def _get_random_states() -> tuple[Any, Any]:
    """Return the states of the generators of Python and NumPy."""
    numpy_state: Any = np.random.get_state()
    return random.getstate(), (numpy_state[1].tolist(), numpy_state[2:])
