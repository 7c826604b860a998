"""Decide which networks train together, as one pack.

A pack is a list of networks that one worker trains as one stacked model, in one Ray Tune trial. All of
them are of one type: equal layers, equal training settings, equally large data (see ``NetworkType``).

1. Teachers of one type share packs, each with its own data (``pack_teachers``).
2. Distilled students are grouped into cells. A cell holds those that share type, data draw, student draw and
   teacher; they differ in temperature and loss only. A baseline joins the first cell with its type, data draw
   and student draw, or is a cell of its own.
3. Starting a trial takes time, which is much beside a short training. So several small cells are merged into
   one pack, if they wait for the same teacher pack or for none: merging delays no cell.
4. A cell that is larger than ``PackLimits`` allows is split evenly.
5. In a small sweep, a pack that would train too long is split, so that rows come soon and an interruption loses
   little (``limit_loss``).
6. If the packs are few and no multiple of the workers, the smallest ones are split, so that fewer workers idle
   at the end of the sweep (``pack_students`` does steps 2 to 6).

Packs change the time that a sweep takes. On a CPU they change no result of networks that are bitwise
reproducible (see ``Network``). For all other networks, and for all networks on a GPU, the last bits of a result
may depend on the pack; packs then follow from the sweep and its limits alone (see ``fixed_packs`` of ``make_plan``).
Modules of the user's that are done stay as they are even then, where a sweep grows.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TypeVar

from kdtune.plan.network import Network, Pack, make_pack
from kdtune.plan.network_types import NetworkType, NetworkTypes
from kdtune.plan.training_time import count_networks_within, estimate_stacked_seconds

Item = TypeVar("Item")
Key = TypeVar("Key", bound=Hashable)

# Cells are merged up to this many multiply-adds, which take about two seconds on one core: starting a trial
# takes the driver about 50 ms, which is little beside that.
MAX_MERGED_WORK = 4e10
# With more packs per worker, all workers end at about the same time without splitting packs.
MAX_PACKS_PER_WORKER_TO_SPLIT = 8
# Merging stops when a pack has its share of the total work among this many packs per worker, which leaves about so
# many if no cell is large. They can be shared evenly even if some take longer than others.
MERGED_PACKS_PER_WORKER = 4
# Rows come about every so many seconds of work on one core, and an interruption loses no more. Packs of a larger sweep
# may take a tenth of it: small stacks are slower per network, and starting a trial takes time.
MAX_PACK_SECONDS = 6.0
MAX_PACK_SHARE = 0.1
# A pack on a GPU is meant to fill it: its networks are small, and 4 GiB leave room on any current card.
GPU_PACK_BYTES = 4 << 30
GPU_PACK_NETWORKS = 4096


@dataclass(frozen=True)
class PackLimits:
    """How large one pack may be.

    Attributes
    ----------
    max_networks : networks in a pack. Beyond 64 a CPU trains no faster, and if a worker crashes, all networks
        of its pack start again.
    max_bytes : bytes of the data of its networks and of what they read and write in a training step.
    max_merged_work : multiply-adds up to which small cells are merged into one pack.
    max_seconds : estimated seconds of training on one core; see ``count_networks_within`` for what is longer.
    """

    max_networks: int = 64
    max_bytes: int = 1 << 30
    max_merged_work: float = MAX_MERGED_WORK
    max_seconds: float = math.inf

    @classmethod
    def for_gpu(cls, gpu_share: float) -> PackLimits:
        """Return the limits of a worker that has this share of a GPU."""
        return cls(max_networks=GPU_PACK_NETWORKS, max_bytes=int(gpu_share * GPU_PACK_BYTES), max_merged_work=math.inf)


def limit_loss(limits: PackLimits, networks: Iterable[Network]) -> PackLimits:
    """Return the limits of packs of which an interruption loses little, for all networks that a plan trains.

    They are for networks whose results do not depend on the pack: the cut differs with what is left to train.
    """
    types = NetworkTypes()
    n_networks_by_type = Counter(types.find(network) for network in networks)
    total_seconds = sum(n * estimate_stacked_seconds(network_type) for network_type, n in n_networks_by_type.items())
    return replace(limits, max_seconds=max(MAX_PACK_SECONDS, MAX_PACK_SHARE * total_seconds))


@dataclass
class _Cell:
    """Students of one type, data draw, student draw and teacher, after their baseline if it joins this cell."""

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
        CPU. A larger pack would train its stacks one after another and report when all are trained, so that
        the students of the first teacher would wait for the last.
    """
    types = NetworkTypes()
    packs = []
    for network_type, members in _group_by(teachers, types.find).items():
        max_by_memory = limits.max_bytes // (network_type.data_bytes + network_type.training_bytes)
        max_networks = min(math.ceil(len(teachers) / workers), limits.max_networks, max_by_memory)
        if limit_to_stack:
            max_networks = min(max_networks, network_type.stack_size)
        # In a larger sweep teachers stay together: nine with dropout took 28 % longer two by two than five and four.
        if limits.max_seconds <= MAX_PACK_SECONDS:
            max_networks = int(min(max_networks, count_networks_within(network_type, limits.max_seconds)))
        packs += [make_pack(part) for part in split_evenly(members, max(1, max_networks))]
    return _sort_by_work(packs)


def pack_students(
    students: list[Network], teacher_packs: Iterable[Pack], workers: int, limits: PackLimits
) -> list[Pack]:
    """Group distilled students and baselines into packs, those with the most work first.

    Parameters
    ----------
    students : distilled students and baselines of all types.
    teacher_packs : the packs that these students may wait for.
    workers : the number of workers. It bounds how much is merged, and the packs are divided among them.
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
        max_by_seconds = count_networks_within(network_type, limits.max_seconds)
        max_networks = max(1, int(min(limits.max_networks, max_by_memory, max_by_seconds)))
        for networks in _merge_small_cells(mergeable_cells, max_merged_work, limits):
            packs += [make_pack(part) for part in split_evenly(networks, max_networks)]
    return _split_remainder(_sort_by_work(packs), workers)


def _group_into_cells(students: list[Network]) -> list[_Cell]:
    """Group students into cells; a baseline joins the first cell of its type, data draw and student draw."""
    types = NetworkTypes()
    cells: dict[Hashable, _Cell] = {}
    cell_for_baseline: dict[Hashable, _Cell] = {}  # by type, data draw and student draw
    baselines = []
    for network in students:
        if network.teacher is None:
            baselines.append(network)
            continue
        network_type = types.find(network)
        baseline_key = network_type, network.data.id, network.draw
        cell_key = *baseline_key, network.teacher.id
        if cell_key not in cells:
            cells[cell_key] = _Cell(network_type, network.teacher.id, [])
            cell_for_baseline.setdefault(baseline_key, cells[cell_key])
        cells[cell_key].networks.append(network)
    for baseline in baselines:
        network_type = types.find(baseline)
        baseline_key = network_type, baseline.data.id, baseline.draw
        if baseline_key in cell_for_baseline:
            cell_for_baseline[baseline_key].networks.insert(0, baseline)
        else:
            cell_for_baseline[baseline_key] = _Cell(network_type, None, [baseline])
            cells[*baseline_key, None] = cell_for_baseline[baseline_key]
    return list(cells.values())


def _merge_small_cells(cells: list[_Cell], max_work: float, limits: PackLimits) -> Iterator[list[Network]]:
    """Join neighbouring cells of one type while they stay within the limits together.

    The data count once per cell, which is an upper bound: cells of several teachers may share their data.
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


def _split_remainder(packs: list[Pack], workers: int) -> list[Pack]:
    """Split the smallest ``len(packs) % workers`` packs, so that there is a part for every worker.

    With nine packs and two workers, for example, each worker trains four packs and half of the ninth.
    """
    n_remaining = len(packs) % workers
    if n_remaining == 0 or len(packs) >= MAX_PACKS_PER_WORKER_TO_SPLIT * workers:
        return packs
    parts_per_pack = math.ceil(workers / n_remaining)
    balanced_packs = packs[:-n_remaining]
    for pack in packs[-n_remaining:]:
        max_networks = math.ceil(len(pack.networks) / parts_per_pack)
        balanced_packs += [make_pack(part) for part in split_evenly(list(pack.networks), max_networks)]
    return balanced_packs


def _sort_by_work(packs: list[Pack]) -> list[Pack]:
    """Return the packs with the most work first; those of equal work keep their order."""
    return sorted(packs, key=lambda pack: pack.work, reverse=True)


def _group_by(items: Iterable[Item], get_key: Callable[[Item], Key]) -> dict[Key, list[Item]]:
    """Return the items of each key, in their order."""
    groups: dict[Key, list[Item]] = {}
    for item in items:
        groups.setdefault(get_key(item), []).append(item)
    return groups


def split_evenly(items: list[Item], max_items: int) -> Iterator[list[Item]]:
    """Yield consecutive parts of at most ``max_items`` items, whose sizes differ by one at most."""
    n_parts = math.ceil(len(items) / max_items)
    for i in range(n_parts):
        start = i * len(items) // n_parts
        end = (i + 1) * len(items) // n_parts
        yield items[start:end]
