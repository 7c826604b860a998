"""The torch operations that some code comes down to, as a list."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

aten = torch.ops.aten


class CannotRecordError(Exception):
    """The code reads values of tensors, or uses tensors whose origin is not known: another run may differ."""


@dataclass(eq=False)
class Value:
    """A tensor of the recorded code.

    Attributes
    ----------
    tensor : What it was while it was recorded; and in each replay, what it is then.
    is_fixed : Whether it lies at the same place in memory in every replay; its values may change.
    """

    tensor: Tensor
    is_fixed: bool = False


@dataclass(eq=False)
class Operation:
    """A call of a torch operation, with ``Value`` in place of tensors in its arguments."""

    function: Any
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    results: list[Value]

    @property
    def inputs(self) -> list[Value]:
        """The values among its arguments."""
        return list(_find_values((self.args, self.kwargs)))

    @property
    def is_write(self) -> bool:
        """Whether it changes an input."""
        return bool(self.function._schema.is_mutable)

    @property
    def is_view(self) -> bool:
        """Whether it returns views of its first input, and reads no values."""
        if self.function is aten._unsafe_view.default:
            return True
        return not self.is_write and any(result.alias_info is not None for result in self.function._schema.returns)

    @property
    def is_times_one(self) -> bool:
        """Whether it multiplies by the number 1: vmap's rule for the bias of a layer does."""
        if self.function is not aten.mul.Scalar or isinstance(self.args[1], bool) or self.args[1] != 1:
            return False
        return bool(self.args[0].tensor.dtype == self.results[0].tensor.dtype)

    def compute(self) -> Any:
        """Call the operation with the present tensors of its arguments."""
        return self.function(*take_tensors(self.args), **take_tensors(self.kwargs))


class Recorder(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Records the operations that run while this context is open, also those of autograd and below vmap.

    Parameters
    ----------
    inputs : Tensors that differ from run to run.
    """

    def __init__(self, inputs: Sequence[Value]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.operations: list[Operation] = []
        self._values = {id(value.tensor): value for value in inputs}
        self._addresses = {value.tensor.untyped_storage().data_ptr() for value in inputs}

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Return False: torch would import its compiler, which takes more than a second and is not used here."""
        return False

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Run an operation and record it."""
        if func is aten.lift_fresh.default:  # It returns a tensor that Python has made, for the code to change.
            func = aten.clone.default
        result = func(*args, **kwargs or {})
        recorded_args = _map_tensors(args, self.get_value)
        recorded_kwargs = _map_tensors(kwargs or {}, self.get_value)
        values = []
        for tensor in result if isinstance(result, list | tuple) else [result]:
            if isinstance(tensor, Tensor):
                values.append(self._values.setdefault(id(tensor), Value(tensor)))
                self._addresses.add(tensor.untyped_storage().data_ptr())
            elif tensor is None:  # a gradient that is not wanted
                values.append(Value(torch.empty(0)))
            else:
                raise CannotRecordError(f"{func} returns {type(tensor).__name__}")
        operation = Operation(func, recorded_args, recorded_kwargs, values)
        if not operation.is_write and not set(values).isdisjoint(operation.inputs):
            raise CannotRecordError(f"{func} returns its own input")
        self.operations.append(operation)
        return result

    def add_input(self, tensor: Tensor) -> Value:
        """Return the value of a further tensor that differs from run to run."""
        value = self._values[id(tensor)] = Value(tensor)
        self._addresses.add(tensor.untyped_storage().data_ptr())
        return value

    def get_value(self, tensor: Tensor) -> Value:
        """Return the value that a tensor was recorded as: a constant, if no recorded operation made its memory.

        Python code that computes a tensor from the values of others (``tolist``, ``numpy``) is not seen here: the probe
        lets no module with such code be stacked.
        """
        value = self._values.get(id(tensor))
        if value is None:
            if tensor.untyped_storage().data_ptr() in self._addresses and tensor.numel():
                raise CannotRecordError("a tensor is a view that was made in an unknown way")
            value = self._values[id(tensor)] = Value(tensor, is_fixed=True)
        return value


def remove_unused(operations: Sequence[Operation], outputs: Sequence[Value]) -> list[Operation]:
    """Return the operations that the outputs depend on, and those that write into an input."""
    used_values = set(outputs)
    used_operations = []
    for operation in reversed(operations):
        if operation.is_write or not used_values.isdisjoint(operation.results):
            used_operations.append(operation)
            used_values.update(operation.inputs)
    return used_operations[::-1]


def take_tensors(arguments: Any) -> Any:
    """Return arguments with the present tensor of each value in its place."""
    if isinstance(arguments, Value):
        return arguments.tensor
    if isinstance(arguments, tuple | list):
        return [take_tensors(item) for item in arguments]
    if isinstance(arguments, dict):
        return {name: take_tensors(item) for name, item in arguments.items()}
    return arguments


def _map_tensors(arguments: Any, function: Callable[[Tensor], Value]) -> Any:
    """Return arguments with the result of a function in place of each tensor."""
    if isinstance(arguments, Tensor):
        return function(arguments)
    if isinstance(arguments, tuple | list):
        return type(arguments)(_map_tensors(item, function) for item in arguments)
    if isinstance(arguments, dict):
        return {name: _map_tensors(item, function) for name, item in arguments.items()}
    return arguments


def _find_values(arguments: Any) -> Iterator[Value]:
    """Yield the values among arguments, each once for each place."""
    if isinstance(arguments, Value):
        yield arguments
    elif isinstance(arguments, tuple | list):
        for item in arguments:
            yield from _find_values(item)
    elif isinstance(arguments, dict):
        yield from _find_values(list(arguments.values()))
