"""Modules of the user's that were trained elsewhere, with their weights."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from kdtune.inputs.errors import InputError
from kdtune.stacked.user_modules import build_user_module
from kdtune.text import format_on_one_line, join_names

MAX_MESSAGE = 400  # characters of torch's message about weights, which names all layers
MAX_NAMES = 5  # of the parts of a checkpoint, in a message
_PARALLEL_PREFIX = "module."  # torch.nn.parallel.DistributedDataParallel and DataParallel keep a module as `module`


def build_trained_module(
    factory: Callable[..., Any],
    args: Mapping[str, Any],
    input_shape: tuple[int, ...],
    n_classes: int,
    weights: Path | None,
    copy_examples: Tensor | None = None,
) -> nn.Module:
    """Build a module of the user's, load its weights, and return it in evaluation mode.

    Parameters
    ----------
    factory, args, input_shape, n_classes, copy_examples : As for ``build_user_module``.
    weights : A ``.safetensors`` file, or a ``.pt`` file with a state dict; None if the factory loads them itself.

    Raises
    ------
    ValueError
        If the module cannot be built.
    InputError
        If its weights cannot be read or do not fit.
    """
    module = build_user_module(
        factory, args, input_shape, n_classes, seed=None, is_trained=True, copy_examples=copy_examples
    )
    if weights is not None:
        state = read_state(weights)
        if all(name.startswith(_PARALLEL_PREFIX) for name in state) and not any(
            name.startswith(_PARALLEL_PREFIX) for name in module.state_dict()
        ):
            raise InputError(
                f"{weights} does not fit the module: all names in it begin with {_PARALLEL_PREFIX!r}, as "
                "DistributedDataParallel and DataParallel write them; save model.module.state_dict()",
                "weights",
            )
        try:
            module.load_state_dict(state)
        except RuntimeError as error:
            problem = _shorten(format_on_one_line(error))
            raise InputError(f"{weights} does not fit the module: {problem}", "weights") from None
    return module.eval()


def _shorten(text: str) -> str:
    """Return a message without the end of its list of all layers."""
    if len(text) <= MAX_MESSAGE:
        return text
    return f"{text[:MAX_MESSAGE]} ... (are factory and `args` those that the file was saved from?)"


def read_state(path: Path) -> dict[str, Tensor]:
    """Read the weights of a module by name; nothing but tensors is read.

    Raises
    ------
    InputError
        If the file is torn, or holds anything but tensors by name.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    if path.suffix == ".safetensors":
        try:
            tensors: dict[str, Tensor] = load_file(path)
        except SafetensorError:
            raise InputError(f"{path} cannot be read: the file is torn or no safetensors file", "weights") from None
        return tensors
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError):
        raise InputError(
            f"{path} holds more than weights, or is torn; save module.state_dict(), best with safetensors", "weights"
        ) from None
    if isinstance(state, dict) and isinstance(state.get("state_dict"), dict):
        state = state["state_dict"]  # As training libraries keep it beside the state of the optimizer.
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        names = f" (it has {join_names(list(state)[:MAX_NAMES])})" if isinstance(state, dict) else ""
        raise InputError(
            f"{path} holds no weights by name{names}; save module.state_dict() alone, best with safetensors", "weights"
        )
    return state
