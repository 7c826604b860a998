"""The settings of one network, as pydantic models: names, defaults, rules.

Each block of a sweep file has a model here. Values are resolved when they are validated: a split
given as a fraction becomes a number of examples, ``depth`` and ``width`` become ``hidden``. So two
ways of writing one thing give one network. A setting that is added later must be declared with
``exclude_from_hash_while(default)``: it is then left out of a network's id while it has its default,
and older results stay valid.
"""

from kdtune.settings.base import Settings
from kdtune.settings.data import AnyDataset, Dataset, Digits, MakeClassification, Torchvision
from kdtune.settings.models import (
    CNN,
    MLP,
    AnyShape,
    Layer,
    Shape,
    Student,
    StudentMLP,
    Teacher,
    TeacherCNN,
    TeacherMLP,
)
from kdtune.settings.sweep import RESERVED_NAMES, Replicates, ReplicatesSetting, Resources, SweepHeader
from kdtune.settings.training import Distill, Precision, Train, Transfer

__all__ = [
    "CNN",
    "MLP",
    "RESERVED_NAMES",
    "AnyDataset",
    "AnyShape",
    "Dataset",
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
    "Student",
    "StudentMLP",
    "SweepHeader",
    "Teacher",
    "TeacherCNN",
    "TeacherMLP",
    "Torchvision",
    "Train",
    "Transfer",
]
