"""A stack of any modules of one architecture as one model, by torch.func and autograd.

``StackedPerceptrons`` is faster for the one architecture that it supports; all others train here, by
autograd through one batched forward pass of all members.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap

from kdtune.stacked.architectures import RowsToImages
from kdtune.stacked.dropout_masks import DropoutLayer
from kdtune.stacked.memory_layout import Inputs, allocate_flat_zeros


class MaskedDropout(nn.Module):
    """Dropout by a mask that the caller sets, (batch, *units of one example); the number 1 in evaluation."""

    mask: Tensor

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate
        self.register_buffer("mask", torch.ones(()), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return x times the mask."""
        return x * self.mask


class StackedModules:
    """Modules of one architecture as one model, with all parameters in one flat buffer.

    ``stack.Stack`` describes the attributes and methods that it shares with other stacks.

    Parameters
    ----------
    modules : One module per member, each mapping (batch, features) to logits, (batch, classes). They are
        copied. ``nn.Dropout`` inside takes its masks from the caller; torch refuses other randomness.
    n_features : Number of features of one example.
    dtype : Type of the parameters.
    device : Device of all tensors, ``"cpu"`` or ``"cuda"``.
    precision : Type in which logits are computed, ``dtype`` unless given.
    """

    needs_autograd = True

    def __init__(
        self,
        modules: Sequence[nn.Module],
        n_features: int,
        dtype: torch.dtype = torch.float32,
        device: str = "cpu",
        precision: torch.dtype | None = None,
    ) -> None:
        self.n_members = len(modules)
        self.n_features = n_features
        self.precision = precision or dtype

        members = [_replace_dropout(module).to(device, dtype) for module in modules]
        self.template = members[0]
        for module in self.template.modules():
            if isinstance(module, RowsToImages):
                module.channels_last = self.n_members == 1  # `vmap` supports no memory format

        dropouts = {name: module for name, module in self.template.named_modules() if isinstance(module, MaskedDropout)}
        shapes = _find_dropout_shapes(self.template, n_features, dtype, device)
        self.dropout_shapes = dict(zip(dropouts, shapes, strict=True))  # shape of one example, by the module's name
        self.dropout_layers = [
            DropoutLayer(dropout.rate, shape.numel()) for dropout, shape in zip(dropouts.values(), shapes, strict=True)
        ]

        initial_parameters, _ = stack_module_state(members)
        size = sum(values.numel() for values in initial_parameters.values())
        self.flat_parameters = allocate_flat_zeros(size, dtype, device)
        self.flat_gradient = allocate_flat_zeros(size, dtype, device)
        self.parameters = _view_like(initial_parameters, self.flat_parameters)  # (members, ...) each
        self.gradients = _view_like(initial_parameters, self.flat_gradient)
        for name, values in initial_parameters.items():
            self.parameters[name].copy_(values.detach())
        # These are the leaves of autograd's graph. They share the memory of `flat_parameters`.
        self.leaves = {name: values.detach().requires_grad_() for name, values in self.parameters.items()}
        self.hidden_weights = [
            values for name, values in self.parameters.items() if name.startswith("hidden_") and name.endswith("weight")
        ]
        self._logits = torch.empty(0)  # (members, batch, classes) of the last forward pass, with its graph

    @property
    def logit_bias(self) -> Tensor:
        """The biases of the logits, (members, classes)."""
        return self.parameters["logit.bias"]

    def forward(self, x: Inputs, masks: Iterable[Tensor] | None = None) -> Tensor:
        """Compute the logits, (members, classes, batch).

        Parameters
        ----------
        x : The batch.
        masks : Factors for the units of each ``nn.Dropout``, (members, units, batch). None evaluates the
            networks, without dropout.
        """
        examples = x.examples_as_rows[:, :, : self.n_features]  # (members, batch, features)
        parameters = {name: leaf.to(self.precision) for name, leaf in self.leaves.items()}
        buffers: dict[str, Tensor] = {}
        if masks is not None:
            for (name, shape), mask in zip(self.dropout_shapes.items(), masks, strict=True):
                member_masks = mask.transpose(1, 2).reshape(self.n_members, -1, *shape)
                # Autograd needs the mask later, and the next mask that is drawn may overwrite it.
                buffers[f"{name}.mask"] = member_masks.clone()
        if self.n_members == 1:
            first_parameters = {name: values[0] for name, values in parameters.items()}
            first_buffers = {name: values[0] for name, values in buffers.items()}
            self._logits = self._call_template(first_parameters, first_buffers, examples[0])[None]
        elif examples.stride(0) == 0:  # all members share the examples
            self._logits = vmap(self._call_template, in_dims=(0, 0, None))(parameters, buffers, examples[0])
        else:
            self._logits = vmap(self._call_template)(parameters, buffers, examples)
        return self._logits.detach().transpose(1, 2)

    def backward(self, x: Inputs, logit_gradient: Tensor) -> None:
        """Fill ``flat_gradient`` from dL/dz of the logits z of the last ``forward``, (members, classes, batch)."""
        dz = logit_gradient.transpose(1, 2).to(self._logits.dtype)
        computed_gradients = torch.autograd.grad(self._logits, list(self.leaves.values()), dz)
        for gradient, computed_gradient in zip(self.gradients.values(), computed_gradients, strict=True):
            gradient.copy_(computed_gradient)

    def find_finite_members(self) -> Tensor:
        """Return for each member whether the sums of its parameters are finite, (members,) of bool.

        They are not if a parameter is inf or NaN, or if a sum is beyond the range of the type.
        """
        sums = [values.reshape(self.n_members, -1).sum(dim=1) for values in self.parameters.values()]
        return torch.stack(sums).isfinite().all(dim=0)

    def copy_member_state(self, member: int) -> dict[str, Tensor]:
        """Return a copy of one member's parameters on the CPU, named as in its module."""
        return {name: values[member].detach().cpu().clone() for name, values in self.parameters.items()}

    def _call_template(self, parameters: dict[str, Tensor], buffers: dict[str, Tensor], examples: Tensor) -> Tensor:
        """Return the logits of one member, (batch, classes)."""
        logits: Tensor = functional_call(self.template, (parameters, buffers), (examples,))
        return logits


def _view_like(tensors: Mapping[str, Tensor], flat: Tensor) -> dict[str, Tensor]:
    """Return consecutive views of ``flat`` with the names and shapes of the tensors."""
    views = {}
    start = 0
    for name, tensor in tensors.items():
        views[name] = flat[start : start + tensor.numel()].view(tensor.shape)
        start += tensor.numel()
    return views


def _replace_dropout(module: nn.Module) -> nn.Module:
    """Return a copy of the module with ``MaskedDropout`` in place of ``nn.Dropout``."""
    masked_module = copy.deepcopy(module)
    for path, part in list(masked_module.named_modules()):
        if isinstance(part, nn.Dropout):
            parent_path, _, name = path.rpartition(".")
            setattr(masked_module.get_submodule(parent_path), name, MaskedDropout(part.p))
    return masked_module


def _find_dropout_shapes(template: nn.Module, n_features: int, dtype: torch.dtype, device: str) -> list[torch.Size]:
    """Return the shape of one example at each ``MaskedDropout``, in the order in which they are called."""
    shapes: list[torch.Size] = []
    handles = [
        part.register_forward_hook(lambda _module, _inputs, output: shapes.append(output.shape[1:]))
        for part in template.modules()
        if isinstance(part, MaskedDropout)
    ]
    with torch.no_grad():
        template(torch.zeros(1, n_features, dtype=dtype, device=device))
    for handle in handles:
        handle.remove()
    return shapes
