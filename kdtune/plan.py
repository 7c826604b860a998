"""From a ``SweepSpec`` to a ``Plan``: networks with ids, teacher edges, packs. Pure."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterator
from dataclasses import dataclass
from functools import cached_property

from kdtune.identity import SCHEMA, canonical, digest, hashable, seed
from kdtune.network import DataDraw, Model, Network, Pack, data_draw
from kdtune.packing import Limits, student_packs, teacher_packs
from kdtune.settings import MLP, Digits, Distill, MakeClassification, Settings, Train
from kdtune.spec import Case, SweepSpec


@dataclass(frozen=True)
class Plan:
    """All networks that a sweep asks for, in the table's order, and the packs still to train."""

    networks: list[Network]
    packs: list[Pack]
    skipped: list[Network]  # students of teachers that diverged: there is nothing to learn from

    @cached_property
    def missing(self) -> list[Network]:
        return [network for one in self.packs for network in one.networks]

    @property
    def work(self) -> int:
        return sum(one.work for one in self.packs)

    def count(self, model: str) -> int:
        return sum(network.model == model for network in self.networks)


def make_plan(
    networks: list[Network],
    done: Collection[str] = (),
    ready_teachers: Collection[str] = (),
    lost_teachers: Collection[str] = (),
    workers: int = 1,
    limits: Limits = Limits(),  # noqa: B008 - frozen
    whole_packs: bool = False,
) -> Plan:
    """Plan what is missing of a sweep.

    Parameters
    ----------
    networks : all that the sweep asks for, from ``all_networks``.
    done : ids of networks that have a final row.
    ready_teachers : ids of teachers whose logits are at hand. A teacher that is done but not ready
        is trained again only if a student that is still missing needs it.
    lost_teachers : ids of teachers that diverged: a result, so that their students are skipped.
    workers : among whom the packs divide, so that no one idles.
    limits : of one pack; ``Limits(networks=1)`` trains each network alone.
    whole_packs : cut packs from the sweep alone, whatever is done and however many workers there
        are, and train a pack whole if any of it is missing: for devices on which a network's last
        bits depend on its pack.
    """
    done, lost = set(done), set(lost_teachers)
    missing = [n for n in networks if n.id not in done]
    skipped = [n for n in missing if n.teacher and n.teacher.id in lost]
    needed = {n.teacher.id for n in missing if n.teacher} - set(ready_teachers) - lost
    wanted = (needed | {n.id for n in missing}) - {n.id for n in skipped}
    cut = networks if whole_packs else [n for n in networks if n.id in wanted]
    teachers = [n for n in cut if n.model == "teacher"]
    students = [n for n in cut if n.model != "teacher" and not (n.teacher and n.teacher.id in lost)]
    among = 1 if whole_packs else workers
    packs = teacher_packs(teachers, among, limits, stacked=not whole_packs)
    packs += student_packs(students, packs, among, limits)
    return Plan(networks, [one for one in packs if any(n.id in wanted for n in one.networks)], skipped)


def all_networks(spec: SweepSpec) -> Iterator[Network]:
    """Every network of a sweep, each once: teachers first, then each cell's baseline and its students."""
    build = _Build(spec.seed)
    teachers: dict[str, Network] = {}
    students: dict[str, Network] = {}
    counts = spec.replicates
    for case in spec.cases:
        for replicate in range(counts.count):
            data = build.data(case.dataset, replicate % counts.data)
            teacher = build.teacher(case, data, replicate % counts.teacher)
            teachers.setdefault(teacher.id, teacher)
            for distill in (None, case.distill):
                student = build.student(case, data, replicate % counts.student, distill, teacher)
                students.setdefault(student.id, student)
    yield from teachers.values()
    yield from students.values()


class _Build:
    """Makes networks, remembering the hashes of the blocks that they share."""

    def __init__(self, sweep_seed: int) -> None:
        self.seed = sweep_seed
        self.texts: dict[int, tuple[Settings, str]] = {}  # holds the settings, so that an id stays taken
        self.draws: dict[tuple[int, int], DataDraw] = {}
        self.seeds: dict[tuple[Hashable, ...], int] = {}
        self.teachers: dict[tuple[int, ...], Network] = {}
        self.baselines: dict[tuple[int, ...], Network] = {}

    def text(self, settings: Settings) -> str:
        found = self.texts.get(id(settings))
        if found is None:
            found = self.texts[id(settings)] = settings, canonical(hashable(settings))
        return found[1]

    def data(self, settings: MakeClassification | Digits, draw: int) -> DataDraw:
        key = id(settings), draw
        if key not in self.draws:
            self.draws[key] = data_draw(settings, draw, self.seed)
        return self.draws[key]

    def teacher(self, case: Case, data: DataDraw, draw: int) -> Network:
        key = id(data), draw, id(case.teacher), id(case.teacher_train)
        if key not in self.teachers:
            self.teachers[key] = self._network("teacher", data, case.teacher, case.teacher_train, draw)
        return self.teachers[key]

    def student(self, case: Case, data: DataDraw, draw: int, distill: Distill | None, teacher: Network) -> Network:
        if distill is not None:
            return self._network("distilled_student", data, case.student, case.distill_train, draw, distill, teacher)
        key = id(data), draw, id(case.student), id(case.student_train)
        if key not in self.baselines:
            self.baselines[key] = self._network("student", data, case.student, case.student_train, draw)
        return self.baselines[key]

    def _network(
        self,
        model: Model,
        data: DataDraw,
        shape: MLP,
        train: Train,
        draw: int,
        distill: Distill | None = None,
        teacher: Network | None = None,
    ) -> Network:
        parts = [str(SCHEMA), model, data.id, self.text(shape), self.text(train), str(draw)]
        if distill is not None and teacher is not None:
            parts += [self.text(distill), teacher.id]
        role = "teacher" if model == "teacher" else "student"
        return Network(
            id=digest("|".join(parts)),
            model=model,
            data=data,
            shape=shape,
            train=train,
            draw=draw,
            order_seed=self._seed("order", role, data.id, draw),
            weights_seed=self._seed("weights", role, data.id, draw, canonical(shape.sizes)),
            distill=distill,
            teacher=teacher,
        )

    def _seed(self, *key: Hashable) -> int:
        if key not in self.seeds:
            self.seeds[key] = seed(*key)
        return self.seeds[key]
