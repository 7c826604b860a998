"""What is trained: draws of data, networks, packs of networks. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Literal

from kdtune.identity import DATA_SCHEMA, canonical, digest, hashable, seed
from kdtune.settings import MLP, Digits, Distill, MakeClassification, Train
from kdtune.sizes import STACK_BYTES, footprint, padded

Model = Literal["teacher", "student", "distilled_student"]


@dataclass(frozen=True, slots=True)
class DataDraw:
    """One draw of a data set. ``id`` names it, ``seed`` is the random state it is made with."""

    id: str
    settings: MakeClassification | Digits = field(compare=False)  # the id stands for them
    draw: int
    seed: int
    sweep_seed: int  # the ``seed`` of the sweep file


@dataclass(slots=True, eq=False)  # never changed; not "frozen", whose making is slower, for there may be a million
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
    def exact(self) -> bool:
        """Whether its numbers are the same to the bit in any pack, on a CPU."""
        return self.shape.written_out and self.train.precision == "float32"

    @property
    def footprint(self) -> int:
        """Bytes that it trains in, its data apart."""
        return footprint(self.layers, self.train.batch_size)

    @property
    def stack_size(self) -> int:
        """How many like it are stacked best on a CPU."""
        return max(1, STACK_BYTES // self.footprint)

    @property
    def data_bytes(self) -> int:
        """What its training data take."""
        return (
            4 * self.data.settings.n_train * (padded(self.data.settings.n_features + 1) + self.data.settings.n_classes)
        )

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


def data_draw(settings: MakeClassification | Digits, draw: int, sweep_seed: int) -> DataDraw:
    """One draw of a data set, with the id and the seed that its settings give."""
    name = digest(canonical(["data", DATA_SCHEMA, sweep_seed, draw, canonical(hashable(settings))]))
    return DataDraw(name, settings, draw, seed("data", name) >> 32, sweep_seed)


def pack(networks: Iterable[Network]) -> Pack:
    members = tuple(networks)
    return Pack(digest("|".join(network.id for network in members)), members)
