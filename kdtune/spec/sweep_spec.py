"""A validated sweep."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from kdtune.settings import AnyDataset, Distill, Replicates, Resources, Shape, Train, Transfer


@dataclass(frozen=True, slots=True)
class Case:
    """One point of the grid: all settings of a distilled student except its replicate.

    It stands for the teacher and the student without distillation, too.
    """

    dataset: AnyDataset
    transfer: Transfer
    teacher: Shape
    teacher_train: Train
    student: Shape
    student_train: Train  # of the student without distillation
    distill: Distill
    distill_train: Train  # of the distilled student


@dataclass(frozen=True)
class SweepSpec:
    """A validated sweep."""

    name: str
    seed: int
    replicates: Replicates
    resources: Resources
    cases: list[Case]
    source: dict[str, Any]  # the sweep file with its defaults filled in, grids and all
