"""The things that are trained: draws of data, networks and packs of networks."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Literal

from kdtune.plan.identity import DATA_SCHEMA, derive_seed, hash_text, select_hashed_settings, to_canonical_json
from kdtune.plan.memory_estimate import (
    FLOAT32_BYTES,
    MODULE_STACK_BYTES,
    STACK_BYTES,
    estimate_training_bytes,
    round_up_to_alignment,
)
from kdtune.settings import Dataset, Distill, Layer, ModuleFacts, Shape, Train

Model = Literal["teacher", "student", "distilled_student"]
Classes = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class DataDraw:
    """One draw of a data set: its settings and the seed that it is made with.

    Attributes
    ----------
    id : hash of the settings, the draw and the sweep's seed; two draws are equal if their ids are.
    draw : number of the draw, from 0.
    seed : the random state that the data are generated or split with.
    sweep_seed : ``seed`` of the sweep file.
    test_seed : the random state that test data are drawn with, if that is another one: the outputs of a teacher who
        has seen certain examples belong to one test split.
    """

    id: str
    settings: Dataset = field(compare=False)
    draw: int
    seed: int
    sweep_seed: int
    test_seed: int | None = None


# Treat it as frozen. It is not declared so: a frozen dataclass takes longer to make, and a sweep may have a million.
@dataclass(slots=True, eq=False)
class Network:
    """One model to train, with all its settings resolved: one row of the table.

    Attributes
    ----------
    id : hash of everything that determines the result.
    draw : number of the redraw of this network's own randomness, from 0.
    order_seed : seed of the batch order, which all students of one data set and replicate share.
    weights_seed : seed of the initial weights, which those of equal layers share as well.
    distill, teacher : the loss and the teacher of a distilled student; None for other models.
    transfer : classes of the transfer set that a student is trained on; None for all.
    """

    id: str
    model: Model
    data: DataDraw
    shape: Shape
    train: Train
    draw: int
    order_seed: int
    weights_seed: int
    distill: Distill | None = None
    teacher: Network | None = None
    transfer: Classes | None = None

    @property
    def replicate(self) -> int:
        """The first replicate of a sweep in which this network appears."""
        teacher_replicate = self.teacher.replicate if self.teacher else 0
        return max(self.data.draw, self.draw, teacher_replicate)

    @property
    def input_shape(self) -> tuple[int, ...]:
        """(channels, height, width) of images, (features,) of other data."""
        return self.data.settings.input_shape

    @property
    def layers(self) -> list[Layer]:
        """The layers from the input to the logits."""
        data = self.data.settings
        return self.shape.list_layers(data.n_features, data.image, data.n_classes)

    @property
    def facts(self) -> ModuleFacts | None:
        """What is known of a module of the user's; None for other networks."""
        data = self.data.settings
        return self.shape.get_facts(data.input_shape, data.n_classes)

    @property
    def n_params(self) -> int | None:
        """The number of parameters, biases included; None where it is not known."""
        if self.layers:
            return sum((layer.inputs + 1) * layer.outputs for layer in self.layers)
        return self.facts.n_params if self.facts else None

    @property
    def multiply_adds(self) -> int | None:
        """Multiply-adds of one forward pass for one example, biases not counted; None where they are not known."""
        if self.layers:
            return sum(layer.inputs * layer.outputs * layer.positions for layer in self.layers)
        return self.facts.multiply_adds if self.facts else None

    @property
    def is_bitwise_reproducible(self) -> bool:
        """Whether it trains to the same bits in any pack, on a CPU."""
        # Under jitter the teacher's logits are computed anew for each batch, for the whole pack at once.
        has_online_targets = self.teacher is not None and self.data.settings.jitter > 0
        return self.shape.has_handwritten_step and self.train.precision == "float32" and not has_online_targets

    @property
    def training_bytes(self) -> int:
        """Estimated bytes that it reads and writes in a training step, without its data."""
        if self.facts:
            n_values = 4 * self.facts.n_params + 2 * self.facts.activations * self.train.batch_size
            return FLOAT32_BYTES * n_values
        return estimate_training_bytes(self.layers, self.train.batch_size)

    @property
    def stack_size(self) -> int:
        """How many networks like this one train fastest as one stack on a CPU."""
        if self.facts is not None:
            if self.facts.reason_alone is not None or self.facts.has_convolutions:
                return 1
            return max(1, MODULE_STACK_BYTES // self.training_bytes)
        if not self.shape.is_faster_stacked:
            return 1
        return max(1, STACK_BYTES // self.training_bytes)

    @property
    def n_train(self) -> int:
        """The number of training examples; of a transfer set an estimate, as if all classes were equally large."""
        data = self.data.settings
        if self.transfer is None:
            return data.n_train
        return max(1, data.n_train * len(self.transfer) // data.n_classes)

    @property
    def data_bytes(self) -> int:
        """Estimated bytes of its training data: features, and soft targets or labels."""
        data = self.data.settings
        n_values = 0 if data.is_read_from_file else round_up_to_alignment(data.n_features + 1)
        return FLOAT32_BYTES * self.n_train * (n_values + data.n_classes)

    @property
    def work(self) -> int:
        """Multiply-adds of its training.

        A layer takes three products per example: forward, the gradient of its weights and the gradient
        of its input; the first layer does without the last.
        """
        if not self.shape.is_trained_by_steps:
            return self.shape.estimate_work(self.n_train, self.data.settings.n_features)
        if self.facts:
            return self.train.epochs * self.n_train * 3 * self.facts.multiply_adds
        products = [layer.inputs * layer.outputs * layer.positions for layer in self.layers]
        return self.train.epochs * self.n_train * (3 * sum(products) - products[0])


@dataclass(frozen=True, slots=True)
class Pack:
    """Networks that train together as one stacked model, as one trial: either teachers or students.

    A pack that held both might have to wait for itself.

    Raises
    ------
    ValueError
        If there are both teachers and students among the networks.
    """

    id: str
    networks: tuple[Network, ...]

    def __post_init__(self) -> None:
        n_teachers = sum(network.model == "teacher" for network in self.networks)
        if 0 < n_teachers < len(self.networks):
            raise ValueError(
                f"pack {self.id} holds both teachers ({n_teachers} of {len(self.networks)} networks) and students; "
                f"put teachers and students into packs of their own, or a pack may wait for itself"
            )

    def list_stored_paths(self) -> list[str]:
        """List the paths of the stored inputs that its networks are trained on."""
        paths: dict[str, None] = {}
        for network in self.networks:
            for settings in (network.data.settings, network.shape):
                paths |= dict.fromkeys(settings.list_stored_paths())
        return list(paths)

    @property
    def is_teacher_pack(self) -> bool:
        """Whether its networks are teachers; the networks of other packs are students and baselines."""
        return bool(self.networks) and self.networks[0].model == "teacher"

    @property
    def teacher_ids(self) -> frozenset[str]:
        """Ids of the teachers that must be trained before it can start."""
        return frozenset(network.teacher.id for network in self.networks if network.teacher)

    @property
    def work(self) -> int:
        """Multiply-adds of its training."""
        return sum(network.work for network in self.networks)

    @property
    def estimated_bytes(self) -> int:
        """Bytes of memory for its data and its networks, about."""
        data_bytes = {network.data.id: network.data_bytes for network in self.networks}
        return sum(data_bytes.values()) + sum(network.training_bytes for network in self.networks)

    def without_teachers(self, teacher_ids: Collection[str]) -> Pack:
        """Return the pack without the students of these teachers; it may be empty."""
        return make_pack(
            network for network in self.networks if network.teacher is None or network.teacher.id not in teacher_ids
        )


def make_data_draw(settings: Dataset, draw: int, sweep_seed: int, is_test_kept: bool = False) -> DataDraw:
    """Return one draw of a data set, with the id and the seed that follow from its settings.

    Parameters
    ----------
    is_test_kept : Whether all draws have the test data of the first one.
    """
    settings_json = to_canonical_json(select_hashed_settings(settings))
    key = ["data", DATA_SCHEMA, sweep_seed, draw, settings_json]
    if is_test_kept and draw > 0:  # The first draw is the same either way.
        key.append("test data of the first draw")
    data_id = hash_text(to_canonical_json(key))
    # scikit-learn takes seeds below 2**32.
    seed = derive_seed("data", data_id) >> 32
    test_seed = make_data_draw(settings, 0, sweep_seed).seed if is_test_kept and draw > 0 else None
    return DataDraw(data_id, settings, draw, seed, sweep_seed, test_seed)


def make_pack(networks: Iterable[Network]) -> Pack:
    """Return a pack of these networks, with an id that follows from theirs."""
    members = tuple(networks)
    return Pack(hash_text("|".join(network.id for network in members)), members)
