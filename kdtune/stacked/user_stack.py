"""Stacks of modules that the user's own code builds."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from kdtune.stacked.lone_module import LoneModule
from kdtune.stacked.modules import StackedModules
from kdtune.stacked.plain_state import describe_state, find_difference


def build_user_stack(
    modules: Sequence[nn.Module],
    input_shape: tuple[int, ...],
    reason_alone: str | None,
    network_ids: Sequence[str],
    n_features: int,
    dtype: torch.dtype,
    device: str,
    precision: torch.dtype,
) -> StackedModules | LoneModule:
    """Build a stack of untrained modules of the user's, all by one factory with the same arguments.

    Parameters
    ----------
    modules : One for each network, as ``user_modules.build_user_module`` builds them.
    input_shape : Shape of one example: (features,), or (channels, height, width) of an image.
    reason_alone : Why such a module trains alone, from ``probe.probe_module``; None if it can be stacked.
    network_ids : Ids of the networks.
    n_features : Number of features of one example, given as a row.
    dtype : Type of the parameters.
    device : ``"cpu"`` or ``"cuda"``.
    precision : Type in which logits are computed.

    Raises
    ------
    ValueError
        If modules that are to be stacked hold other attributes or parts than the first: one code computes them all.
    """
    if reason_alone is None:
        first_state = describe_state(modules[0])
        for module, network_id in zip(modules[1:], network_ids[1:], strict=True):
            difference = find_difference(first_state, describe_state(module))
            if difference is not None:
                raise ValueError(
                    f"{difference} is not the same in the modules of networks {network_ids[0]} and {network_id}, which "
                    "are trained as one stack; a factory may draw weights and buffers, and what else differs between "
                    "networks belongs into args"
                )
        return StackedModules(modules, n_features, dtype, device, precision, input_shape, is_example_major=True)
    if len(modules) != 1:
        raise ValueError(f"{len(modules)} modules that train alone ({reason_alone}) are in one stack; one is right")
    return LoneModule(modules[0], input_shape, n_features, network_ids[0], dtype, device, precision)
