"""From a ``SweepSpec`` to a ``Plan``: networks with ids, teacher edges, packs. Pure."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterator
from dataclasses import dataclass
from functools import cached_property

from kdtune.identity import SCHEMA, canonical, digest, hashable, seed
from kdtune.network import DataDraw, Model, Network, Pack, data_draw
from kdtune.packing import Limits, student_packs, teacher_packs
from kdtune.settings import MLP, Digits, Distill, MakeClassification, Settings, Train
from kdtune.spec import SweepSpec


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
            teacher = build.shared("teacher", data, case.teacher, case.teacher_train, replicate % counts.teacher)
            teachers.setdefault(teacher.id, teacher)
            draw = replicate % counts.student
            baseline = build.shared("student", data, case.student, case.student_train, draw)
            students.setdefault(baseline.id, baseline)
            student = build.network(
                "distilled_student", data, case.student, case.distill_train, draw, case.distill, teacher
            )
            students.setdefault(student.id, student)
    yield from teachers.values()
    yield from students.values()


class _Build:
    """Makes networks, remembering what they share: the text of each block, draws of data, seeds."""

    def __init__(self, sweep_seed: int) -> None:
        self.seed = sweep_seed
        self.texts: dict[int, tuple[Settings, str]] = {}  # holds the settings, so that an id stays taken
        self.draws: dict[tuple[int, int], DataDraw] = {}
        self.seeds: dict[tuple[Hashable, ...], tuple[int, int]] = {}
        self.known: dict[tuple[Hashable, ...], Network] = {}

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

    def shared(self, model: Model, data: DataDraw, shape: MLP, train: Train, draw: int) -> Network:
        """A teacher or a baseline: many cases have the same one."""
        key = model, data.id, id(shape), id(train), draw
        if key not in self.known:
            self.known[key] = self.network(model, data, shape, train, draw)
        return self.known[key]

    def network(
        self,
        model: Model,
        data: DataDraw,
        shape: MLP,
        train: Train,
        draw: int,
        distill: Distill | None = None,
        teacher: Network | None = None,
    ) -> Network:
        name = f"{SCHEMA}|{model}|{data.id}|{self.text(shape)}|{self.text(train)}|{draw}"
        if distill is not None and teacher is not None:
            name = f"{name}|{self.text(distill)}|{teacher.id}"
        order_seed, weights_seed = self._seeds("teacher" if model == "teacher" else "student", data, draw, shape)
        return Network(digest(name), model, data, shape, train, draw, order_seed, weights_seed, distill, teacher)

    def _seeds(self, role: str, data: DataDraw, draw: int, shape: MLP) -> tuple[int, int]:
        """Of the batch order and of the initial weights."""
        key = role, data.id, draw, id(shape)
        if key not in self.seeds:
            self.seeds[key] = (
                seed("order", role, data.id, draw),
                seed("weights", role, data.id, draw, canonical(shape.sizes)),
            )
        return self.seeds[key]
