"""The interface of stacks of networks, and the function that builds the fastest kind of stack."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

import torch
from torch import Tensor

from kdtune.plan.network import Network
from kdtune.settings import CNN, MLP, ModuleShape
from kdtune.stacked.architectures import build_module
from kdtune.stacked.dropout_masks import DropoutLayer
from kdtune.stacked.memory_layout import Inputs
from kdtune.stacked.modules import StackedModules
from kdtune.stacked.perceptrons import StackedPerceptrons
from kdtune.stacked.user_modules import build_user_module
from kdtune.stacked.user_stack import build_user_stack


class Stack(Protocol):
    """Networks of one architecture, its members, as one model.

    Its kinds are ``StackedPerceptrons``, ``StackedModules`` and ``LoneModule``.

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
    is_example_major : How it reads dropout masks fastest, see ``DropoutMasks``.
    hidden_weights : Weights without biases of each hidden dense layer, (members, units, inputs), as views of
        ``flat_parameters``.
    """

    n_members: int
    precision: torch.dtype
    needs_autograd: bool
    flat_parameters: Tensor
    flat_gradient: Tensor
    dropout_layers: list[DropoutLayer]
    is_example_major: bool
    hidden_weights: list[Tensor]

    @property
    def logit_bias(self) -> Tensor:
        """The biases of the logits, (members, classes), as a view of ``flat_parameters``."""

    def start_epoch(self, epoch: int) -> None:
        """Start the random streams of this epoch that are the stack's own: those of a ``LoneModule``."""

    def forward(self, x: Inputs, masks: Iterable[Tensor] | None = None) -> Tensor:
        """Compute the logits, (members, classes, batch), which the next call may overwrite.

        ``masks`` are factors for the units of each of ``dropout_layers``, (members, units, batch); None
        evaluates the networks, without dropout. Modules without ``dropout_layers`` are in training mode where
        gradients are enabled, in evaluation mode elsewhere.
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
        """Return a copy of one member's parameters and persistent buffers on the CPU, named as in its module."""


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
    if isinstance(shape, ModuleShape):
        factory, input_shape = shape.load_factory(), first_network.input_shape
        user_modules = [
            build_user_module(factory, shape.args, input_shape, settings.n_classes, seed, dtype) for seed in seeds
        ]
        reason_alone = first_network.facts.reason_alone if first_network.facts else None
        ids = [network.id for network in networks]
        n_features = settings.n_features
        return build_user_stack(user_modules, input_shape, reason_alone, ids, n_features, dtype, device, precision)
    assert isinstance(shape, MLP | CNN), "other networks are not trained by steps"
    modules = [build_module(shape, first_network.input_shape, settings.n_classes, seed, dtype) for seed in seeds]
    return StackedModules(modules, settings.n_features, dtype, device, precision)
