"""Turn results that are dataclasses into columns of a frame."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


def to_columns(result: DataclassInstance) -> dict[str, Any]:
    """Return the fields of a result by name, without those that are None because the table lacks their measure."""
    columns = {field.name: getattr(result, field.name) for field in fields(result)}
    return {name: value for name, value in columns.items() if value is not None}
