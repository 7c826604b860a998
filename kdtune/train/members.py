"""The networks of a pack with what each learns from, and how they are split into stacks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch import nn

from kdtune.data.splits import Data
from kdtune.plan.network import Network
from kdtune.plan.packing import split_evenly

# Members of one source are stacked apart from those of others once they are this many: a smaller stack
# costs more for its operations than it saves by sharing its batches.
MIN_MEMBERS_TO_SHARE_BATCHES = 4


@dataclass(frozen=True)
class Sources:
    """The different series of batches that a pack needs; members that learn from the same one share it."""

    first_members: list[int]
    """The first member of each source."""
    source_of_member: list[int]
    """The source of each member."""


@dataclass(frozen=True)
class DistinctData:
    """The data sets of a pack, each listed once."""

    data_sets: list[Data]
    data_set_of_member: list[int]
    """The index into ``data_sets`` of each member."""


@dataclass
class Members:
    """The networks of a pack and what each learns from; every list has one entry per member.

    Attributes
    ----------
    networks : of one shape and with one way of training.
    data : the same object for members that share a data set. All have equally many training examples.
    teacher_logits : on the training part, (examples, classes); None for a member that learns from labels alone.
    teacher_nets : the teachers themselves, instead of their logits, where images are shifted in each epoch.
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

    @property
    def sources(self) -> Sources:
        """The sources of the pack's batches: one for each combination of data draw, batch order and teacher.

        A baseline has no teacher. It joins the first source with its data and order that has one, if there is any.
        """
        first_teachers: dict[tuple[str, int], str] = {}
        for network in self.networks:
            if network.teacher:
                first_teachers.setdefault((network.data.id, network.order_seed), network.teacher.id)
        sources: dict[tuple[str, int, str | None], int] = {}
        first_members: list[int] = []
        source_of_member: list[int] = []
        for i, network in enumerate(self.networks):
            data_and_order = (network.data.id, network.order_seed)
            teacher_id = network.teacher.id if network.teacher else first_teachers.get(data_and_order)
            key = (*data_and_order, teacher_id)
            if key not in sources:
                sources[key] = len(sources)
                first_members.append(i)
            source_of_member.append(sources[key])
        return Sources(first_members, source_of_member)

    @property
    def distinct_data(self) -> DistinctData:
        """The data sets of the members, each once, in the order in which they first appear."""
        indices: dict[int, int] = {}  # by the identity of the object
        data_sets: list[Data] = []
        data_set_of_member: list[int] = []
        for data in self.data:
            if id(data) not in indices:
                indices[id(data)] = len(data_sets)
                data_sets.append(data)
            data_set_of_member.append(indices[id(data)])
        return DistinctData(data_sets, data_set_of_member)


def split_into_stacks(members: Members, threads: int = 1, device: str = "cpu") -> list[Members]:
    """Split a pack into the parts that train as one stack each: on a CPU, small enough for the caches of its threads.

    The numbers of a network whose ``is_bitwise_reproducible`` is true depend neither on its part nor on the
    threads. Those of other networks may, in their last bits: their parts depend on the pack alone.
    """
    if device != "cpu":
        return [members]
    n_members, first_network = len(members.networks), members.networks[0]
    sources = members.sources
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
