"""What a module holds beside its parameters and buffers, as values that can be compared: attributes, hooks, globals."""

from __future__ import annotations

import types
import warnings
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from kdtune.inputs.user_code import is_user_file
from kdtune.stacked.masked_dropout import MaskQueue

# What PyTorch keeps in a module beside the user's own attributes.
_TORCH_ATTRIBUTES = frozenset(nn.Module().__dict__)
_PLAIN_TYPES = (bool, int, float, complex, str, bytes, type(None), torch.dtype, torch.device)


def describe_state(module: nn.Module) -> dict[str, Any]:
    """Return what tells whether two modules hold the same beside the values of their parameters and buffers.

    The values of the mapping, by readable names such as ``self.head.scale``, can be compared by ``==``. They tell the
    parts of the module and their parameters, hooks and attributes. Of an attribute, what ``copy.deepcopy`` would copy
    counts: the state of a generator or an iterator, the attributes of an object, all values of an array.
    """
    marker = _Marker(module)
    state: dict[str, Any] = {}
    for path, part in module.named_modules():
        label = ".".join(filter(None, ["self", path]))
        parameters = [
            (name, values.requires_grad, values.shape) for name, values in part.named_parameters(recurse=False)
        ]
        parts = [name for name, _ in [*part.named_children(), *part.named_buffers(recurse=False)]]
        state[f"the layers in {label}"] = [type(part).__qualname__, parts, parameters]
        for name, value in vars(part).items():
            if name.endswith("_hooks"):
                state[f"{label}.{name}"] = [marker.mark(hook) for hook in (value or {}).values()]
            elif name not in _TORCH_ATTRIBUTES:
                state[f"{label}.{name}"] = marker.mark(value)
    return state


def describe_code_state(module: nn.Module) -> dict[str, Any]:
    """Return the same of what the user's code holds outside of the module: attributes of classes, and globals."""
    marker = _Marker(module)
    kinds = dict.fromkeys(kind for part in module.modules() for kind in type(part).__mro__)
    state = {f"the class {kind.__name__}": marker.mark(kind) for kind in kinds}
    return state | {f"the global variable {name}": mark for name, mark in marker.marks_of_globals.items()}


def find_difference(state: dict[str, Any], other: dict[str, Any]) -> str | None:
    """Return the name of something that two states do not share; None if they are equal."""
    for name in [*state, *other]:
        if name not in state or name not in other or state[name] != other[name]:
            return name
    return None


class _Marker:
    """Turns objects into values that can be compared.

    Parameters
    ----------
    module : Module whose own parts, parameters and buffers stand for themselves.
    """

    def __init__(self, module: nn.Module) -> None:
        self.marks_of_globals: dict[str, Any] = {}
        named_objects = [
            *module.named_modules(),
            *module.named_parameters(remove_duplicate=False),
            *module.named_buffers(remove_duplicate=False),
        ]
        self._marks_by_id: dict[int, Any] = {id(value): ("part of the module", name) for name, value in named_objects}
        self._kept_objects: list[Any] = []  # so that no other object gets the id of one

    def mark(self, value: Any) -> Any:
        """Return what tells whether another value is the same."""
        if isinstance(value, _PLAIN_TYPES):
            return type(value).__name__, repr(value)
        if isinstance(value, types.ModuleType | types.BuiltinFunctionType | MaskQueue):
            return type(value).__name__, getattr(value, "__name__", "")
        if id(value) in self._marks_by_id:
            return self._marks_by_id[id(value)]
        self._marks_by_id[id(value)] = ("seen", len(self._marks_by_id))
        self._kept_objects.append(value)
        return type(value).__qualname__, self._mark_contents(value)

    def _mark_contents(self, value: Any) -> Any:
        """Return the marks of what an object is made of."""
        if isinstance(value, Tensor):
            return value.dtype, value.shape, _get_bytes(value)
        if isinstance(value, types.FunctionType):
            return self._mark_function(value)
        if isinstance(value, type):
            return self._mark_class(value)
        if isinstance(value, types.MethodType):
            return self.mark(value.__func__), self.mark(value.__self__)
        if isinstance(value, property | staticmethod | classmethod):
            return [self.mark(part) for part in _list_functions(value)]
        if isinstance(value, list | tuple):
            return [self.mark(item) for item in value]
        if isinstance(value, dict):
            return [(self.mark(key), self.mark(item)) for key, item in value.items()]
        if isinstance(value, set | frozenset):
            return sorted(map(repr, value))
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # Python is about to give up copies of some iterators.
                reduced = value.__reduce_ex__(4)
        except Exception:  # nor could it be copied
            return self.mark(vars(value)) if hasattr(value, "__dict__") else None
        if isinstance(reduced, str):
            return reduced
        # The fourth and fifth part are iterators of the items of lists and mappings.
        return [self.mark(list(part) if i > 2 and part is not None else part) for i, part in enumerate(reduced[:5])]

    def _mark_class(self, kind: type) -> Any:
        """Return the marks of the attributes and methods of a class of the user's."""
        methods = [value for value in vars(kind).values() if isinstance(value, types.FunctionType)]
        if not any(_is_of_user(method.__code__.co_filename) for method in methods):
            return kind.__module__, kind.__qualname__
        own_names = [name for name, value in vars(kind).items() if not name.startswith("__") or value in methods]
        return [(name, self.mark(vars(kind)[name])) for name in own_names]

    def _mark_function(self, function: types.FunctionType) -> Any:
        """Return the marks of what a function of the user's keeps, and note those of the globals that it names."""
        code = function.__code__
        if not _is_of_user(code.co_filename):
            return function.__module__, function.__qualname__
        for name in _list_names(code):
            if name in function.__globals__ and name not in self.marks_of_globals:
                self.marks_of_globals[name] = None  # It may name itself.
                self.marks_of_globals[name] = self.mark(function.__globals__[name])
        cells = [self._mark_cell(cell) for cell in function.__closure__ or ()]
        kept = (function.__defaults__, function.__kwdefaults__, vars(function))
        return code, cells, [self.mark(part) for part in kept]

    def _mark_cell(self, cell: types.CellType) -> Any:
        """Return the mark of what a variable of an enclosing function holds, if it holds something yet."""
        try:
            return self.mark(cell.cell_contents)
        except ValueError:
            return None


@lru_cache
def _is_of_user(file_name: str) -> bool:
    """Return whether a file of code is the user's."""
    return is_user_file(Path(file_name))


def _get_bytes(values: Tensor) -> bytes:
    """Return the values of a tensor as bytes."""
    return values.detach().cpu().contiguous().resolve_conj().reshape(-1).view(torch.uint8).numpy().tobytes()


def _list_functions(value: Any) -> list[Any]:
    """Return the functions of a property, or of a static or class method."""
    return [value.fget, value.fset, value.fdel] if isinstance(value, property) else [value.__func__]


def _list_names(code: types.CodeType) -> Iterator[str]:
    """Yield the names that a function's code, and that of functions inside, uses."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _list_names(constant)
