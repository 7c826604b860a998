"""From a ``SweepSpec`` to a ``Plan``: networks with ids, teacher edges, packs. Pure."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Collection, Hashable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from typing import Literal, TypeVar

from kdtune.identity import SCHEMA, canonical, digest, hashable, seed
from kdtune.settings import MLP, Digits, Distill, MakeClassification, Settings, Train
from kdtune.spec import Case, SweepSpec

T = TypeVar("T")
Model = Literal["teacher", "student", "distilled_student"]
# Teachers of one pack each bring their own data: what a pack may hold of them.
MAX_PACK_BYTES = 1 << 30
# Students share their data; past this many, larger stacks gain nothing and a lost worker loses more.
MAX_PACK = 64


@dataclass(frozen=True, slots=True)
class DataDraw:
    """One draw of a data set. ``id`` names it, ``seed`` is the random state it is made with."""

    id: str
    settings: MakeClassification | Digits = field(compare=False)  # the id stands for them
    draw: int
    seed: int
    sweep_seed: int  # the ``seed`` of the sweep file


@dataclass(frozen=True, slots=True)
class Network:
    """One model to train, fully resolved: one row of the table."""

    id: str
    model: Model
    data: DataDraw
    shape: MLP
    train: Train
    draw: int  # which redraw of this network's own randomness
    order_seed: int  # batch order: shared by all students of one data set and replicate
    weights_seed: int  # initial weights: shared by those of one shape as well
    distill: Distill | None = None
    teacher: Network | None = None

    @property
    def replicate(self) -> int:
        """The first replicate of a sweep in which this network appears."""
        return max(self.data.draw, self.draw, self.teacher.replicate if self.teacher else 0)

    @property
    def layers(self) -> list[tuple[int, int]]:
        """(inputs, outputs) of each layer."""
        return list(pairwise([self.data.settings.n_features, *self.shape.sizes, self.data.settings.n_classes]))

    @property
    def n_params(self) -> int:
        return sum((inputs + 1) * outputs for inputs, outputs in self.layers)

    @property
    def work(self) -> int:
        """Multiply-adds of its training: forward, both gradients; the input needs none."""
        products = [inputs * outputs for inputs, outputs in self.layers]
        return self.train.epochs * self.data.settings.n_train * (3 * sum(products) - products[0])


@dataclass(frozen=True, slots=True)
class Pack:
    """Networks that train together as one stacked model; one trial."""

    id: str
    networks: tuple[Network, ...]

    @property
    def teachers(self) -> frozenset[str]:
        """Ids of the teachers that must be there before it can start."""
        return frozenset(network.teacher.id for network in self.networks if network.teacher)

    @property
    def work(self) -> int:
        return sum(network.work for network in self.networks)

    def without(self, teachers: Collection[str]) -> Pack:
        """What is left of it when these teachers cannot be had."""
        return pack(n for n in self.networks if n.teacher is None or n.teacher.id not in teachers)


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
    max_pack: int | None = None,
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
    workers : teacher packs hold at most ceil(teachers / workers), so that no worker idles.
    max_pack : the largest pack; 1 trains each network alone.
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
    packs = _teacher_packs(teachers, 1 if whole_packs else workers, max_pack)
    packs += _student_packs(students, max_pack or MAX_PACK)
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


def data_draw(settings: MakeClassification | Digits, draw: int, sweep_seed: int) -> DataDraw:
    """One draw of a data set, with the id and the seed that its settings give."""
    name = digest(canonical(["data", SCHEMA, sweep_seed, draw, canonical(hashable(settings))]))
    return DataDraw(name, settings, draw, seed("data", name) >> 32, sweep_seed)


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
        parts = [model, data.id, self.text(shape), self.text(train), str(draw)]
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


def pack(networks: Iterable[Network]) -> Pack:
    members = tuple(networks)
    return Pack(digest("|".join(network.id for network in members)), members)


def _teacher_packs(teachers: list[Network], workers: int, max_pack: int | None) -> list[Pack]:
    """Teachers of one shape and training share a pack across cells, each with data of its own."""
    groups = defaultdict(list)
    for network in teachers:
        data = network.data.settings
        groups[_alike(network), data.n_train, data.n_features, data.n_classes].append(network)
    packs = []
    for (_, n_train, n_features, _), group in groups.items():
        fitting = max(1, MAX_PACK_BYTES // (4 * n_train * n_features))
        largest = min(math.ceil(len(teachers) / workers), fitting, max_pack or MAX_PACK)
        packs += [pack(part) for part in even(group, largest)]
    return sorted(packs, key=lambda one: -one.work)


def _student_packs(students: list[Network], max_pack: int) -> list[Pack]:
    """Students of one data set, shape, batch order and teacher share a pack; a baseline joins one."""
    groups: dict[tuple[Hashable, ...], list[Network]] = defaultdict(list)
    homes: dict[tuple[Hashable, ...], tuple[Hashable, ...]] = {}
    for network in students:
        if network.teacher:
            key = (_alike(network), network.data.id, network.draw)
            homes.setdefault(key, (*key, network.teacher.id))
            groups[*key, network.teacher.id].append(network)
    for network in students:
        if network.teacher is None:
            key = (_alike(network), network.data.id, network.draw)
            groups[homes.get(key, key)].insert(0, network)
    packs = [pack(part) for group in groups.values() for part in even(group, max_pack)]
    return sorted(packs, key=lambda one: -one.work)


def _alike(network: Network) -> Hashable:
    """What the members of a pack must have in common."""
    shape = network.shape
    return tuple(network.layers), shape.dropout, shape.activation, tuple(hashable(network.train).items())


def even(networks: list[T], largest: int) -> Iterator[list[T]]:
    """Parts of at most ``largest`` members whose sizes differ by one at most."""
    parts = math.ceil(len(networks) / largest)
    edges = [i * len(networks) // parts for i in range(parts + 1)]
    for start, end in pairwise(edges):
        yield networks[start:end]
