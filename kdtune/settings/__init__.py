"""The settings of one network, as pydantic models: names, defaults, rules.

Each block of a sweep file has a model here. Values are resolved where they are checked: a split
given as a fraction becomes a number of examples, ``depth`` and ``width`` become ``hidden``. So two
ways of writing one thing give one network. A setting that is added later is declared with
``introduced``; it is left out of a network's id while it has that value (see ``identity``).
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
from kdtune.settings.sweep import RESERVED, Head, Replicates, Resources
from kdtune.settings.training import Distill, Precision, Train, Transfer

__all__ = [
    "CNN",
    "MLP",
    "RESERVED",
    "AnyDataset",
    "AnyShape",
    "Dataset",
    "Digits",
    "Distill",
    "Head",
    "Layer",
    "MakeClassification",
    "Precision",
    "Replicates",
    "Resources",
    "Settings",
    "Shape",
    "Student",
    "StudentMLP",
    "Teacher",
    "TeacherCNN",
    "TeacherMLP",
    "Torchvision",
    "Train",
    "Transfer",
]
