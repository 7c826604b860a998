"""Which networks train together. Pure.

No result depends on the answer, save for the last bits on a GPU, where packs are cut from the
sweep file alone.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeVar

from kdtune.plan.identity import select_hashed_settings, to_canonical_json
from kdtune.plan.network import Network, Pack, make_pack

T = TypeVar("T")

# Placing a trial takes some 50 ms of the driver: where a cell's students train for less than about two
# seconds of one core, in multiply-adds, several cells share one.
SMALL_WORK = 4e10
# With so many packs a worker, the last ones need no cutting for all workers to end together.
MANY_PACKS = 8


@dataclass(frozen=True)
class PackLimits:
    """What one pack may hold."""

    networks: int = 64  # past it a CPU gains nothing more, and a lost worker loses more
    bytes: int = 1 << 30  # the data of its members and what they train in
    work: float = SMALL_WORK  # students of several cells share a pack up to this

    @classmethod
    def of_gpu(cls, share: float) -> PackLimits:
        """One pack fills the card, or a worker's share of it."""
        return cls(networks=4096, bytes=int(share * (4 << 30)), work=math.inf)


@dataclass(frozen=True)
class _Kind:
    """What networks of one shape, training and size of data have in common: they may share a pack."""

    work: int
    footprint: int
    data_bytes: int
    stack_size: int


def _kinds(networks: Iterable[Network]) -> Callable[[Network], _Kind]:
    """A function that gives a network's kind; equal kinds are one object. Fast for many networks of few kinds."""
    by_settings: dict[Hashable, _Kind] = {}
    by_block: dict[Hashable, _Kind] = {}  # the networks hold the blocks, so that an id stays taken

    def kind(network: Network) -> _Kind:
        # Transfer sets of two draws of the data need not be of one size.
        transfer = network.transfer and (network.transfer, network.data.id)
        blocks = id(network.shape), id(network.train), id(network.data.settings), transfer
        found = by_block.get(blocks)
        if found is None:
            data, shape = network.data.settings, network.shape
            settings = (
                (data.n_train, data.n_features, data.n_classes, data.jitter),
                (type(shape).stacks, to_canonical_json(select_hashed_settings(shape))),
                tuple(select_hashed_settings(network.train).items()),
                transfer,
            )
            own = _Kind(network.work, network.training_bytes, network.data_bytes, network.stack_size)
            found = by_block[blocks] = by_settings.setdefault(settings, own)
        return found

    return kind


def pack_teachers(teachers: list[Network], workers: int, limits: PackLimits, stacked: bool) -> list[Pack]:
    """Teachers of one shape and training share a pack across cells, each with data of its own.

    ``stacked``: no more than train as one stack, so that no student waits for teachers that are
    trained after its own.
    """
    packs = []
    kind_of = _kinds(teachers)
    for group in _groups(teachers, lambda network: id(kind_of(network))).values():
        kind = kind_of(group[0])
        fitting = limits.bytes // (kind.data_bytes + kind.footprint)
        largest = max(1, min(math.ceil(len(teachers) / workers), limits.networks, fitting))
        packs += [
            make_pack(part) for part in split_evenly(group, min(largest, kind.stack_size) if stacked else largest)
        ]
    return sorted(packs, key=lambda one: -one.work)


def pack_students(students: list[Network], teachers: Iterable[Pack], workers: int, limits: PackLimits) -> list[Pack]:
    """Students of one cell share a pack, and small cells one, if nobody waits longer for it.

    A cell's students have their data, shape, batch order and teacher in common; a baseline joins
    the first of them.
    """
    kind_of = _kinds(students)
    cells: dict[Hashable, list[Network]] = defaultdict(list)
    homes: dict[Hashable, Hashable] = {}
    for network in students:
        if network.teacher:
            own = id(kind_of(network)), network.data.id, network.draw
            key = (*own, network.teacher.id)
            homes.setdefault(own, key)
            cells[key].append(network)
    for network in students:
        if network.teacher is None:
            own = id(kind_of(network)), network.data.id, network.draw
            cells[homes.get(own, own)].insert(0, network)
    trained_with = {network.id: one.id for one in teachers for network in one.networks}
    most = limits.work
    if workers > 1:
        most = min(most, sum(kind_of(network).work for network in students) / (4 * workers))

    def waits_for(cell: list[Network]) -> Hashable:
        teacher = cell[-1].teacher
        return id(kind_of(cell[0])), teacher and trained_with.get(teacher.id)

    packs = []
    for alike in _groups(cells.values(), waits_for).values():
        kind = kind_of(alike[0][0])
        fitting = max(1, min(limits.networks, (limits.bytes - kind.data_bytes) // kind.footprint))
        packs += [
            make_pack(part) for whole in _merged(alike, kind, most, limits) for part in split_evenly(whole, fitting)
        ]
    return _balanced(sorted(packs, key=lambda one: -one.work), workers)


def _merged(cells: list[list[Network]], kind: _Kind, most: float, limits: PackLimits) -> Iterator[list[Network]]:
    """Cells joined while they are small together."""
    joined: list[Network] = []
    drawn = 0
    for cell in cells:
        members = len(joined) + len(cell)
        size = (drawn + 1) * kind.data_bytes + members * kind.footprint
        if joined and (members * kind.work > most or members > limits.networks or size > limits.bytes):
            yield joined
            joined, drawn = [], 0
        joined, drawn = joined + cell, drawn + 1
    if joined:
        yield joined


def _balanced(packs: list[Pack], workers: int) -> list[Pack]:
    """Cut the last packs, where their number leaves workers without one, so that all end together."""
    left = len(packs) % workers
    if not left or len(packs) >= MANY_PACKS * workers:
        return packs
    pieces = math.ceil(workers / left)
    cut = [split_evenly(list(one.networks), math.ceil(len(one.networks) / pieces)) for one in packs[-left:]]
    return packs[:-left] + [make_pack(part) for parts in cut for part in parts]


def _groups(items: Iterable[T], key: Callable[[T], Hashable]) -> dict[Hashable, list[T]]:
    found: dict[Hashable, list[T]] = defaultdict(list)
    for item in items:
        found[key(item)].append(item)
    return found


def split_evenly(items: list[T], largest: int) -> Iterator[list[T]]:
    """Parts of at most ``largest`` members whose sizes differ by one at most."""
    parts = math.ceil(len(items) / largest)
    edges = [i * len(items) // parts for i in range(parts + 1)]
    for start, end in pairwise(edges):
        yield items[start:end]
