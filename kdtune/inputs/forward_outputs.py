"""What the ``forward`` of a user's module returns where it is no tensor, in words for the user."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from kdtune.text import join_names

MAX_PARTS = 4  # of an output, in a message
ORDINALS = ("first", "second", "third", "fourth")


def describe_no_tensor(name: str, output: Any, n_classes: int) -> str:
    """Say what a module returns in place of one tensor of logits, and what to return instead.

    Parameters
    ----------
    name : the name of the class or function that makes the module.
    output : what ``forward`` returned: a tuple, a mapping, an object with fields as Hugging Face's models return.
    n_classes : the number of logits.
    """
    need = f"one tensor of logits (n, {n_classes}) is needed"
    fields = _list_fields(output)
    if fields:
        descriptions = [f"{key}: {describe_value(value)}" for key, value in fields.items()]
        key = next((key for key, value in fields.items() if _is_logits(value, n_classes)), None)
        way = f"[{key!r}]" if isinstance(output, Mapping) else f".{key}"
        remedy = "return the logits alone" if key is None else f"return output{way}"
        kind = name_type(output)
    elif isinstance(output, Sequence) and not isinstance(output, str | bytes):
        descriptions = [describe_value(value) for value in output]
        index = next((i for i, value in enumerate(output) if _is_logits(value, n_classes)), None)
        is_named = index is not None and index < len(ORDINALS)
        remedy = f"return the {ORDINALS[index or 0]}" if is_named else "return the logits alone"
        kind = f"{name_type(output)} of {len(output)}"
    else:
        return f"forward of {name} returns {name_type(output)}; {need}: return it, or wrap the module"
    parts = f" ({join_names(descriptions, max_names=MAX_PARTS)})" if descriptions else ""
    return f"forward of {name} returns {kind}{parts}; {need}: {remedy}, or wrap the module"


def describe_value(value: Any) -> str:
    """Return a value in words: "a tensor (8, 4)", "a list", "None"."""
    shape = getattr(value, "shape", None)
    return name_type(value) if shape is None else f"a tensor {tuple(shape)}"


def name_type(value: Any) -> str:
    """Return the type of a value in words: "a list", "None"."""
    if value is None:
        return "None"
    name = type(value).__name__
    return f"an {name}" if name[0].lower() in "aeiou" else f"a {name}"


def _list_fields(output: Any) -> dict[str, Any]:
    """Return the parts of an output by name; none if its parts have no names."""
    if isinstance(output, Mapping):
        return dict(output)
    if hasattr(output, "_asdict"):  # a named tuple
        return dict(output._asdict())
    return dict(vars(output)) if hasattr(output, "logits") and hasattr(output, "__dict__") else {}


def _is_logits(value: Any, n_classes: int) -> bool:
    """Return whether a value has the shape of the logits of a batch."""
    shape = tuple(getattr(value, "shape", ()))
    return len(shape) == 2 and shape[1] == n_classes  # (batch, classes)
