"""Tables of the blocks of a sweep file, their kinds and their valid settings."""

from __future__ import annotations

from typing import Any, get_args, get_origin

from pydantic import BaseModel

from kdtune.settings import (
    CNN,
    DatasetSetting,
    Digits,
    Distill,
    MakeClassification,
    StudentMLP,
    StudentSetting,
    SweepHeader,
    TeacherCNN,
    TeacherMLP,
    TeacherSetting,
    Torchvision,
    Train,
    Transfer,
)
from kdtune.spec.yaml_tree import SettingPath, YamlNode

# The blocks, each with its type for pydantic. Cases are in their order, so that the last block varies fastest.
BLOCKS: dict[str, Any] = {
    "dataset": DatasetSetting,
    "transfer": Transfer,
    "train": Train,
    "teacher": TeacherSetting,
    "student": StudentSetting,
    "distill": Distill,
}
# The blocks of several kinds. Where a kind is wrong or missing, messages are about the first one.
KINDS: dict[str, dict[str, type[BaseModel]]] = {
    "dataset": {"make_classification": MakeClassification, "digits": Digits, "torchvision": Torchvision},
    "teacher": {"mlp": TeacherMLP, "cnn": TeacherCNN},
    "student": {"mlp": StudentMLP, "cnn": CNN},
}
# The other blocks; the empty name stands for the settings that belong to no block.
_MODELS_OF_ONE_KIND: dict[str, type[BaseModel]] = {
    "": SweepHeader,
    "transfer": Transfer,
    "train": Train,
    "distill": Distill,
}
REQUIRED_BLOCKS = ("dataset", "teacher", "student", "distill")
BLOCKS_WITH_TRAIN = ("teacher", "student", "distill")  # These may override the settings of ``train``.


def list_valid_settings(block_name: str, node: YamlNode, path: SettingPath) -> list[str]:
    """List the settings that may stand where a mistake was made.

    Parameters
    ----------
    block_name : The name of the block with the mistake; empty for the settings that belong to no block.
    node : The block as it is written.
    path : The path from the block to the mistake.
    """
    model = _get_model(block_name, node)
    if len(path) > 1 and path[0] in model.model_fields:
        inner_model = model.model_fields[str(path[0])].annotation
        if isinstance(inner_model, type) and issubclass(inner_model, BaseModel):
            return list(inner_model.model_fields)
    settings = list(model.model_fields)
    return [*settings, "train"] if block_name in BLOCKS_WITH_TRAIN else settings


def _get_model(block_name: str, node: YamlNode) -> type[BaseModel]:
    if block_name not in KINDS:
        return _MODELS_OF_ONE_KIND[block_name]
    models = KINDS[block_name]
    kind = node.find(("kind",))
    if kind is not None and isinstance(kind.value, str) and kind.value in models:
        return models[kind.value]
    return next(iter(models.values()))


def _takes_list(annotation: Any) -> bool:
    return get_origin(annotation) is list or any(_takes_list(argument) for argument in get_args(annotation))


# The settings that take a list, so that a list given to them is no grid.
LIST_SETTINGS = {
    name
    for model in (StudentMLP, CNN, Distill, Transfer)
    for name, field in model.model_fields.items()
    if _takes_list(field.annotation)
}
