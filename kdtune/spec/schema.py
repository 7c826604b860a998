"""Tables of the blocks of a sweep file, their kinds and their valid settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args, get_origin

from pydantic import BaseModel

from kdtune.settings import (
    CNN,
    DATASET_KINDS,
    STUDENT_KINDS,
    TEACHER_KINDS,
    DatasetSetting,
    Distill,
    Resources,
    StudentMLP,
    StudentSetting,
    SweepHeader,
    TeacherSetting,
    Train,
    Transfer,
)
from kdtune.settings.given_arrays import ARRAY_NAMES
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
    "dataset": DATASET_KINDS,
    "teacher": TEACHER_KINDS,
    "student": STUDENT_KINDS,
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


def get_models(block_name: str) -> Mapping[str, type[BaseModel]]:
    """Return the models of a block by its kinds; of a block of one kind, under the empty name."""
    return KINDS.get(block_name) or {"": _MODELS_OF_ONE_KIND[block_name]}


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
        annotation = model.model_fields[str(path[0])].annotation
        for inner_model in (annotation, *get_args(annotation)):  # ``SplitFiles | None`` has arguments.
            if isinstance(inner_model, type) and issubclass(inner_model, BaseModel):
                return list(inner_model.model_fields)
    settings = list(model.model_fields)
    return [*settings, "train"] if block_name in BLOCKS_WITH_TRAIN else settings


def list_paths_elsewhere(block_name: str) -> list[str]:
    """List the full paths of the settings outside a block, such as ``distill.T``.

    A block that may override ``train`` has its own paths to those settings, such as ``student.train.lr``.

    Parameters
    ----------
    block_name : The name of the block; empty for the settings that belong to no block.
    """
    # A data set may have a name, too, so that a ``name`` in a wrong place is not explained by the sweep's.
    paths = [name for name in (*SweepHeader.model_fields, *BLOCKS) if name != "name"]
    paths += [f"resources.{name}" for name in Resources.model_fields]
    is_network = block_name in ("teacher", "student")
    for name in BLOCKS:
        # What one network does not have because of its kind, the other network does not explain.
        if name == block_name or (is_network and name in ("teacher", "student")):
            continue
        models = KINDS[name].values() if name in KINDS else [_MODELS_OF_ONE_KIND[name]]
        settings = dict.fromkeys(setting for model in models for setting in model.model_fields)
        full_name = f"{block_name}.train" if name == "train" and block_name in BLOCKS_WITH_TRAIN else name
        paths += [f"{full_name}.{setting}" for setting in settings]
    return paths


def _get_model(block_name: str, node: YamlNode) -> type[BaseModel]:
    if block_name not in KINDS:
        return _MODELS_OF_ONE_KIND[block_name]
    models = KINDS[block_name]
    kind = node.find(("kind",))
    has_array_names = isinstance(node.value, dict) and not ARRAY_NAMES.isdisjoint(node.value)
    if block_name == "dataset" and kind is None and has_array_names:
        return models["arrays"]
    if kind is not None and isinstance(kind.value, str) and kind.value in models:
        return models[kind.value]
    return next(iter(models.values()))


def _takes(container: type, annotation: Any) -> bool:
    return get_origin(annotation) is container or any(_takes(container, argument) for argument in get_args(annotation))


def _list_settings_that_take(container: type) -> set[str]:
    return {
        name
        for model in (StudentMLP, CNN, Distill, Transfer, *DATASET_KINDS.values())
        for name, field in model.model_fields.items()
        if _takes(container, field.annotation)
    }


# The settings that take a list, so that a list given to them is no grid.
LIST_SETTINGS = _list_settings_that_take(list)
# The settings that take a mapping, so that a mapping given to them is no attempt at a grid.
MAPPING_SETTINGS = _list_settings_that_take(dict)
