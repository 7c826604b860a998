"""Enumerate the networks of a sweep: from a ``SweepSpec`` to networks with ids, seeds and teachers."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from typing import NamedTuple

from kdtune.plan.identity import SCHEMA, derive_seed, hash_text, select_hashed_settings, to_canonical_json
from kdtune.plan.network import Classes, DataDraw, Model, Network, make_data_draw
from kdtune.settings import Dataset, Settings, Shape, Train
from kdtune.spec.sweep_spec import Case, SweepSpec


def enumerate_networks(spec: SweepSpec) -> Iterator[Network]:
    """Yield every network of a sweep once: all teachers, then baselines and students in the order of the cases."""
    factory = NetworkFactory(spec)
    teachers: dict[str, Network] = {}
    students: dict[str, Network] = {}
    for case in spec.cases:
        transfer = factory.list_transfer_classes(case)
        fit_key = factory.make_fit_key(case.student, case.distill_train, transfer)
        distill_hash = factory.hash_settings(case.distill)
        for teacher, baseline in factory.make_teachers_and_baselines(case):
            teachers.setdefault(teacher.id, teacher)
            if case.dataset.has_training_labels:
                students.setdefault(baseline.id, baseline)
            # Students are made here, because a method call for each of a million takes seconds.
            student_id = hash_text(
                f"{SCHEMA}|distilled_student|{baseline.data.id}|{fit_key}|{baseline.draw}|{distill_hash}|{teacher.id}"
            )
            if student_id in students:
                continue  # Another case differs from this one in the baseline's training only.
            # A student has its baseline's data, batch order and initial weights.
            students[student_id] = Network(
                id=student_id,
                model="distilled_student",
                data=baseline.data,
                shape=case.student,
                train=case.distill_train,
                draw=baseline.draw,
                order_seed=baseline.order_seed,
                weights_seed=baseline.weights_seed,
                distill=case.distill,
                teacher=teacher,
                transfer=transfer,
            )
    yield from teachers.values()
    yield from students.values()


class TeacherAndBaseline(NamedTuple):
    """The teacher and the baseline of one replicate of a case."""

    teacher: Network
    baseline: Network


class NetworkFactory:
    """Makes the teachers and baselines of a sweep, each once.

    Cases of a sweep share most of their settings, so whatever is made is cached: data draws, hashes, seeds
    and networks. The keys are ``id()`` of the settings objects, which is faster than comparing their values.
    """

    def __init__(self, spec: SweepSpec) -> None:
        self._spec = spec  # It keeps the settings objects alive, so that Python reuses none of their ids.
        self._sweep_seed = spec.seed
        self._replicates = spec.replicates
        self._settings_hashes: dict[int, str] = {}
        self._data_draws: dict[tuple[int, int, bool], DataDraw] = {}
        self._order_seeds: dict[tuple[Hashable, ...], int] = {}
        self._networks: dict[tuple[Hashable, ...], Network] = {}
        self._transfer_classes: dict[tuple[int, int], Classes | None] = {}
        self._teachers_and_baselines: dict[tuple[int, ...], list[TeacherAndBaseline]] = {}

    def make_teachers_and_baselines(self, case: Case) -> list[TeacherAndBaseline]:
        """Return the teacher and the baseline of each replicate of a case."""
        key = (
            id(case.dataset),
            id(case.transfer),
            id(case.teacher),
            id(case.teacher_train),
            id(case.student),
            id(case.student_train),
        )
        if key not in self._teachers_and_baselines:
            self._teachers_and_baselines[key] = [
                self._make_teacher_and_baseline(case, replicate) for replicate in range(self._replicates.count)
            ]
        return self._teachers_and_baselines[key]

    def list_transfer_classes(self, case: Case) -> Classes | None:
        """Return the classes that the students of a case are trained on; None for all."""
        key = id(case.dataset), id(case.transfer)
        if key not in self._transfer_classes:
            self._transfer_classes[key] = case.transfer.list_classes(case.dataset.n_classes)
        return self._transfer_classes[key]

    def make_fit_key(self, shape: Shape, train: Train, transfer: Classes | None) -> str:
        """Return the part of an id that stands for shape, training settings and transfer set."""
        key = self.hash_settings(shape)
        if shape.is_trained_by_steps:
            key += f"|{self.hash_settings(train)}"
        if transfer is not None:
            key += f"|transfer {to_canonical_json(transfer)}"
        return key

    def hash_settings(self, settings: Settings) -> str:
        """Return the hash of a block of settings."""
        settings_hash = self._settings_hashes.get(id(settings))
        if settings_hash is None:
            settings_hash = hash_text(to_canonical_json(select_hashed_settings(settings)))
            self._settings_hashes[id(settings)] = settings_hash
        return settings_hash

    def _make_teacher_and_baseline(self, case: Case, replicate: int) -> TeacherAndBaseline:
        # What was trained elsewhere has no redraws, and belongs to one test split.
        data_draw = replicate % self._replicates.data if case.dataset.is_redrawn else 0
        data = self._make_data_draw(case.dataset, data_draw, is_test_kept=not case.teacher.is_redrawn)
        teacher_draw = replicate % self._replicates.teacher if case.teacher.is_redrawn else 0
        student_draw = replicate % self._replicates.student
        transfer = self.list_transfer_classes(case)
        teacher = self._make_network("teacher", data, case.teacher, case.teacher_train, teacher_draw)
        baseline = self._make_network("student", data, case.student, case.student_train, student_draw, transfer)
        return TeacherAndBaseline(teacher, baseline)

    def _make_data_draw(self, settings: Dataset, draw: int, is_test_kept: bool) -> DataDraw:
        is_test_kept = is_test_kept and settings.is_test_drawn
        key = id(settings), draw, is_test_kept
        if key not in self._data_draws:
            self._data_draws[key] = make_data_draw(settings, draw, self._sweep_seed, is_test_kept)
        return self._data_draws[key]

    def _make_network(
        self, model: Model, data: DataDraw, shape: Shape, train: Train, draw: int, transfer: Classes | None = None
    ) -> Network:
        key = model, data.id, id(shape), id(train), draw, transfer
        if key not in self._networks:
            fit_key = self.make_fit_key(shape, train, transfer)
            self._networks[key] = Network(
                id=hash_text(f"{SCHEMA}|{model}|{data.id}|{fit_key}|{draw}"),
                model=model,
                data=data,
                shape=shape,
                train=train,
                draw=draw,
                order_seed=self._derive_order_seed(model, data, draw),
                weights_seed=derive_seed("weights", model, data.id, draw, to_canonical_json(shape.make_weights_key())),
                transfer=transfer,
            )
        return self._networks[key]

    def _derive_order_seed(self, model: Model, data: DataDraw, draw: int) -> int:
        key = model, data.id, draw
        if key not in self._order_seeds:
            self._order_seeds[key] = derive_seed("order", *key)
        return self._order_seeds[key]
