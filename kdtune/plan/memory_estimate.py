"""Estimates of the memory in which a network trains."""

from __future__ import annotations

from collections.abc import Sequence

from kdtune.settings import Layer

FLOAT32_BYTES = 4

# Rows of matrices start at multiples of this many values: 64 bytes of float32, which are a cache line and the widest
# vector register.
ALIGNMENT = 16

# A stack of networks reads and writes less than this in a training step, or it outgrows the cache. On a
# server processor the fastest stacks had between 3 MB, with quiet neighbours, and 8 MB, with busy ones.
STACK_BYTES = 6 << 20
# A stack of modules of the user's may outgrow the cache: its steps are many small calls, which more members share.
MODULE_STACK_BYTES = 16 << 20


def round_up_to_alignment(n: int) -> int:
    """Return ``n`` rounded up to a multiple of ``ALIGNMENT``."""
    return -(-n // ALIGNMENT) * ALIGNMENT


def estimate_training_bytes(layers: Sequence[Layer], batch_size: int) -> int:
    """Estimate how many bytes one network reads and writes in a training step.

    Counted are the parameters, their gradients and Adam's two moments, and each layer's activations
    together with the gradients of these. Biases are one more input column of each weight matrix.
    """
    n_weights = 0
    n_activations = 0  # per example
    for layer in layers:
        n_weights += layer.outputs * round_up_to_alignment(layer.inputs + 1)
        n_activations += (layer.outputs + round_up_to_alignment(layer.outputs + 1)) * layer.positions
    return FLOAT32_BYTES * (4 * n_weights + n_activations * round_up_to_alignment(batch_size))
