"""The settings of one network, as pydantic models: names, defaults, rules.

Each block of a sweep file has a model here. Values are resolved when they are validated: a split
given as a fraction becomes a number of examples, ``depth`` and ``width`` become ``hidden``. So two
ways of writing one thing give one network. A setting that is added later must be declared with
``exclude_from_hash_while(default)``: it is then left out of a network's id while it has its default,
and older results stay valid.
"""

from kdtune.settings.base import Settings
from kdtune.settings.data import Digits, MakeClassification, Torchvision
from kdtune.settings.datasets import DATASET_KINDS, Dataset, DatasetSetting, list_classes
from kdtune.settings.factories import FactoryShape, ModuleShape, SklearnTeacher, TeacherModule
from kdtune.settings.given import GivenDataset
from kdtune.settings.models import (
    CNN,
    MLP,
    Layer,
    StudentMLP,
    TeacherCNN,
    TeacherMLP,
)
from kdtune.settings.module_facts import ModuleFacts
from kdtune.settings.networks import (
    STUDENT_KINDS,
    TEACHER_KINDS,
    Shape,
    ShapeSetting,
    StudentSetting,
    TeacherSetting,
)
from kdtune.settings.outputs import GivenLogits, GivenOutputs, GivenProbabilities
from kdtune.settings.sweep import Replicates, ReplicatesSetting, Resources, SweepHeader
from kdtune.settings.training import Distill, Precision, Train, Transfer

__all__ = [
    "CNN",
    "DATASET_KINDS",
    "MLP",
    "STUDENT_KINDS",
    "TEACHER_KINDS",
    "Dataset",
    "DatasetSetting",
    "Digits",
    "Distill",
    "FactoryShape",
    "GivenDataset",
    "GivenLogits",
    "GivenOutputs",
    "GivenProbabilities",
    "Layer",
    "MakeClassification",
    "ModuleFacts",
    "ModuleShape",
    "Precision",
    "Replicates",
    "ReplicatesSetting",
    "Resources",
    "Settings",
    "Shape",
    "ShapeSetting",
    "SklearnTeacher",
    "StudentMLP",
    "StudentSetting",
    "SweepHeader",
    "TeacherCNN",
    "TeacherMLP",
    "TeacherModule",
    "TeacherSetting",
    "Torchvision",
    "Train",
    "Transfer",
    "list_classes",
]
