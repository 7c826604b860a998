"""The networks of a pack or stack with the data and teachers they learn from, and the split of a pack into stacks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch import nn

from kdtune.data.splits import Data
from kdtune.plan.network import Network
from kdtune.plan.packing import split_evenly

# Each source (see `Sources`) gets stacks of its own if sources have at least this many members on average: a smaller
# stack costs more for its operations than it saves by sharing its batches.
MIN_MEMBERS_TO_SHARE_BATCHES = 4


@dataclass(frozen=True)
class Sources:
    """The sources of batches of a pack or stack.

    A source is a group of members with the same data, order of examples and teacher; they read the same batches.
    Baselines, which have no teacher, belong to the first source with their data and order that has one. If there is
    none, they are a source without a teacher.
    """

    first_members: list[int]
    """The index of the first member of each source."""
    source_of_member: list[int]
    """The index of the source of each member."""


@dataclass(frozen=True)
class DistinctData:
    """The data sets of a pack or stack, each listed once."""

    data_sets: list[Data]
    data_set_of_member: list[int]
    """The index into ``data_sets`` of each member."""


@dataclass
class Members:
    """The networks of a pack or stack, with the data and teachers they learn from: one entry per member in each list.

    Attributes
    ----------
    networks : Networks of one shape with the same training settings.
    data : Data set of each member, the same object for members that share one. All have equally many training
        examples.
    teacher_logits : Logits of each member's teacher on the training part, (examples, classes); None for a member that
        learns from labels alone, and for all members if there are ``teacher_nets``.
    teacher_nets : Teachers themselves, if images are shifted in each epoch; None for a member that learns from labels
        alone.
    """

    networks: list[Network]
    data: list[Data]
    teacher_logits: Sequence[Any | None]
    teacher_nets: list[nn.Module | None] | None = None

    def select(self, indices: Sequence[int]) -> Members:
        """Return the members at these indices."""
        teacher_nets = None
        if self.teacher_nets is not None:
            teacher_nets = [self.teacher_nets[i] for i in indices]
        return Members(
            [self.networks[i] for i in indices],
            [self.data[i] for i in indices],
            [self.teacher_logits[i] for i in indices],
            teacher_nets,
        )

    def find_sources(self) -> Sources:
        """Group the members by data draw, order of examples and teacher."""
        first_teachers: dict[tuple[str, int], str] = {}
        for network in self.networks:
            if network.teacher:
                first_teachers.setdefault((network.data.id, network.order_seed), network.teacher.id)
        source_by_key: dict[tuple[str, int, str | None], int] = {}
        first_members: list[int] = []
        source_of_member: list[int] = []
        for i, network in enumerate(self.networks):
            data_and_order = (network.data.id, network.order_seed)
            teacher_id = network.teacher.id if network.teacher else first_teachers.get(data_and_order)
            key = (*data_and_order, teacher_id)
            if key not in source_by_key:
                source_by_key[key] = len(source_by_key)
                first_members.append(i)
            source_of_member.append(source_by_key[key])
        return Sources(first_members, source_of_member)

    def find_distinct_data(self) -> DistinctData:
        """Return the data sets of the members, each once, in the order in which they first appear."""
        index_by_object_id: dict[int, int] = {}
        data_sets: list[Data] = []
        data_set_of_member: list[int] = []
        for data in self.data:
            if id(data) not in index_by_object_id:
                index_by_object_id[id(data)] = len(data_sets)
                data_sets.append(data)
            data_set_of_member.append(index_by_object_id[id(data)])
        return DistinctData(data_sets, data_set_of_member)


def split_into_stacks(members: Members, threads: int = 1, device: str = "cpu") -> list[Members]:
    """Split the members of a pack into stacks: one on a GPU; on a CPU, stacks that fit into the caches of its threads.

    Modules of the user's that cannot be stacked are stacks of one everywhere.

    The numbers of a network whose ``is_bitwise_reproducible`` is true depend neither on its stack nor on the number of
    threads. Those of other networks may, in their last bits, so that their stacks depend on the pack alone.

    Parameters
    ----------
    threads : Number of threads of the worker.
    device : ``"cpu"`` or ``"cuda"``.
    """
    n_members, first_network = len(members.networks), members.networks[0]
    if first_network.facts is not None and first_network.facts.reason_alone is not None:
        return [members.select([i]) for i in range(n_members)]
    if device != "cpu":
        return [members]
    sources = members.find_sources()
    groups = [list(range(n_members))]
    if n_members >= MIN_MEMBERS_TO_SHARE_BATCHES * len(sources.first_members):
        groups = [
            [i for i in range(n_members) if sources.source_of_member[i] == source]
            for source in range(len(sources.first_members))
        ]
    max_stack_size = first_network.stack_size
    if first_network.is_bitwise_reproducible:
        max_stack_size *= threads
    return [members.select(indices) for group in groups for indices in split_evenly(group, max_stack_size)]


def choose_threads(members: Members, threads: int) -> int:
    """Return how many of a worker's threads train a stack.

    A stack whose numbers must be reproducible to the bit gets at most one thread per member: torch would divide
    the matrix product of a single member among several threads, which changes its last bits.
    """
    if members.networks[0].is_bitwise_reproducible:
        return min(threads, len(members.networks))
    return threads
