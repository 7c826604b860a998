"""Any network that kdtune trains by steps, as an ordinary module."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from kdtune.settings import CNN, MLP, ModuleShape
from kdtune.stacked.architectures import build_module
from kdtune.stacked.user_modules import build_user_module


def build_network(
    shape: MLP | CNN | ModuleShape,
    input_shape: tuple[int, ...],
    n_classes: int,
    seed: int | None = None,
    dtype: torch.dtype = torch.float32,
) -> nn.Module:
    """Build a network from its settings.

    Those of kdtune's own kinds map rows of features, (batch, features), to logits; a module of the user's takes
    (batch, *input_shape).

    Raises
    ------
    ValueError
        If the user's code cannot be imported, raises, or builds no such module.
    """
    if isinstance(shape, ModuleShape):
        return build_user_module(shape.load_factory(), shape.args, input_shape, n_classes, seed, dtype)
    return build_module(shape, input_shape, n_classes, seed, dtype)


class RowsToModule(nn.Module):
    """A module of the user's that takes rows of features, (batch, features), as kdtune's own networks do."""

    def __init__(self, module: nn.Module, input_shape: tuple[int, ...]) -> None:
        super().__init__()
        self.module = module
        self.input_shape = input_shape

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits, (batch, classes)."""
        logits: Tensor = self.module(x.reshape(len(x), *self.input_shape))
        return logits
