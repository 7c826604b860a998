"""How much memory a stack of networks takes, and how many are stacked best. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from kdtune.settings import Layer

LANE = 16  # float32 values in 64 bytes: a cache line, and the widest vector register

# What a stack reads and writes in a step stays below this: larger ones outgrow the cache. On a server
# processor the best lay between 3 MB, where it was quiet, and 8 MB, where its neighbours were busy.
STACK_BYTES = 6 << 20


def pad_to_lane(n: int) -> int:
    """n up to a multiple of 16."""
    return -(-n // LANE) * LANE


def estimate_training_bytes(layers: Sequence[Layer], batch: int) -> int:
    """Bytes that one network reads and writes in a step: parameters, gradients, moments, activations."""
    parameters = sum(layer.outputs * pad_to_lane(layer.inputs + 1) for layer in layers)
    activations = sum(
        (layer.outputs + pad_to_lane(layer.outputs + 1)) * layer.places for layer in layers
    ) * pad_to_lane(batch)
    return 4 * (4 * parameters + activations)
