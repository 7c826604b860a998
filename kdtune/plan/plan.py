"""From a ``SweepSpec`` to a ``Plan``: networks with ids, teacher edges, packs. Pure."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterator
from dataclasses import dataclass
from functools import cached_property

from kdtune.plan.identity import SCHEMA, derive_seed, hash_text, select_hashed_settings, to_canonical_json
from kdtune.plan.network import Classes, DataDraw, Model, Network, Pack, make_data_draw
from kdtune.plan.packing import PackLimits, pack_students, pack_teachers
from kdtune.settings import AnyDataset, Settings, Shape, Train
from kdtune.spec.spec import Case, SweepSpec


@dataclass(frozen=True)
class Plan:
    """All networks that a sweep asks for, in the table's order, and the packs still to train."""

    networks: list[Network]
    packs: list[Pack]
    skipped: list[Network]  # students of teachers that diverged: there is nothing to learn from

    @cached_property
    def missing_networks(self) -> list[Network]:
        return [network for one in self.packs for network in one.networks]

    @property
    def work(self) -> int:
        return sum(one.work for one in self.packs)

    def count_model(self, model: str) -> int:
        return sum(network.model == model for network in self.networks)


def make_plan(
    networks: list[Network],
    done: Collection[str] = (),
    ready_teachers: Collection[str] = (),
    lost_teachers: Collection[str] = (),
    workers: int = 1,
    limits: PackLimits = PackLimits(),  # noqa: B008 - frozen
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
    packs = pack_teachers(teachers, among, limits, stacked=not whole_packs)
    packs += pack_students(students, packs, among, limits)
    return Plan(networks, [one for one in packs if any(n.id in wanted for n in one.networks)], skipped)


def enumerate_networks(spec: SweepSpec) -> Iterator[Network]:
    """Every network of a sweep, each once: teachers first, then each cell's baseline and its students."""
    build = _Build(spec)
    teachers: dict[str, Network] = {}
    students: dict[str, Network] = {}
    for case in spec.cases:
        transfer = build.transfer(case)
        block, last = build.block(case.student, case.distill_train, transfer), build.name(case.distill)
        for teacher, baseline in build.replicates(case):
            # A baseline's stream and data are its students' too. In full here: there may be a million of them.
            name = hash_text(
                f"{SCHEMA}|distilled_student|{baseline.data.id}|{block}|{baseline.draw}|{last}|{teacher.id}"
            )
            if name in students:
                continue
            teachers.setdefault(teacher.id, teacher)
            students.setdefault(baseline.id, baseline)
            students[name] = Network(
                name,
                "distilled_student",
                baseline.data,
                case.student,
                case.distill_train,
                baseline.draw,
                baseline.order_seed,
                baseline.weights_seed,
                case.distill,
                teacher,
                transfer,
            )
    yield from teachers.values()
    yield from students.values()


class _Build:
    """Makes teachers and baselines, remembering what networks share: the texts of blocks, draws of data."""

    def __init__(self, spec: SweepSpec) -> None:
        self.seed, self.counts = spec.seed, spec.replicates
        # By the identity of blocks, which the spec holds, so that it stays taken.
        self.names: dict[int, str] = {}
        self.draws: dict[tuple[int, int], DataDraw] = {}
        self.orders: dict[tuple[Hashable, ...], int] = {}
        self.networks: dict[tuple[Hashable, ...], Network] = {}
        self.transfers: dict[tuple[int, int], Classes | None] = {}
        self.pairs: dict[tuple[int, ...], list[tuple[Network, Network]]] = {}

    def replicates(self, case: Case) -> list[tuple[Network, Network]]:
        """Teacher and baseline of each replicate: many cases have the same."""
        blocks = case.dataset, case.transfer, case.teacher, case.teacher_train, case.student, case.student_train
        key = tuple(map(id, blocks))
        if key not in self.pairs:
            self.pairs[key] = [self._pair(case, replicate) for replicate in range(self.counts.count)]
        return self.pairs[key]

    def _pair(self, case: Case, replicate: int) -> tuple[Network, Network]:
        data = self._data(case.dataset, replicate % self.counts.data)
        teacher = self._network("teacher", data, case.teacher, case.teacher_train, replicate % self.counts.teacher)
        draw = replicate % self.counts.student
        return teacher, self._network("student", data, case.student, case.student_train, draw, self.transfer(case))

    def transfer(self, case: Case) -> Classes | None:
        """The classes that students see; None for all."""
        key = id(case.dataset), id(case.transfer)
        if key not in self.transfers:
            self.transfers[key] = case.transfer.classes(case.dataset.n_classes)
        return self.transfers[key]

    def _data(self, settings: AnyDataset, draw: int) -> DataDraw:
        key = id(settings), draw
        if key not in self.draws:
            self.draws[key] = make_data_draw(settings, draw, self.seed)
        return self.draws[key]

    def _network(
        self, model: Model, data: DataDraw, shape: Shape, train: Train, draw: int, transfer: Classes | None = None
    ) -> Network:
        key = model, data.id, id(shape), id(train), draw, transfer
        if key not in self.networks:
            self.networks[key] = Network(
                id=hash_text(f"{SCHEMA}|{model}|{data.id}|{self.block(shape, train, transfer)}|{draw}"),
                model=model,
                data=data,
                shape=shape,
                train=train,
                draw=draw,
                order_seed=self._order_seed(model, data, draw),
                weights_seed=derive_seed("weights", model, data.id, draw, to_canonical_json(shape.weights_key())),
                transfer=transfer,
            )
        return self.networks[key]

    def _order_seed(self, model: Model, data: DataDraw, draw: int) -> int:
        key = model, data.id, draw
        if key not in self.orders:
            self.orders[key] = derive_seed("order", *key)
        return self.orders[key]

    def block(self, shape: Shape, train: Train, transfer: Classes | None) -> str:
        whole = f"{self.name(shape)}|{self.name(train)}"
        return whole if transfer is None else f"{whole}|transfer {to_canonical_json(transfer)}"

    def name(self, settings: Settings) -> str:
        """A hash of a block."""
        found = self.names.get(id(settings))
        if found is None:
            found = self.names[id(settings)] = hash_text(to_canonical_json(select_hashed_settings(settings)))
        return found
