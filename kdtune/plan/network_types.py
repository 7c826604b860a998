"""Types of networks: networks of one type may train in one stack."""

from __future__ import annotations

import math
from collections.abc import Hashable
from dataclasses import dataclass

from kdtune.plan.identity import select_hashed_settings, to_canonical_json
from kdtune.plan.network import Network


@dataclass(frozen=True, eq=False)
class NetworkType:
    """The type of networks that have equal shapes, equal training settings and equally large data.

    ``NetworkTypes`` makes one object per type, so types are compared and hashed by identity. The
    attributes are those of one ``Network`` of the type; ``steps`` are those of its training, 0
    if it is trained otherwise.
    """

    work: int
    steps: int
    training_bytes: int
    data_bytes: int
    stack_size: int


class NetworkTypes:
    """The types of the networks of a sweep, one object per type.

    A sweep may have a million networks, though of few types, and serializing the settings of each would
    take too long. So types are also cached by ``id()`` of the settings objects, which the networks of a
    sweep share. Keep the networks alive while this object is used: Python reuses the id of a deleted object.
    """

    def __init__(self) -> None:
        self._types_by_settings: dict[Hashable, NetworkType] = {}
        self._types_by_identity: dict[Hashable, NetworkType] = {}

    def find(self, network: Network) -> NetworkType:
        """Return the type of a network."""
        # Transfer sets of equal classes may differ in size between draws of the data, and networks in a stack
        # need data of equal size: students on a transfer set share a type within one data draw only.
        transfer_key = None if network.transfer is None else (network.transfer, network.data.id)
        identity_key = id(network.shape), id(network.train), id(network.data.settings), transfer_key
        network_type = self._types_by_identity.get(identity_key)
        if network_type is None:
            settings_key = *_serialize_settings(network), transfer_key
            if settings_key not in self._types_by_settings:
                train, is_trained_by_steps = network.train, network.shape.is_trained_by_steps
                self._types_by_settings[settings_key] = NetworkType(
                    work=network.work,
                    steps=train.epochs * math.ceil(network.n_train / train.batch_size) if is_trained_by_steps else 0,
                    training_bytes=network.training_bytes,
                    data_bytes=network.data_bytes,
                    stack_size=network.stack_size,
                )
            network_type = self._types_by_settings[settings_key]
            self._types_by_identity[identity_key] = network_type
        return network_type


def _serialize_settings(network: Network) -> tuple[Hashable, ...]:
    """Return what must be equal for networks to train in one stack: data sizes, shape and training settings."""
    data = network.data.settings
    return (
        (data.n_train, data.n_features, data.n_classes, data.jitter),
        to_canonical_json(select_hashed_settings(network.shape)),
        to_canonical_json(select_hashed_settings(network.train)),
    )
