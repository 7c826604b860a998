"""Modules that a function or class of the user's builds: calls to it, and its mistakes in plain words."""

from __future__ import annotations

import inspect
import math
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from kdtune.inputs.forward_outputs import describe_no_tensor, name_type
from kdtune.inputs.user_code import describe_user_error
from kdtune.stacked.module_copies import CopyError, check_copy, check_parameters, copy_module, move_module
from kdtune.stacked.random_streams import RandomStreams

GIVEN_NAMES = ("inputs", "n_classes")  # what kdtune passes to a factory whose signature names it
OUTPUT_NAMES = ("n_out", "out_features", "outputs", "n_outputs", "num_outputs", "output_dim")  # of others' factories
CHECKED_BATCH = 2  # examples of the batch that a new module is tried on


def build_user_module(
    factory: Callable[..., Any],
    args: Mapping[str, Any],
    input_shape: tuple[int, ...],
    n_classes: int,
    seed: int | None,
    dtype: torch.dtype = torch.float32,
    is_trained: bool = False,
    copy_examples: Tensor | None = None,
) -> nn.Module:
    """Build a module of the user's and check that it maps a batch to logits.

    Parameters
    ----------
    factory : Function, or subclass of ``nn.Module``. It gets those of ``inputs`` (the shape of one example) and
        ``n_classes`` that its signature names, and ``args``.
    args : Further arguments by name.
    input_shape : Shape of one example: (features,), or (channels, height, width) of an image.
    n_classes : Number of logits.
    seed : Seed of the module's own initialization: of torch's, Python's and NumPy's global generators, whose
        states are restored. None leaves the generators as they are, and the module as they make it.
    dtype : Type of its parameters; complex ones get the complex type that belongs to it.
    is_trained : Whether it is used as it is: it then needs no parameter that can be trained.
    copy_examples : Examples, (batch, *input_shape), on which to check that a copy of the module, which is what the
        function returns, computes the same; None checks nothing.

    Returns
    -------
    The module, in training mode. The same seed gives the same bits.

    Raises
    ------
    ValueError
        If the arguments do not fit the signature, if the user's code raises (the message says what, and the line
        of the user's file), or if the result is no module, cannot be copied, has no parameters to train or one that
        kdtune cannot train, or gives no logits.
    """
    arguments = select_arguments(factory, args, input_shape, n_classes)
    with RandomStreams(seed):
        with describe_user_errors(factory), warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Initializing zero-element tensors")  # They are refused below.
            module = factory(**arguments)
        if not isinstance(module, nn.Module):
            raise ValueError(
                f"{get_name(factory)} returns {name_type(module)}; a PyTorch module (torch.nn.Module) is right"
            )
        try:
            if not is_trained:
                check_parameters(module)
            # A copy, since a factory may return one module again and again, and training would go on with its weights.
            try:
                copied_module = copy_module(module)
            except Exception as error:
                problem = describe_user_error(error)
                raise CopyError(f"cannot be copied, which kdtune does before it is used: {problem}") from error
            if copy_examples is not None:
                with describe_user_errors(factory):
                    check_copy(module, copied_module, copy_examples.to(dtype), is_trained)
        except CopyError as error:
            raise ValueError(f"the module of {get_name(factory)} {error}") from None
        move_module(copied_module, "cpu", dtype)
        # A lazy layer draws its initial weights in this call. Other modules may count their calls, and have had none.
        has_lazy_layer = any(map(is_lazy, copied_module.parameters()))
        checked_module = copied_module if has_lazy_layer else copy_module(copied_module, shares_parameters=True)
        check_logits(factory, checked_module, input_shape, n_classes, dtype)
    if not is_trained and not any(parameter.requires_grad for parameter in copied_module.parameters()):
        raise ValueError(
            f"{get_name(factory)} returns a module without a parameter that can be trained; "
            "at least one with requires_grad is right"
        )
    return copied_module.train()


def check_logits(
    factory: Callable[..., Any], module: nn.Module, input_shape: tuple[int, ...], n_classes: int, dtype: torch.dtype
) -> None:
    """Check in evaluation mode that the module maps a small batch to logits.

    Every other value is 1, the others 0. Both are ids of words: a module that masks the id of its padding, mostly one
    of the two, keeps a part of each example.

    Raises
    ------
    ValueError
        If it does not, see ``build_user_module``.
    """
    module.eval()
    example = ((torch.arange(math.prod(input_shape)) + 1) % 2).to(dtype).reshape(input_shape)
    x = torch.stack([example] * CHECKED_BATCH)
    with torch.no_grad(), describe_user_errors(factory):
        logits = module(x)
    expected_shape = (CHECKED_BATCH, n_classes)
    if not isinstance(logits, Tensor):
        raise ValueError(describe_no_tensor(get_name(factory), logits, n_classes))
    if tuple(logits.shape) != expected_shape:
        raise ValueError(
            f"the module of {get_name(factory)} returns logits of shape {tuple(logits.shape)}; "
            f"with {n_classes} classes {expected_shape} is right for a batch of {CHECKED_BATCH}"
            f"{_advise_on_classes(factory)}"
        )
    if not logits.is_floating_point():
        raise ValueError(
            f"the module of {get_name(factory)} returns logits of type {_name_dtype(logits.dtype)}; "
            "floating-point numbers are right"
        )


def _advise_on_classes(factory: Callable[..., Any]) -> str:
    """Return how to give the number of classes to a factory that has no parameter ``n_classes``."""
    try:
        names = list(inspect.signature(factory).parameters)
    except (TypeError, ValueError):  # of some functions that are written in C
        return ""
    if "n_classes" in names:
        return ""
    own_name = next((name for name in names if "class" in name.lower() or name.lower() in OUTPUT_NAMES), None)
    remedy = f"as in args: {{{own_name}: ...}}" if own_name else "or name a parameter n_classes, which kdtune fills"
    return f"; {get_name(factory)} takes no n_classes: give the number in args, {remedy}"


@contextmanager
def describe_user_errors(factory: Callable[..., Any]) -> Iterator[None]:
    """Turn an error of the user's code into a ``ValueError`` that names it and its line.

    ``SystemExit`` is such an error too: a factory that calls ``sys.exit`` must not end the command.
    """
    try:
        yield
    except CopyError:  # It is none of the user's code.
        raise
    except (Exception, SystemExit) as error:
        raise ValueError(f"{get_name(factory)} raised {describe_user_error(error)}") from error


def get_name(factory: Callable[..., Any]) -> str:
    """Return the name of a factory as its file gives it."""
    return str(getattr(factory, "__qualname__", None) or type(factory).__qualname__)


def select_arguments(
    factory: Callable[..., Any], args: Mapping[str, Any], input_shape: tuple[int, ...], n_classes: int
) -> dict[str, Any]:
    """Return the arguments that the factory is called with; raise ``ValueError`` if they do not fit its signature."""
    name = get_name(factory)
    for given_name in GIVEN_NAMES:
        if given_name in args:
            raise ValueError(f"args names {given_name!r}, which kdtune passes to {name} itself; leave it out of args")
    try:
        signature = inspect.signature(factory)
    except (TypeError, ValueError):  # of some functions that are written in C
        return dict(args)
    parameters = signature.parameters
    takes_any_name = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values())
    names = [
        parameter.name
        for parameter in parameters.values()
        if parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)
    ]
    for unknown_name in [] if takes_any_name else [key for key in args if key not in names]:
        own_names = [own_name for own_name in names if own_name not in GIVEN_NAMES]
        known = f"it takes {', '.join(own_names)}" if own_names else "it takes no arguments of its own"
        raise ValueError(f"args names {unknown_name!r}, which {name} does not take; {known}")
    given = {"inputs": tuple(input_shape), "n_classes": n_classes}
    arguments = {key: value for key, value in given.items() if key in names} | dict(args)
    missing_names = [
        parameter.name
        for parameter in parameters.values()
        if parameter.default is parameter.empty
        and parameter.kind not in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL)
        and parameter.name not in arguments
    ]
    if missing_names:
        missing = ", ".join(missing_names)
        raise ValueError(f"{name} needs {missing}; give a value in args, or a default in its signature")
    return arguments


def _name_dtype(dtype: torch.dtype) -> str:
    """Return the name of a type without the library's."""
    return str(dtype).removeprefix("torch.")
