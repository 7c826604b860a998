"""The student of the estimator as an ordinary module: features as the user has them in, logits out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from kdtune.data.mapped_examples import measure_scaling
from kdtune.settings import MLP
from kdtune.stacked.build_network import build_network

ROWS_AT_ONCE = 65536


class Standardize(nn.Module):
    """Subtract a mean from each feature and divide it by a standard deviation, which are buffers."""

    mean: Tensor
    scale: Tensor

    def __init__(self, mean: npt.NDArray[np.float64], scale: npt.NDArray[np.float64]) -> None:
        super().__init__()
        self.register_buffer("mean", torch.from_numpy(mean.copy()))
        self.register_buffer("scale", torch.from_numpy(scale.copy()))

    def forward(self, x: Tensor) -> Tensor:
        """Return standardised features, (batch, features), in the type of the buffers."""
        return (x.to(self.mean.dtype) - self.mean) / self.scale


def build_student(shape: MLP, x: npt.NDArray[Any], n_classes: int, weights: Mapping[str, Any]) -> nn.Module:
    """Return a student with its weights after the standardisation that it was trained behind.

    It computes in float64, since in float32 the last digits of an example's logits depend on the batch that it is in.

    Parameters
    ----------
    x : the rows that it was trained on, (rows, features).
    """
    scaling = measure_scaling(x, np.arange(len(x)))
    network = build_network(shape, x.shape[1:], n_classes)
    network.load_state_dict(weights)
    mean, scale = np.asarray(scaling.mean, np.float64), np.asarray(scaling.scale, np.float64)
    return nn.Sequential(Standardize(mean, scale), network).double().eval().requires_grad_(False)


@torch.inference_mode()
def compute_probabilities(student: nn.Module, x: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Return the probabilities of rows of features, (rows, classes)."""
    batches = [
        torch.softmax(student(torch.from_numpy(np.array(x[start : start + ROWS_AT_ONCE], np.float64))), dim=1)
        for start in range(0, len(x), ROWS_AT_ONCE)
    ]
    probabilities: npt.NDArray[np.float64] = torch.cat(batches).numpy()
    return probabilities
