"""The settings of one network, as pydantic models: names, defaults, rules.

Each block of a sweep file has a model here. Values are resolved when they are validated: a split
given as a fraction becomes a number of examples, ``depth`` and ``width`` become ``hidden``. So two
ways of writing one thing give one network. A setting that is added later must be declared with
``exclude_from_hash_while(default)``: it is then left out of a network's id while it has its default,
and older results stay valid.
"""

from kdtune.settings.base import Settings
from kdtune.settings.data import Dataset, DatasetSetting, Digits, MakeClassification, Torchvision
from kdtune.settings.models import (
    CNN,
    MLP,
    Layer,
    Shape,
    ShapeSetting,
    StudentMLP,
    StudentSetting,
    TeacherCNN,
    TeacherMLP,
    TeacherSetting,
)
from kdtune.settings.sweep import Replicates, ReplicatesSetting, Resources, SweepHeader
from kdtune.settings.training import Distill, Precision, Train, Transfer

__all__ = [
    "CNN",
    "MLP",
    "Dataset",
    "DatasetSetting",
    "Digits",
    "Distill",
    "Layer",
    "MakeClassification",
    "Precision",
    "Replicates",
    "ReplicatesSetting",
    "Resources",
    "Settings",
    "Shape",
    "ShapeSetting",
    "StudentMLP",
    "StudentSetting",
    "SweepHeader",
    "TeacherCNN",
    "TeacherMLP",
    "TeacherSetting",
    "Torchvision",
    "Train",
    "Transfer",
]
