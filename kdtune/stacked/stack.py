"""The interface of stacks of networks, and the function that builds the fastest kind of stack."""

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
    n_members : Number of members.
    precision : Type in which matrix products and activations are computed.
    needs_autograd : Whether ``backward`` uses autograd, so that ``forward`` must not be called in inference mode
        before it.
    flat_parameters : Parameters of all members, (size,), with zeros as padding. An optimizer may treat them
        as one vector.
    flat_gradient : Gradient of the loss with respect to ``flat_parameters``, (size,), filled by ``backward``.
    dropout_layers : Rate and units of each layer with dropout.
    hidden_weights : Weights without biases of each hidden dense layer, (members, units, inputs), as views of
        ``flat_parameters``.
    """

    n_members: int
    precision: torch.dtype
    needs_autograd: bool
    flat_parameters: Tensor
    flat_gradient: Tensor
    dropout_layers: list[DropoutLayer]
    hidden_weights: list[Tensor]

    @property
    def logit_bias(self) -> Tensor:
        """The biases of the logits, (members, classes), as a view of ``flat_parameters``."""

    def forward(self, x: Inputs, masks: Iterable[Tensor] | None = None) -> Tensor:
        """Compute the logits, (members, classes, batch), which the next call may overwrite.

        ``masks`` are factors for the units of each of ``dropout_layers``, (members, units, batch); None
        evaluates the networks, without dropout.
        """

    def backward(self, x: Inputs, logit_gradient: Tensor) -> None:
        """Fill ``flat_gradient`` from dL/dz of the logits z of the last ``forward``, (members, classes, batch).

        ``x`` is the batch that ``forward`` was called with.
        """

    def find_finite_members(self) -> Tensor:
        """Return for each member whether the sums of its parameters are finite, (members,) of bool.

        They are not if a parameter is inf or NaN, or if a sum is beyond the range of the type.
        """

    def copy_member_state(self, member: int) -> dict[str, Tensor]:
        """Return a copy of one member's parameters on the CPU, named as in ``architectures.build_module``."""


def build_stack(networks: Sequence[Network], device: str, dtype: torch.dtype) -> Stack:
    """Build a stack of untrained networks of one shape, of the fastest kind that supports the shape."""
    first_network = networks[0]
    shape = first_network.shape
    seeds = [network.weights_seed for network in networks]
    precision = torch.bfloat16 if first_network.train.precision == "bf16" else dtype
    if isinstance(shape, MLP) and shape.has_handwritten_step:
        layers = [(layer.inputs, layer.outputs) for layer in first_network.layers]
        return StackedPerceptrons(layers, seeds, shape.dropout, dtype, device, precision, shape.init_std)
    settings = first_network.data.settings
    modules = [build_module(shape, first_network.input_shape, settings.n_classes, seed, dtype) for seed in seeds]
    return StackedModules(modules, settings.n_features, dtype, device, precision)
