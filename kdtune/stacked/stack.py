"""What all stacks of networks have in common, and the function that builds the fastest one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

import torch
from torch import Tensor

from kdtune.plan.network import Network
from kdtune.settings import MLP
from kdtune.stacked.architectures import build_module
from kdtune.stacked.dropout_masks import DropoutLayer
from kdtune.stacked.memory_layout import Inputs
from kdtune.stacked.modules import StackedModules
from kdtune.stacked.perceptrons import StackedPerceptrons


class Stack(Protocol):
    """Networks of one architecture, its members, as one model: ``StackedPerceptrons`` or ``StackedModules``.

    Attributes
    ----------
    pack : Number of members.
    flat_parameters : Parameters of all members, (size,), with zeros as padding. An optimizer may treat them
        as one vector.
    flat_gradient : Gradient of the loss with respect to ``flat_parameters``, (size,), filled by ``backward``.
    dropout_layers : Rate and units of each layer with dropout.
    hidden_weights : Weights without biases of each hidden dense layer, (pack, units, inputs), as views of
        ``flat_parameters``.
    """

    pack: int
    flat_parameters: Tensor
    flat_gradient: Tensor
    dropout_layers: list[DropoutLayer]
    hidden_weights: list[Tensor]

    @property
    def logit_bias(self) -> Tensor:
        """The biases of the logits, (pack, classes), as a view of ``flat_parameters``."""

    def forward(self, x: Inputs, masks: Iterable[Tensor] | None = None) -> Tensor:
        """Compute the logits, (pack, classes, batch), which the next call may overwrite.

        ``masks`` are factors for the units of each of ``dropout_layers``, (pack, units, batch); None
        evaluates the networks, without dropout.
        """

    def backward(self, x: Inputs, logit_gradient: Tensor) -> None:
        """Fill ``flat_gradient`` from dL/dz of the logits z of the last ``forward``, (pack, classes, batch).

        ``x`` is the batch that ``forward`` was called with.
        """

    def find_finite_members(self) -> Tensor:
        """Return for each member whether all of its parameters are finite, (pack,) of bool."""

    def copy_member_state(self, member: int) -> dict[str, Tensor]:
        """Return a copy of one member's parameters on the CPU, named as in ``architectures.build_module``."""


def build_stack(networks: Sequence[Network], device: str, dtype: torch.dtype) -> Stack:
    """Build a stack of untrained networks of one shape, in the fastest form that there is for it."""
    first_network = networks[0]
    shape = first_network.shape
    seeds = [network.weights_seed for network in networks]
    precision = get_product_precision(first_network, dtype)
    if isinstance(shape, MLP) and shape.has_handwritten_step:
        layers = [(layer.inputs, layer.outputs) for layer in first_network.layers]
        return StackedPerceptrons(layers, seeds, shape.dropout, dtype, device, precision, shape.init_std)
    settings = first_network.data.settings
    modules = [build_module(shape, first_network.input_shape, settings.n_classes, seed, dtype) for seed in seeds]
    return StackedModules(modules, settings.n_features, dtype, device, precision)


def get_product_precision(network: Network, dtype: torch.dtype) -> torch.dtype:
    """Return the type in which the network's matrix products are computed; its parameters are of ``dtype``."""
    return torch.bfloat16 if network.train.precision == "bf16" else dtype
