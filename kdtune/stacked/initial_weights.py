"""Initial weights, float64. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor


def draw_initial_weights(shapes: Sequence[tuple[int, ...]], seed: int, std: float | None = None) -> list[Tensor]:
    """Weights of each layer, of shape (outputs, inputs) or (outputs, inputs, height, width).

    Glorot-uniform (Glorot and Bengio 2010, equation 16), a convolution's window counted into both of its
    fans, as in Keras. With ``std`` all but the last layer's are normal of mean 0 and that deviation.
    """
    random = np.random.default_rng(seed)
    found = []
    for place, shape in enumerate(shapes):
        if std is not None and place < len(shapes) - 1:
            found.append(torch.from_numpy(random.normal(0, std, shape)))
            continue
        fans = (shape[0] + shape[1]) * math.prod(shape[2:])
        limit = np.sqrt(6 / fans)
        found.append(torch.from_numpy(random.uniform(-limit, limit, shape)))
    return found
