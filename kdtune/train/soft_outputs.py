"""Probabilities as logits."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt


def take_logarithm(probabilities: npt.NDArray[Any], floor: float) -> npt.NDArray[np.float32]:
    """Return the logarithms of probabilities, raised to ``floor`` first; the softmax does not see the shift."""
    return np.log(np.maximum(probabilities.astype(np.float64), floor)).astype(np.float32)
