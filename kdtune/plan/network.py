"""What is trained: draws of data, networks, packs of networks. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Literal

from kdtune.plan.identity import DATA_SCHEMA, derive_seed, hash_text, select_hashed_settings, to_canonical_json
from kdtune.plan.memory_estimate import STACK_BYTES, estimate_training_bytes, pad_to_lane
from kdtune.settings import AnyDataset, Distill, Layer, Shape, Train

Model = Literal["teacher", "student", "distilled_student"]
Classes = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class DataDraw:
    """One draw of a data set. ``id`` names it, ``seed`` is the random state it is made with."""

    id: str
    settings: AnyDataset = field(compare=False)  # the id stands for them
    draw: int
    seed: int
    sweep_seed: int  # the ``seed`` of the sweep file


@dataclass(slots=True, eq=False)  # never changed; not "frozen", whose making is slower, for there may be a million
class Network:
    """One model to train, fully resolved: one row of the table."""

    id: str
    model: Model
    data: DataDraw
    shape: Shape
    train: Train
    draw: int  # which redraw of this network's own randomness
    order_seed: int  # batch order: shared by all students of one data set and replicate
    weights_seed: int  # initial weights: shared by those of one shape as well
    distill: Distill | None = None
    teacher: Network | None = None
    transfer: Classes | None = None  # the classes that a student sees; None for all

    @property
    def replicate(self) -> int:
        """The first replicate of a sweep in which this network appears."""
        return max(self.data.draw, self.draw, self.teacher.replicate if self.teacher else 0)

    @property
    def input_shape(self) -> tuple[int, ...]:
        """(channels, height, width) of images, (features,) of other data."""
        return self.data.settings.image or (self.data.settings.n_features,)

    @property
    def layers(self) -> list[Layer]:
        data = self.data.settings
        return self.shape.layers(data.n_features, data.image, data.n_classes)

    @property
    def n_params(self) -> int:
        return sum((layer.inputs + 1) * layer.outputs for layer in self.layers)

    @property
    def is_bitwise_reproducible(self) -> bool:
        """Whether its numbers are the same to the bit in any pack, on a CPU."""
        taught_anew = self.teacher is not None and self.data.settings.jitter > 0
        return self.shape.written_out and self.train.precision == "float32" and not taught_anew

    @property
    def training_bytes(self) -> int:
        """Bytes that it trains in, its data apart."""
        return estimate_training_bytes(self.layers, self.train.batch_size)

    @property
    def stack_size(self) -> int:
        """How many like it are stacked best on a CPU."""
        return max(1, STACK_BYTES // self.training_bytes) if self.shape.stacks else 1

    @property
    def n_train(self) -> int:
        """On how many examples it is trained; of a transfer set, about."""
        data = self.data.settings
        return data.n_train if self.transfer is None else max(1, data.n_train * len(self.transfer) // data.n_classes)

    @property
    def data_bytes(self) -> int:
        """What its training data take."""
        return 4 * self.n_train * (pad_to_lane(self.data.settings.n_features + 1) + self.data.settings.n_classes)

    @property
    def work(self) -> int:
        """Multiply-adds of its training: forward, both gradients; the input needs none."""
        products = [layer.inputs * layer.outputs * layer.places for layer in self.layers]
        return self.train.epochs * self.n_train * (3 * sum(products) - products[0])


@dataclass(frozen=True, slots=True)
class Pack:
    """Networks that train together as one stacked model; one trial."""

    id: str
    networks: tuple[Network, ...]

    @property
    def teacher_ids(self) -> frozenset[str]:
        """Ids of the teachers that must be there before it can start."""
        return frozenset(network.teacher.id for network in self.networks if network.teacher)

    @property
    def work(self) -> int:
        return sum(network.work for network in self.networks)

    def without_teachers(self, teachers: Collection[str]) -> Pack:
        """What is left of it when these teachers cannot be had."""
        return make_pack(n for n in self.networks if n.teacher is None or n.teacher.id not in teachers)


def make_data_draw(settings: AnyDataset, draw: int, sweep_seed: int) -> DataDraw:
    """One draw of a data set, with the id and the seed that its settings give."""
    name = hash_text(
        to_canonical_json(["data", DATA_SCHEMA, sweep_seed, draw, to_canonical_json(select_hashed_settings(settings))])
    )
    return DataDraw(name, settings, draw, derive_seed("data", name) >> 32, sweep_seed)


def make_pack(networks: Iterable[Network]) -> Pack:
    members = tuple(networks)
    return Pack(hash_text("|".join(network.id for network in members)), members)
