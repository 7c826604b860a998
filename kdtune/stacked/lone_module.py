"""A module that trains alone, as PyTorch trains it: what ``torch.func`` cannot stack."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from kdtune.plan.identity import derive_seed
from kdtune.stacked.dropout_masks import DropoutLayer
from kdtune.stacked.memory_layout import Inputs, allocate_flat_zeros
from kdtune.stacked.module_copies import move_module
from kdtune.stacked.module_state import list_state_names
from kdtune.stacked.random_streams import RandomStreams


class LoneModule:
    """A module as a stack of one member, in training mode in training and in evaluation mode elsewhere.

    ``stack.Stack`` describes the attributes and methods that it shares with other stacks. Buffers change as the
    module changes them: running statistics in training only. Dropout, and whatever else the module draws from the
    global generators of torch, Python or NumPy, comes from streams of the network's own, so that it does not
    depend on what has trained before in this process.

    A batch of one example has no variance: a layer of batch norm that would get one value a channel in training
    normalizes it by its running statistics, and leaves these as they are, where torch raises an error. So no
    example is left out, and the last batch of an epoch may have any size.

    Parameters
    ----------
    module : Module that maps (batch, *input_shape) to logits, (batch, classes). It is trained itself, not a copy.
    input_shape : Shape of one example as the module takes it.
    n_features : Number of features of one example.
    network_id : Id of its network, which its randomness belongs to.
    dtype : Type of the parameters.
    device : Device of all tensors, ``"cpu"`` or ``"cuda"``.
    precision : Type in which logits are computed: that of ``torch.autocast`` if it is not ``dtype``.
    """

    n_members = 1
    needs_autograd = True
    is_example_major = True

    def __init__(
        self,
        module: nn.Module,
        input_shape: tuple[int, ...],
        n_features: int,
        network_id: str,
        dtype: torch.dtype = torch.float32,
        device: str = "cpu",
        precision: torch.dtype | None = None,
    ) -> None:
        self.module = move_module(module, device, dtype).train()
        self.input_shape = input_shape
        self.n_features = n_features
        self.network_id = network_id
        self.device = device
        self.dtype = dtype
        self.precision = precision or dtype
        self.dropout_layers: list[DropoutLayer] = []
        self.hidden_weights: list[Tensor] = []

        self._parameters = [parameter for parameter in module.parameters() if parameter.requires_grad]
        size = sum(parameter.numel() for parameter in self._parameters)
        self.flat_parameters = allocate_flat_zeros(size, dtype, device)
        self.flat_gradient = allocate_flat_zeros(size, dtype, device)
        self._views = []  # of the flat parameters, where the optimizer changes them
        self._gradients = []
        start = 0
        for parameter in self._parameters:
            view = self.flat_parameters[start : start + parameter.numel()].view(parameter.shape)
            view.copy_(parameter.detach())
            parameter.data = view
            self._views.append(view)
            self._gradients.append(self.flat_gradient[start : start + parameter.numel()].view(parameter.shape))
            start += parameter.numel()
        self._logits = torch.empty(0)  # (batch, classes) of the last forward pass, with its graph
        self._streams = self._make_streams(0)

    @property
    def logit_bias(self) -> Tensor:
        """The biases of the logits, which such a module does not name."""
        raise AttributeError("a module that trains alone has no layer that is known to give the logits")

    def start_epoch(self, epoch: int) -> None:
        """Start the random streams of this epoch."""
        self._streams = self._make_streams(epoch)

    def forward(self, x: Inputs, masks: Iterable[Tensor] | None = None) -> Tensor:
        """Compute the logits, (1, classes, batch): in training where gradients are enabled, else in evaluation.

        What the module draws in evaluation is the same for each batch.

        Parameters
        ----------
        x : The batch.
        masks : Must be None: the module draws its own.
        """
        assert masks is None, "a module that trains alone has no masks"
        is_training = torch.is_grad_enabled()
        if self.module.training != is_training:
            self.module.train(is_training)
        if is_training:
            with self._streams:
                if x.examples_as_rows.shape[1] == 1:
                    with use_running_statistics_for_single_values(self.module):
                        self._logits = self._compute_logits(x)
                else:
                    self._logits = self._compute_logits(x)
        else:
            # What the module keeps from this call must be of use to autograd later: no inference tensors.
            with torch.inference_mode(mode=False), torch.no_grad(), self._make_evaluation_streams():
                self._logits = self._compute_logits(x)
        return self._logits.detach().T[None]

    def backward(self, x: Inputs, logit_gradient: Tensor) -> None:
        """Fill ``flat_gradient`` from dL/dz of the logits z of the last ``forward``, (1, classes, batch).

        A parameter that the logits do not depend on has the gradient 0.
        """
        dz = logit_gradient[0].T.to(self._logits.dtype)
        computed_gradients = torch.autograd.grad(self._logits, self._parameters, dz, allow_unused=True)
        for gradient, computed_gradient in zip(self._gradients, computed_gradients, strict=True):
            if computed_gradient is None:
                gradient.zero_()
            else:
                gradient.copy_(computed_gradient)

    def find_finite_members(self) -> Tensor:
        """Return whether the sums of the parameters are finite, (1,) of bool."""
        return torch.stack([parameter.detach().sum() for parameter in self._parameters]).isfinite().all()[None]

    def copy_member_state(self, member: int) -> dict[str, Tensor]:
        """Return a copy of the module's parameters and persistent buffers on the CPU."""
        assert member == 0, "a module that trains alone is the only member"
        state = self.module.state_dict()
        return {name: state[name].detach().cpu().clone() for name in list_state_names(self.module)}

    def _compute_logits(self, x: Inputs) -> Tensor:
        """Return the logits, (batch, classes)."""
        examples = x.examples_as_rows[0, :, : self.n_features]
        # A copy: the module may change its inputs in place, and other steps read the same rows.
        examples = examples.reshape(len(examples), *self.input_shape).to(self.dtype, copy=True)
        is_autocast = self.precision != self.dtype
        with torch.autocast(self.device, self.precision, enabled=is_autocast):
            logits: Tensor = self.module(examples)
        self._keep_parameters_flat()
        return logits

    def _keep_parameters_flat(self) -> None:
        """Take over the values of parameters whose ``data`` the module has set, as a constraint on weights does."""
        for parameter, view in zip(self._parameters, self._views, strict=True):
            if parameter.data_ptr() != view.data_ptr():
                view.copy_(parameter.data)
                parameter.data = view

    def _make_streams(self, epoch: int) -> RandomStreams:
        """Return the random streams of an epoch."""
        return RandomStreams(derive_seed("module", self.network_id, epoch), self.device)

    def _make_evaluation_streams(self) -> RandomStreams:
        """Return the random streams of one batch in evaluation."""
        return RandomStreams(derive_seed("module evaluation", self.network_id), self.device)


@contextmanager
def use_running_statistics_for_single_values(module: nn.Module) -> Iterator[None]:
    """Let layers of batch norm that get one value a channel normalize it by their running statistics."""
    switched_layers: list[nn.Module] = []

    def switch(layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        if layer.training and inputs[0].numel() == inputs[0].shape[1]:
            layer.training = False
            switched_layers.append(layer)

    layers = [layer for layer in module.modules() if isinstance(layer, _BatchNorm) and layer.track_running_stats]
    handles = [layer.register_forward_pre_hook(switch) for layer in layers]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
        for layer in switched_layers:
            layer.training = True
