"""What a module does in its forward pass beside computing: draws of random numbers, changes of itself."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase
from torch.overrides import TorchFunctionMode

# What PyTorch keeps in a module beside the user's own attributes.
_TORCH_ATTRIBUTES = frozenset(nn.Module().__dict__)


def find_side_effect(module: nn.Module, x: Tensor) -> str | None:
    """Return what the module does in a forward pass that a stack cannot do, as part of a sentence; None if nothing.

    It is called in training and in evaluation mode.

    Parameters
    ----------
    module : Module whose layers of dropout draw no random numbers.
    x : A batch of examples.
    """
    for is_training in (True, False):
        module.train(is_training)
        buffers = {name: (values, values.detach().clone()) for name, values in module.named_buffers()}
        attributes = _copy_attributes(module)
        states = _get_random_states()
        with _DrawWatcher() as watcher, torch.no_grad():
            module(x)
        if watcher.first_draw is not None:
            return f"{watcher.first_draw} in forward draws its own random numbers"
        for name, before, after in zip(("Python", "NumPy"), states, _get_random_states(), strict=True):
            if before != after:
                return f"forward draws random numbers from {name}"
        changed_buffer = _find_changed_buffer(module, buffers)
        if changed_buffer is not None:
            return changed_buffer
        changed_attributes = _copy_attributes(module)
        for name in attributes.keys() | changed_attributes.keys():
            if name not in attributes or attributes[name] != changed_attributes.get(name):
                return f"forward changes {name}"
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


def _find_changed_buffer(module: nn.Module, buffers: dict[str, tuple[Tensor, Tensor]]) -> str | None:
    """Return which buffer has changed, as part of a sentence.

    ``buffers`` are each buffer before the forward pass, and a copy of it.
    """
    present_buffers = dict(module.named_buffers())
    for name, (tensor, values) in buffers.items():
        present = present_buffers.get(name)
        if present is tensor and torch.equal(present, values):
            continue
        owner_path, _, buffer_name = name.rpartition(".")
        owner = module.get_submodule(owner_path)
        if isinstance(owner, _NormBase):
            return f"{type(owner).__name__} keeps running statistics"
        return f"{type(owner).__name__} changes its buffer {buffer_name} in forward"
    return None


def _copy_attributes(module: nn.Module) -> dict[str, Any]:
    """Return what tells whether the attributes of the module and its parts have changed, by their names."""
    marks = {}
    for path, part in module.named_modules():
        for name, value in vars(part).items():
            if name not in _TORCH_ATTRIBUTES and name != "queue":
                marks[".".join(["self", *filter(None, [path]), name])] = _mark(value)
    return marks


def _mark(value: Any) -> Any:
    """Return what tells whether a value has changed: a plain value itself, of others the identity."""
    if isinstance(value, bool | int | float | complex | str | bytes | None):
        return type(value).__name__, repr(value)
    if isinstance(value, list | tuple):
        return type(value).__name__, [_mark(item) for item in value]
    if isinstance(value, dict):
        return "dict", {key: _mark(item) for key, item in value.items()}
    if isinstance(value, Tensor):
        return id(value), value._version
    return id(value)


def _get_random_states() -> tuple[Any, Any]:
    """Return the states of the generators of Python and NumPy."""
    numpy_state: Any = np.random.get_state()
    return random.getstate(), (numpy_state[1].tolist(), numpy_state[2:])
