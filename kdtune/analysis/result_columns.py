"""Turn results that are dataclasses into columns of a frame."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


def to_columns(result: DataclassInstance) -> dict[str, Any]:
    """Return the fields of a result by name, without those that are None because the table lacks their measure.

    A field that is a dataclass itself stands for its own fields.
    """
    columns: dict[str, Any] = {}
    for field in fields(result):
        value = getattr(result, field.name)
        if is_dataclass(value) and not isinstance(value, type):
            columns |= to_columns(value)
        elif value is not None:
            columns[field.name] = value
    return columns
