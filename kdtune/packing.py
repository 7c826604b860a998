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

from kdtune.identity import hashable
from kdtune.network import Network, Pack, pack

T = TypeVar("T")

# A student's trial that is shorter than this, in multiply-adds, costs more to place than to train
# (about two seconds of one core): students of several cells share one.
SMALL_WORK = 4e10
# With so many packs a worker, the last ones need no cutting for all workers to end together.
MANY_PACKS = 8


@dataclass(frozen=True)
class Limits:
    """What one pack may hold."""

    networks: int = 64  # past it a CPU gains nothing more, and a lost worker loses more
    bytes: int = 1 << 30  # the data of its members and what they train in
    work: float = SMALL_WORK  # students of several cells share a pack up to this

    @classmethod
    def of_gpu(cls, share: float) -> Limits:
        """One pack fills the card, or a worker's share of it."""
        return cls(networks=4096, bytes=int(share * (4 << 30)), work=math.inf)


def teacher_packs(teachers: list[Network], workers: int, limits: Limits, stacked: bool) -> list[Pack]:
    """Teachers of one shape and training share a pack across cells, each with data of its own.

    ``stacked``: no more than train as one stack, so that no student waits for teachers that are
    trained after its own.
    """
    packs = []
    for group in _groups(teachers, _fits).values():
        first = group[0]
        fitting = limits.bytes // (first.data_bytes + first.footprint)
        largest = max(1, min(math.ceil(len(teachers) / workers), limits.networks, fitting))
        packs += [pack(part) for part in even(group, min(largest, first.stack_size) if stacked else largest)]
    return sorted(packs, key=lambda one: -one.work)


def student_packs(students: list[Network], teachers: Iterable[Pack], workers: int, limits: Limits) -> list[Pack]:
    """Students of one cell share a pack, and small cells one, if nobody waits longer for it.

    A cell's students have their data, shape, batch order and teacher in common; a baseline joins
    the first of them.
    """
    homes: dict[Hashable, Hashable] = {}
    for network in students:
        if network.teacher:
            homes.setdefault(_cell(network), (_cell(network), network.teacher.id))

    def cell(network: Network) -> Hashable:
        own = _cell(network)
        return (own, network.teacher.id) if network.teacher else homes.get(own, own)

    baselines_first = sorted(students, key=lambda network: network.teacher is not None)
    cells = list(_groups(baselines_first, cell).values())
    trained_with = {network.id: one.id for one in teachers for network in one.networks}
    total = sum(network.work for network in students)
    most = min(limits.work, total / (4 * workers)) if workers > 1 else limits.work

    def waits_for(cell: list[Network]) -> Hashable:
        teacher = cell[-1].teacher
        return _fits(cell[0]), teacher and trained_with.get(teacher.id)

    parts = []
    for alike in _groups(cells, waits_for).values():
        parts += list(_merged(alike, most, limits))
    packs = [pack(part) for whole in parts for part in even(whole, _fitting(whole[0], limits))]
    return _balanced(sorted(packs, key=lambda one: -one.work), workers)


def _merged(cells: list[list[Network]], most: float, limits: Limits) -> Iterator[list[Network]]:
    """Cells joined while they are small together."""
    joined: list[Network] = []
    drawn = work = 0
    for cell in cells:
        more = sum(network.work for network in cell)
        members = len(joined) + len(cell)
        size = (drawn + 1) * cell[0].data_bytes + members * cell[0].footprint
        if joined and (work + more > most or members > limits.networks or size > limits.bytes):
            yield joined
            joined, drawn, work = [], 0, 0
        joined, drawn, work = joined + cell, drawn + 1, work + more
    if joined:
        yield joined


def _fitting(network: Network, limits: Limits) -> int:
    """How many such students of one cell fit into a pack."""
    return max(1, min(limits.networks, (limits.bytes - network.data_bytes) // network.footprint))


def _balanced(packs: list[Pack], workers: int) -> list[Pack]:
    """Cut the last packs, where their number leaves workers without one, so that all end together."""
    left = len(packs) % workers
    if not left or len(packs) >= MANY_PACKS * workers:
        return packs
    pieces = math.ceil(workers / left)
    cut = [even(list(one.networks), math.ceil(len(one.networks) / pieces)) for one in packs[-left:]]
    return packs[:-left] + [pack(part) for parts in cut for part in parts]


def _groups(items: Iterable[T], key: Callable[[T], Hashable]) -> dict[Hashable, list[T]]:
    found: dict[Hashable, list[T]] = defaultdict(list)
    for item in items:
        found[key(item)].append(item)
    return found


def _cell(network: Network) -> Hashable:
    return _alike(network), network.data.id, network.draw


def _fits(network: Network) -> Hashable:
    """What networks with data of their own must have in common to train in one pack."""
    data = network.data.settings
    return _alike(network), data.n_train, data.n_features, data.n_classes


def _alike(network: Network) -> Hashable:
    """What the members of a pack must have in common."""
    shape = network.shape
    return tuple(network.layers), shape.dropout, shape.activation, tuple(hashable(network.train).items())


def even(items: list[T], largest: int) -> Iterator[list[T]]:
    """Parts of at most ``largest`` members whose sizes differ by one at most."""
    parts = math.ceil(len(items) / largest)
    edges = [i * len(items) // parts for i in range(parts + 1)]
    for start, end in pairwise(edges):
        yield items[start:end]
