"""The blocks of a sweep file: which there are, of which kinds, and which settings may stand in them."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from kdtune.settings import (
    CNN,
    Dataset,
    Digits,
    Distill,
    Head,
    MakeClassification,
    Student,
    StudentMLP,
    Teacher,
    TeacherCNN,
    TeacherMLP,
    Torchvision,
    Train,
    Transfer,
)  # fmt: skip
from kdtune.spec.yaml_tree import YamlNode

BLOCKS: dict[str, Any] = {  # in the order of the grid: the last varies fastest
    "dataset": Dataset,
    "transfer": Transfer,
    "train": Train,
    "teacher": Teacher,
    "student": Student,
    "distill": Distill,
}
# Blocks of several kinds; the first stands for one whose kind is wrong or not given.
KINDS: dict[str, dict[str, type[BaseModel]]] = {
    "dataset": {"make_classification": MakeClassification, "digits": Digits, "torchvision": Torchvision},
    "teacher": {"mlp": TeacherMLP, "cnn": TeacherCNN},
    "student": {"mlp": StudentMLP, "cnn": CNN},
}
REQUIRED = ("name", "dataset", "teacher", "student", "distill")


def list_known_settings(block: str, node: YamlNode, path: tuple[int | str, ...]) -> list[str]:
    """The settings that may stand where ``path`` points, for "did you mean"."""
    model: Any = {**BLOCKS, "": Head}.get(block, Train)
    if block in KINDS:
        kind = node.value.get("kind") if isinstance(node.value, dict) else None
        kinds = KINDS[block]
        model = kinds.get(kind.value if kind and isinstance(kind.value, str) else "", next(iter(kinds.values())))
    if len(path) > 1 and path[0] in model.model_fields:
        inner = model.model_fields[str(path[0])].annotation
        model = inner if isinstance(inner, type) and issubclass(inner, BaseModel) else model
    return [*model.model_fields, *(["train"] if block in ("teacher", "student", "distill") else [])]
