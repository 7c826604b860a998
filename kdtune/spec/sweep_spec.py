"""The types of a validated sweep."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kdtune.settings import Dataset, Distill, Replicates, Resources, Shape, Train, Transfer


@dataclass(frozen=True, slots=True)
class Case:
    """One point of the grid: all settings of a distilled student except its replicate.

    It stands for the teacher and the student without distillation, too.
    """

    dataset: Dataset
    transfer: Transfer
    teacher: Shape
    teacher_train: Train
    student: Shape
    student_train: Train  # For the student without distillation.
    distill: Distill
    distill_train: Train  # For the distilled student.


@dataclass(frozen=True)
class SweepSpec:
    """A sweep file that was validated: its cases, and the settings that they share."""

    name: str
    seed: int
    replicates: Replicates
    select: str  # The measure that T is chosen by.
    resources: Resources
    cases: list[Case]
    filled_sweep: dict[str, Any]  # The sweep file with its defaults filled in; grids stay grids.
    notes: tuple[str, ...] = ()  # What was assumed or matched in what the user brings, as sentences.
    source_paths: tuple[str, ...] = ()  # Stored inputs that the sweep names itself.
    located_paths: tuple[tuple[str, Path], ...] = ()  # Files and folders of the user's, as written and where they lie.

    def list_stored_paths(self) -> list[str]:
        """List the paths of the inputs that a sweep writes before it trains."""
        paths: dict[str, None] = dict.fromkeys(self.source_paths)
        for case in self.cases:
            for settings in (case.dataset, case.teacher, case.student):
                paths |= dict.fromkeys(settings.list_stored_paths())
        return list(paths)
