"""Whether code hands the values of tensors to Python in ways that neither ``vmap`` nor a recorder sees."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

aten = torch.ops.aten

# Methods that hand the memory of a tensor to Python, past torch's dispatcher.
_MEMORY_READERS = frozenset({"tolist", "numpy", "__array__", "__dlpack__", "data_ptr", "untyped_storage", "storage"})


class ReadWatcher(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Notes the first read of values that a stack could not do, while this context and ``functions`` are open.

    Values may be read if they are the same for all examples and parameters: a mask that is a buffer, for instance.
    What ``vmap`` refuses itself, where each member has examples of its own, is not noted: ``item``, branches, shapes
    that depend on values.

    Parameters
    ----------
    inputs : The examples, and the parameters.

    Attributes
    ----------
    first_read : What is read, as part of a sentence; None if nothing is.
    functions : A context that sees the functions which read memory past the dispatcher.
    """

    def __init__(self, inputs: Sequence[Tensor]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.first_read: str | None = None
        self.functions = _FunctionWatcher(self)
        self._dependent_tensors: dict[int, Tensor] = {}  # by the id of their memory; a tensor keeps it alive
        self._add_dependent(inputs)

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Return False: torch would import its compiler, which takes more than a second and is not used here."""
        return False

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Run an operation, and note what depends on the inputs."""
        result = func(*args, **kwargs or {})
        with torch._C.DisableTorchFunction():  # which the other watcher would watch
            arguments = _list_tensors((args, kwargs))
            if any(map(self.is_dependent, arguments)):
                self._add_dependent(_list_tensors(result))
                if func._schema.is_mutable:
                    self._add_dependent(arguments)
                # Its gradient is 0 in torch, and under `vmap` in the first member alone.
                if func is aten.embedding.default and len(args) > 2 and args[2] >= 0:
                    self.note("vmap trains the row of padding_idx of nn.Embedding")
        return result

    def is_dependent(self, tensor: Tensor) -> bool:
        """Return whether a tensor lies in memory that depends on the inputs."""
        return _get_memory_id(tensor) in self._dependent_tensors

    def note(self, what: str) -> None:
        """Note a read if it is the first."""
        self.first_read = self.first_read or what

    def _add_dependent(self, tensors: Sequence[Tensor]) -> None:
        """Note that tensors depend on the inputs."""
        for tensor in tensors:
            self._dependent_tensors.setdefault(_get_memory_id(tensor), tensor.detach())


class _FunctionWatcher(TorchFunctionMode):
    """Notes methods that read memory past the dispatcher, for a ``ReadWatcher``."""

    def __init__(self, watcher: ReadWatcher) -> None:
        super().__init__()
        self._watcher = watcher

    def __torch_function__(
        self, function: Callable[..., Any], types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Call the function, and note it if it reads memory."""
        name = getattr(function, "__name__", "")
        if name in _MEMORY_READERS and any(map(self._watcher.is_dependent, _list_tensors((args, kwargs)))):
            self._watcher.note(f"{name} in forward reads values that depend on the data")
        return function(*args, **kwargs or {})


def _list_tensors(arguments: Any) -> list[Tensor]:
    """Return the tensors among arguments."""
    return [item for item in tree_leaves(arguments) if isinstance(item, Tensor)]


def _get_memory_id(tensor: Tensor) -> int:
    """Return what tells the memory of a tensor from that of others."""
    return int(tensor.untyped_storage()._cdata)
