"""Train the students of the estimator as kdtune's sweeps do, in this process and in memory: no Ray, no folder."""

from __future__ import annotations

import math
import platform
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Literal, cast

import numpy as np
import numpy.typing as npt

from kdtune.columns import BASELINE, DEVICE, HOST, SECONDS
from kdtune.data.load import load_data
from kdtune.estimator.recipe import Recipe
from kdtune.estimator.teacher_source import TeacherSource, hide_warnings
from kdtune.inputs.arrays import store_array
from kdtune.inputs.given_data import GivenData, Part, PartName
from kdtune.inputs.storage import forget_inputs
from kdtune.plan.enumerate_networks import enumerate_networks
from kdtune.plan.network import Network
from kdtune.plan.plan import make_plan
from kdtune.settings import Dataset, Distill, Replicates, Resources, Shape, Transfer
from kdtune.settings.given_arrays import Arrays
from kdtune.settings.models import UnlayeredShape
from kdtune.spec.sweep_spec import Case, SweepSpec
from kdtune.stacked.threads import run_on_threads
from kdtune.train.evaluate import evaluate
from kdtune.train.logits import Logits
from kdtune.train.rows import make_row
from kdtune.train.train_pack import train_pack
from kdtune.train.trained_network import TrainedNetwork

_ALL_CLASSES = Transfer()


class EstimatorTeacher(UnlayeredShape):
    """The settings of a teacher that is an object of this process, for the table: no sweep file could name it."""

    kind: Literal["estimator"] = "estimator"
    name: str
    soft_targets: str
    is_frozen: bool

    is_trained_by_steps: ClassVar[bool] = False

    @property
    def is_redrawn(self) -> bool:  # type: ignore[override]
        """Whether replicates of it differ: one that was trained before is one."""
        return not self.is_frozen

    def make_weights_key(self) -> list[Any]:
        """Return what the teacher's seed depends on."""
        return [self.name]

    def to_columns(self) -> dict[str, Any]:
        """Return the values for the table's columns."""
        return {"architecture": self.name, "soft_targets": self.soft_targets}


@dataclass(frozen=True)
class Problem:
    """What students learn, and from whom.

    Attributes
    ----------
    x : the features as numbers, (rows, features).
    teachers : makes the teachers, and has the classes of all rows.
    recipe : the settings of the students.
    seed : the seed of all that is random.
    """

    x: npt.NDArray[Any]
    teachers: TeacherSource
    recipe: Recipe
    seed: int


@dataclass(frozen=True)
class Trained:
    """What was trained.

    Attributes
    ----------
    networks : the results of all networks, teachers first.
    teachers : the teachers by the id of their network.
    """

    networks: list[TrainedNetwork]
    teachers: dict[str, Any]


def count_validation_rows(problem: Problem) -> int | None:
    """Return how many rows are drawn for validation; None if there are too few rows for that.

    The draw is stratified: each class that has two rows or more needs one in either part.
    """
    counts = np.bincount(problem.teachers.y)
    n_classes, n_rows = int((counts > 1).sum()), int(counts[counts > 1].sum())
    n_val = max(n_classes, math.ceil(problem.recipe.validation_fraction * len(problem.x)))
    return n_val if n_classes > 1 and n_rows - n_val >= n_classes else None


def train_for_comparison(problem: Problem, n_val: int) -> Trained:
    """Train a teacher, a baseline and a student at each temperature, in each replicate, and measure them.

    Each replicate draws ``n_val`` rows, stratified by class, on which they are measured and nothing is trained.
    """
    with _store_data(problem, n_val) as dataset:
        networks = list(enumerate_networks(_make_spec(problem, dataset, problem.recipe.temperatures)))
        return _train_networks(problem, networks, keep_weights=False)


def train_on_all_rows(problem: Problem, T: float) -> Trained:
    """Train a teacher and a student at one temperature on all rows; what is measured is measured on these rows, too."""
    recipe = replace(problem.recipe, replicates=Replicates())
    problem = replace(problem, recipe=recipe)
    with _store_data(problem, None) as dataset:
        networks = list(enumerate_networks(_make_spec(problem, dataset, [T])))
        return _train_networks(
            problem, [network for network in networks if network.model != BASELINE], keep_weights=True
        )


@contextmanager
def _store_data(problem: Problem, n_val: int | None) -> Iterator[Dataset]:
    """Keep the rows in memory while a sweep trains, and yield the settings of the data.

    Parameters
    ----------
    n_val : the number of rows that are drawn for validation; None to train on all rows, and to measure on them, too.
    """
    # No file is written. The folder is one of this fit alone: another one at the same time keeps its rows.
    folder = Path(f"estimator-{uuid.uuid4().hex}")
    y, n_classes = problem.teachers.y, len(problem.teachers.classes)
    x_input, y_input = store_array(problem.x, folder), store_array(y, folder)
    rows = Part(x=x_input, y=y_input, class_counts=tuple(np.bincount(y, minlength=n_classes).tolist()))
    # kdtune's data have a test split. Nothing is said of it here, so one row is enough.
    one_row = Part(x=store_array(problem.x[:1], folder), y=store_array(y[:1], folder))
    parts: dict[PartName, Part] = {"train": rows, "test": one_row}
    if n_val is None:
        parts["val"] = rows
    given = GivenData(
        parts=parts,
        classes=tuple(range(n_classes)),
        input_shape=problem.x.shape[1:],
        content=f"{x_input.content}{y_input.content}{n_val}",
    )
    try:
        yield Arrays.model_validate({"name": "rows", "scale": "standard", "val_size": n_val}, context={"given": given})
    finally:
        forget_inputs(given.list_stored_paths())
        load_data.cache_clear()  # It would keep the user's rows in memory after the fit.


def _make_spec(problem: Problem, dataset: Dataset, temperatures: list[float]) -> SweepSpec:
    """Return the sweep over temperatures: one case for each."""
    recipe, source = problem.recipe, problem.teachers
    teacher = EstimatorTeacher(
        name=type(source.template).__name__, soft_targets=recipe.soft_targets, is_frozen=source.is_frozen
    )
    cases = [
        Case(
            dataset=dataset,
            transfer=_ALL_CLASSES,
            teacher=cast(Shape, teacher),
            teacher_train=recipe.train,
            student=recipe.student,
            student_train=recipe.train,
            distill=Distill(T=T, hard_weight=recipe.hard_weight),
            distill_train=recipe.train,
        )
        for T in temperatures
    ]
    return SweepSpec("estimator", problem.seed, recipe.replicates, recipe.select, Resources(), cases, {})


def _train_networks(problem: Problem, networks: list[Network], keep_weights: bool) -> Trained:
    """Train networks, each after its teacher."""
    trained = Trained([], {})
    soft_targets: dict[str, Logits] = {}
    for pack in make_plan(networks).packs:
        if pack.is_teacher_pack:
            for network in pack.networks:
                trained.teachers[network.id], result = _train_teacher(problem, network, is_shown=keep_weights)
                assert result.logits is not None
                soft_targets[network.id] = result.logits["train"]
                trained.networks.append(result)
            continue
        train = partial(
            train_pack, pack, soft_targets.__getitem__, keep_weights=keep_weights, threads=problem.teachers.threads
        )
        # What is not training, such as measuring, keeps to one thread; the caller's number of threads comes back.
        trained.networks.extend(run_on_threads(1, train))
    return trained


def _train_teacher(problem: Problem, network: Network, is_shown: bool) -> tuple[Any, TrainedNetwork]:
    """Train a teacher on the training rows of its draw, and return it with its logits and its row.

    Parameters
    ----------
    is_shown : whether the user sees what it warns of.
    """
    start = time.perf_counter()
    source, seed = problem.teachers, network.weights_seed
    data = load_data(network.data)
    assert data.rows is not None
    train_rows, val_rows = data.rows["train"].indices, data.rows["val"].indices
    with nullcontext() if is_shown else hide_warnings():
        teacher = source.fit(train_rows, seed)
    soft_targets = source.compute_soft_targets(teacher, train_rows, seed)
    logits: Logits = {
        "train": soft_targets,
        # Where the validation rows are those that it was trained on, it is measured by what students learn from.
        "val": soft_targets if data.rows["val"].part == "val" else source.compute_logits(teacher, val_rows),
        "test": soft_targets[:1],  # Nothing is said of it.
    }
    measures = evaluate(network, data, logits) | {DEVICE: "cpu", HOST: platform.node()}
    row = make_row(network, {**measures, SECONDS: time.perf_counter() - start})
    return teacher, TrainedNetwork(network, row, logits)
