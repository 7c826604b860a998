"""The blocks of a sweep file: which there are, of which kinds, and which settings may stand in them."""

from __future__ import annotations

from typing import Any, get_args, get_origin

from pydantic import BaseModel

from kdtune.settings import (
    CNN,
    Dataset,
    Digits,
    Distill,
    MakeClassification,
    Student,
    StudentMLP,
    SweepHeader,
    Teacher,
    TeacherCNN,
    TeacherMLP,
    Torchvision,
    Train,
    Transfer,
)
from kdtune.spec.yaml_tree import YamlNode

BLOCKS: dict[str, Any] = {  # In the order of the grid: the last block varies fastest.
    "dataset": Dataset,
    "transfer": Transfer,
    "train": Train,
    "teacher": Teacher,
    "student": Student,
    "distill": Distill,
}
# Blocks of several kinds. The first kind stands for one that is wrong or not given.
KINDS: dict[str, dict[str, type[BaseModel]]] = {
    "dataset": {"make_classification": MakeClassification, "digits": Digits, "torchvision": Torchvision},
    "teacher": {"mlp": TeacherMLP, "cnn": TeacherCNN},
    "student": {"mlp": StudentMLP, "cnn": CNN},
}
REQUIRED_BLOCKS = ("dataset", "teacher", "student", "distill")
BLOCKS_WITH_TRAIN = ("teacher", "student", "distill")  # These may override the settings of ``train``.


def list_valid_settings(block: str, node: YamlNode, path: tuple[int | str, ...]) -> list[str]:
    """List the settings that may stand where a mistake was made.

    Parameters
    ----------
    block : the block with the mistake; empty for the settings that belong to no block.
    node : the block as it was written.
    path : where in the block the mistake is.
    """
    model = _get_model(block, node)
    if len(path) > 1 and path[0] in model.model_fields:
        inner_model = model.model_fields[str(path[0])].annotation
        if isinstance(inner_model, type) and issubclass(inner_model, BaseModel):
            return list(inner_model.model_fields)
    settings = list(model.model_fields)
    return [*settings, "train"] if block in BLOCKS_WITH_TRAIN else settings


def _get_model(block: str, node: YamlNode) -> type[BaseModel]:
    if block in KINDS:
        models = KINDS[block]
        first_model = next(iter(models.values()))
        kind = node.find(["kind"])
        return models.get(kind.value, first_model) if kind and isinstance(kind.value, str) else first_model
    models_by_block: dict[str, type[BaseModel]] = {"": SweepHeader, "transfer": Transfer, "distill": Distill}
    return models_by_block.get(block, Train)


def _takes_list(annotation: Any) -> bool:
    return get_origin(annotation) is list or any(_takes_list(argument) for argument in get_args(annotation))


LIST_SETTINGS = {
    name
    for model in (StudentMLP, CNN, Distill, Transfer)
    for name, field in model.model_fields.items()
    if _takes_list(field.annotation)
}
