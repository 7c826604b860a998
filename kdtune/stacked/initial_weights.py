"""The initial weights of networks, in float64 from a seed."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor


def draw_initial_weights(shapes: Sequence[tuple[int, ...]], seed: int, std: float | None = None) -> list[Tensor]:
    """Draw the weights of each layer of a network.

    They are Glorot-uniform (Glorot and Bengio 2010, equation 16). A convolution's window is counted into
    both of its fans, as in Keras.

    Parameters
    ----------
    shapes : Shape of each layer's weights, (outputs, inputs) or (outputs, inputs, height, width).
    seed : Seed of the draws.
    std : If given, all layers but the last are normal instead, of mean 0 and this standard deviation.
    """
    random = np.random.default_rng(seed)
    weights = []
    for i, shape in enumerate(shapes):
        is_last = i == len(shapes) - 1
        if std is None or is_last:
            fans = (shape[0] + shape[1]) * math.prod(shape[2:])
            limit = np.sqrt(6 / fans)
            values = random.uniform(-limit, limit, shape)
        else:
            values = random.normal(0, std, shape)
        weights.append(torch.from_numpy(values))
    return weights
