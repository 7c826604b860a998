"""Decide which networks train together, as one pack.

A pack is a list of networks that one worker trains as one stacked model, in one Ray Tune trial. All of
them are of one type: equal layers, equal training settings, equally large data (see ``NetworkType``).

1. Teachers of one type share packs, each with its own data (``pack_teachers``).
2. Students are first grouped into cells. A cell holds the students of one type, one replicate and one
   teacher, which differ in temperature and loss only, and the baseline that they are compared with.
3. Cells are small where training is short, and starting a trial takes time. So several small cells are
   merged into one pack, if their teachers train in the same pack: then no cell waits longer for it.
4. A pack that would be larger than ``PackLimits`` allows is split evenly.
5. Where the packs do not divide among the workers, the last ones are split, so that no worker idles at
   the end of the sweep (``pack_students`` does steps 2 to 5).

Packs change the time that a sweep takes. On a CPU they change no result of networks that are bitwise
reproducible (see ``Network``). Of other networks, and on a GPU, the last bits of a result may depend on the
pack; packs are then made from the sweep file alone (see ``fixed_packs`` of ``make_plan``).
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from kdtune.plan.network import Network, Pack, make_pack
from kdtune.plan.network_types import NetworkType, NetworkTypes

Item = TypeVar("Item")
Key = TypeVar("Key", bound=Hashable)

# Starting a trial takes the driver about 50 ms. Cells are merged while their students train for less than
# about two seconds on one core, which is this many multiply-adds.
SMALL_WORK = 4e10
# With so many packs per worker, all workers end at about the same time without splitting the last packs.
MANY_PACKS_PER_WORKER = 8
# Several merged packs per worker, so that they can be shared evenly even if some take longer than others.
MERGED_PACKS_PER_WORKER = 4


@dataclass(frozen=True)
class PackLimits:
    """How large one pack may be.

    Attributes
    ----------
    max_networks : networks in a pack. Beyond 64 a CPU trains no faster, and more is lost with a worker.
    max_bytes : bytes of the data of its networks and of what they read and write in a training step.
    max_merged_work : multiply-adds up to which small cells are merged into one pack.
    """

    max_networks: int = 64
    max_bytes: int = 1 << 30
    max_merged_work: float = SMALL_WORK

    @classmethod
    def for_gpu(cls, gpu_share: float) -> PackLimits:
        """Return the limits of a worker that has this share of a GPU: one pack fills the share."""
        return cls(max_networks=4096, max_bytes=int(gpu_share * (4 << 30)), max_merged_work=math.inf)


@dataclass
class _Cell:
    """A baseline, if there is one, followed by the students of one type, replicate and teacher."""

    network_type: NetworkType
    teacher_id: str | None  # None if the baseline is alone
    networks: list[Network]


def pack_teachers(teachers: list[Network], workers: int, limits: PackLimits, limit_to_stack: bool) -> list[Pack]:
    """Group teachers of one type into packs, those with the most work first.

    Parameters
    ----------
    teachers : teachers of all types.
    workers : the number of workers; no pack holds more than an equal share of all teachers.
    limits : how large a pack may be.
    limit_to_stack : whether a pack may hold only as many teachers as train fastest as one stack on a
        CPU. Further teachers would train after these, and the students of the first wait for them.
    """
    types = NetworkTypes()
    packs = []
    for network_type, members in _group_by(teachers, types.find).items():
        max_by_memory = limits.max_bytes // (network_type.data_bytes + network_type.training_bytes)
        max_networks = min(math.ceil(len(teachers) / workers), limits.max_networks, max_by_memory)
        if limit_to_stack:
            max_networks = min(max_networks, network_type.stack_size)
        packs += [make_pack(part) for part in split_evenly(members, max(1, max_networks))]
    return _sort_by_work(packs)


def pack_students(
    students: list[Network], teacher_packs: Iterable[Pack], workers: int, limits: PackLimits
) -> list[Pack]:
    """Group distilled students and baselines into packs, those with the most work first.

    Parameters
    ----------
    students : distilled students and baselines of all types.
    teacher_packs : the packs of the teachers that are still to train.
    workers : the number of workers that the last packs are split among.
    limits : how large a pack may be.
    """
    pack_id_by_teacher = {teacher.id: pack.id for pack in teacher_packs for teacher in pack.networks}

    def get_merge_key(cell: _Cell) -> tuple[NetworkType, str | None]:
        """Return what cells must share to be merged: their type, and the pack that they wait for or None."""
        awaited_pack_id = pack_id_by_teacher.get(cell.teacher_id) if cell.teacher_id else None
        return cell.network_type, awaited_pack_id

    cells = _group_into_cells(students)
    max_merged_work = limits.max_merged_work
    if workers > 1:
        total_work = sum(cell.network_type.work * len(cell.networks) for cell in cells)
        max_merged_work = min(max_merged_work, total_work / (MERGED_PACKS_PER_WORKER * workers))

    packs = []
    for (network_type, _), mergeable_cells in _group_by(cells, get_merge_key).items():
        max_by_memory = (limits.max_bytes - network_type.data_bytes) // network_type.training_bytes
        max_networks = max(1, min(limits.max_networks, max_by_memory))
        for networks in _merge_small_cells(mergeable_cells, max_merged_work, limits):
            packs += [make_pack(part) for part in split_evenly(networks, max_networks)]
    return _split_last_packs(_sort_by_work(packs), workers)


def _group_into_cells(students: list[Network]) -> list[_Cell]:
    """Group students into cells; a baseline joins the first cell of its type and replicate."""
    types = NetworkTypes()
    cells: dict[Hashable, _Cell] = {}
    first_cells: dict[Hashable, _Cell] = {}  # the first of each type and replicate
    baselines = []
    for network in students:
        if network.teacher is None:
            baselines.append(network)
            continue
        network_type = types.find(network)
        replicate_key = network_type, network.data.id, network.draw
        cell_key = *replicate_key, network.teacher.id
        if cell_key not in cells:
            cells[cell_key] = _Cell(network_type, network.teacher.id, [])
            first_cells.setdefault(replicate_key, cells[cell_key])
        cells[cell_key].networks.append(network)
    for baseline in baselines:
        network_type = types.find(baseline)
        replicate_key = network_type, baseline.data.id, baseline.draw
        if replicate_key in first_cells:
            first_cells[replicate_key].networks.insert(0, baseline)
        else:
            cells[replicate_key] = _Cell(network_type, None, [baseline])
    return list(cells.values())


def _merge_small_cells(cells: list[_Cell], max_work: float, limits: PackLimits) -> Iterator[list[Network]]:
    """Join neighbouring cells of one type while they stay within the limits together.

    Each cell brings data of its own, so the bytes of the data count once per cell.
    """
    network_type = cells[0].network_type
    merged_networks: list[Network] = []
    n_merged_cells = 0
    for cell in cells:
        n_networks = len(merged_networks) + len(cell.networks)
        n_bytes = (n_merged_cells + 1) * network_type.data_bytes + n_networks * network_type.training_bytes
        fits = (
            n_networks * network_type.work <= max_work
            and n_networks <= limits.max_networks
            and n_bytes <= limits.max_bytes
        )
        if merged_networks and not fits:
            yield merged_networks
            merged_networks = []
            n_merged_cells = 0
        merged_networks = merged_networks + cell.networks
        n_merged_cells += 1
    yield merged_networks


def _split_last_packs(packs: list[Pack], workers: int) -> list[Pack]:
    """Split the packs that are left once all workers have equally many, so that every worker gets a part.

    With nine packs and two workers, for example, each worker trains four packs and half of the ninth.
    """
    n_last = len(packs) % workers
    if n_last == 0 or len(packs) >= MANY_PACKS_PER_WORKER * workers:
        return packs
    parts_per_pack = math.ceil(workers / n_last)
    balanced_packs = packs[:-n_last]
    for pack in packs[-n_last:]:
        max_networks = math.ceil(len(pack.networks) / parts_per_pack)
        balanced_packs += [make_pack(part) for part in split_evenly(list(pack.networks), max_networks)]
    return balanced_packs


def _sort_by_work(packs: list[Pack]) -> list[Pack]:
    """Return the packs with the most work first; those of equal work keep their order."""
    return sorted(packs, key=lambda pack: pack.work, reverse=True)


def _group_by(items: Iterable[Item], get_key: Callable[[Item], Key]) -> dict[Key, list[Item]]:
    """Return the items of each key, in their order."""
    groups: dict[Key, list[Item]] = defaultdict(list)
    for item in items:
        groups[get_key(item)].append(item)
    return groups


def split_evenly(items: list[Item], max_items: int) -> Iterator[list[Item]]:
    """Yield consecutive parts of at most ``max_items`` items, whose sizes differ by one at most."""
    n_parts = math.ceil(len(items) / max_items)
    for i in range(n_parts):
        start = i * len(items) // n_parts
        end = (i + 1) * len(items) // n_parts
        yield items[start:end]
