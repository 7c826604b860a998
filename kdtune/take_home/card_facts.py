"""What a model card says, before it is written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from kdtune.analysis.answer import Answer
from kdtune.take_home.calibration import Calibration
from kdtune.take_home.choice import Choice
from kdtune.take_home.figures import SplitFigures
from kdtune.take_home.networks import TakenNetwork
from kdtune.take_home.preprocessing import Preprocessing
from kdtune.take_home.replicate_facts import ReplicateFacts
from kdtune.take_home.speed import Timings


@dataclass(frozen=True)
class CardFacts:
    """All that a card says."""

    sweep_name: str
    taken: TakenNetwork
    choice: Choice
    answer: Answer | None
    replicates: ReplicateFacts
    preprocessing: Preprocessing
    classes: Sequence[Any]
    class_names: Sequence[str]
    figures: SplitFigures
    calibration: Calibration | None
    inputs: str
    """What ``predict.py`` is given in an example."""
    files: Mapping[str, str]
    onnx: str
    code_lines: Sequence[str]
    options: Sequence[str]
    versions: Mapping[str, str]
    notes: Sequence[str]
    timings: Timings | None = None
    teacher_timings: Timings | None = None
    timing_sentences: Sequence[str] = field(default_factory=list)
