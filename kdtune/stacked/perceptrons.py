"""A stack of multilayer perceptrons as one model, with its forward and backward passes written out.

An eager PyTorch step of one student of two hidden layers of 50 units takes about 600 us, of which about 40 us
are arithmetic: the rest is the overhead of many small calls. Here each call serves all members of the stack,
results go to buffers that are allocated once, and autograd is not used. The layout of the buffers saves
further calls:

- Activations are (members, units, columns): one matrix per member, one example per column. No product then
  needs a transposed copy, and the softmax runs over a strided dim with the batch innermost.
- The bias of a layer is the last column of its weights, and the layer's input ends in a row of ones. Biases
  and their gradients then come out of the matrix products, at no extra cost.
- Rows are padded to a multiple of 16 values (see ``memory_layout``). If the number of columns is a multiple of
  16, the output of each product is contiguous across members, and torch calls the batched BLAS routine once
  instead of once per member.

In comments on shapes, ``members`` is the number of networks of the stack, ``units`` the number of outputs of a
layer, ``batch`` the number of examples, ``columns`` the number of columns of ``Inputs.examples_as_columns``, which
is ``batch`` or more, and padded(n) is as in ``memory_layout``. For the loss L and layer i, z_i = W_i h_(i-1) + b_i,
h_i = m_i relu(z_i) with the dropout mask m_i, h_0 is the input x of the network, and dz_i is dL/dz_i.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from kdtune.plan.memory_estimate import round_up_to_alignment
from kdtune.stacked.dropout_masks import DropoutLayer
from kdtune.stacked.initial_weights import draw_initial_weights
from kdtune.stacked.memory_layout import Inputs, allocate_flat_zeros, view_as_matrices

# `threshold_backward` keeps the gradient where the activation is > 0 and sets it to 0 elsewhere. This variant has an
# `out` argument, which is named `grad_input`.
_threshold_backward = torch.ops.aten.threshold_backward.grad_input


@dataclass(frozen=True)
class _LayerBuffers:
    """Buffers for the output of a layer and its gradient, for batches of one size.

    After ``backward``, dz is zero in the columns beyond the batch. The output layer's dz is zeroed once, when it is
    allocated, and only its batch columns are written.
    """

    z: Tensor  # (members, units, columns)
    dz: Tensor  # (members, units, columns)
    dz_batch: Tensor  # (members, units, batch), a view of dz


@dataclass(frozen=True)
class _HiddenBuffers(_LayerBuffers):
    """Buffers of a hidden layer.

    z and dz share memory, which holds z until ``backward`` writes dz there: ``backward`` reads h, but not z.
    """

    h: Tensor  # (members, units + 1, columns): activations, then a row of ones
    h_transposed: Tensor  # (members, batch, padded(units + 1)), a view of h and its padding: activations, a one, zeros
    activations: Tensor  # (members, units, columns), a view of h without the ones
    activations_batch: Tensor  # (members, units, batch), a view of activations


@dataclass(frozen=True)
class _Buffers:
    """Buffers of all layers, for batches of one size."""

    hidden: list[_HiddenBuffers]
    output: _LayerBuffers
    logits: Tensor  # (members, classes, batch), a view of the output layer's z


class StackedPerceptrons:
    """Perceptrons of one shape, with ReLU between layers and all parameters in one flat buffer.

    ``stack.Stack`` describes the attributes and methods that it shares with other stacks.

    Parameters
    ----------
    layers : (inputs, outputs) of each layer.
    seeds : Seed of each member's initial weights (see ``initial_weights``); biases start at zero.
    dropout : Rate of dropout after each hidden layer, while training.
    dtype : Type of the parameters.
    device : Device of all tensors, ``"cpu"`` or ``"cuda"``.
    precision : Type in which matrix products and activations are computed, ``dtype`` unless given. With
        bfloat16 the parameters, the loss and the optimizer keep ``dtype``.
    init_std : Standard deviation of the hidden layers' initial weights, Glorot's unless given.
    """

    needs_autograd = False
    is_example_major = False

    def __init__(
        self,
        layers: Sequence[tuple[int, int]],
        seeds: Sequence[int],
        dropout: float = 0.0,
        dtype: torch.dtype = torch.float32,
        device: str = "cpu",
        precision: torch.dtype | None = None,
        init_std: float | None = None,
    ) -> None:
        self.layers = list(layers)
        self.n_members = len(seeds)
        self.dropout = dropout
        self.precision = precision or dtype
        self.dropout_layers = [DropoutLayer(dropout, units) for _, units in layers[:-1]] if dropout else []

        size = sum(self.n_members * outputs * round_up_to_alignment(inputs + 1) for inputs, outputs in layers)
        self.flat_parameters = allocate_flat_zeros(size, dtype, device)
        self.flat_gradient = allocate_flat_zeros(size, dtype, device)
        # [W b] of each layer, (members, outputs, inputs + 1)
        self.matrices = self._remove_padding(self._view_layers(self.flat_parameters))
        self.hidden_weights = [matrix[:, :, :-1] for matrix in self.matrices[:-1]]  # (members, outputs, inputs)
        self.logit_bias = self.matrices[-1][:, :, -1]  # (members, classes)
        self._draw_initial_weights(seeds, init_std)

        # The matrix products work on these tensors. They are `flat_parameters` and `flat_gradient` themselves, or
        # copies in `precision` if that differs from `dtype`.
        self._compute_parameters = self.flat_parameters
        self._compute_gradient = self.flat_gradient
        if self.precision != dtype:
            self._compute_parameters = allocate_flat_zeros(size, self.precision, device)
            self._compute_gradient = allocate_flat_zeros(size, self.precision, device)
        # [W b] of each layer, (members, outputs, inputs + 1)
        self._compute_matrices = self._remove_padding(self._view_layers(self._compute_parameters))
        # W^T of each layer, (members, inputs, outputs)
        self._weights_transposed = [matrix[:, :, :-1].transpose(1, 2) for matrix in self._compute_matrices]
        # d[W b] of each layer, (members, outputs, padded(inputs + 1))
        self._compute_gradient_matrices = self._view_layers(self._compute_gradient)
        self._buffers_by_size: dict[tuple[int, int], _Buffers] = {}
        self._keep_scale = 1.0  # the factor of units that the last `forward` did not drop

    def start_epoch(self, epoch: int) -> None:
        """Do nothing: the masks are the caller's, and there is no other randomness."""

    def forward(self, x: Inputs, masks: Iterable[Tensor] | None = None) -> Tensor:
        """Compute the logits, (members, classes, batch).

        They lie in a buffer that the next call with a batch of this size overwrites.

        Parameters
        ----------
        x : The batch; products are fastest if its number of columns is a multiple of 16.
        masks : Factors for the activations of each hidden layer, (members, units, batch): 0 where a unit is
            dropped, 1 / (1 - dropout) elsewhere. None evaluates the networks, without dropout.
        """
        if self._compute_parameters is not self.flat_parameters:
            self._compute_parameters.copy_(self.flat_parameters)
        buffers = self._get_buffers(x)
        layer_masks = None if masks is None else iter(masks)
        self._keep_scale = 1.0 if masks is None else 1 / (1 - self.dropout)
        h = x.examples_as_columns  # (members, features + 1, columns)
        for matrix, layer_buffers in zip(self._compute_matrices[:-1], buffers.hidden, strict=True):
            torch.bmm(matrix, h, out=layer_buffers.z)  # z = [W b] [h 1]
            torch.clamp_min(layer_buffers.z, 0, out=layer_buffers.activations)  # relu(z)
            if layer_masks is not None:
                # In training `masks` is a generator: `next` computes the mask of this layer just before it is used,
                # so that it is still in the cache then.
                layer_buffers.activations_batch.mul_(next(layer_masks))
            h = layer_buffers.h  # (members, units + 1, columns)
        torch.bmm(self._compute_matrices[-1], h, out=buffers.output.z)
        return buffers.logits

    def backward(self, x: Inputs, logit_gradient: Tensor) -> None:
        """Fill ``flat_gradient`` with the gradient of the loss.

        Parameters
        ----------
        x : The batch of the last ``forward``, whose activations are still in the buffers.
        logit_gradient : dL/dz of the logits z, (members, classes, batch).
        """
        buffers = self._get_buffers(x)
        output_side: _LayerBuffers = buffers.output
        output_side.dz_batch.copy_(logit_gradient)
        for i in reversed(range(1, len(self.layers))):
            input_side = buffers.hidden[i - 1]
            # d[W b] = dz [h 1]^T
            torch.bmm(output_side.dz_batch, input_side.h_transposed, out=self._compute_gradient_matrices[i])
            # dz_i = dh_i/dz_i W_(i+1)^T dz_(i+1). Dropped and inactive units both have h = 0, and dh/dz = keep_scale
            # for all others, so one threshold on h gives the derivative of ReLU and mask. This requires masks of
            # rate `dropout` in the last `forward`, or none.
            input_side.dz.baddbmm_(self._weights_transposed[i], output_side.dz, beta=0, alpha=self._keep_scale)
            _threshold_backward(input_side.dz, input_side.activations, 0, grad_input=input_side.dz)
            output_side = input_side
        # d[W b] = dz [x 1]^T
        torch.bmm(output_side.dz_batch, x.examples_as_rows, out=self._compute_gradient_matrices[0])
        if self._compute_gradient is not self.flat_gradient:
            self.flat_gradient.copy_(self._compute_gradient)

    def find_finite_members(self) -> Tensor:
        """Return for each member whether the sums of its layers' parameters are finite, (members,) of bool.

        They are not if a parameter is inf or NaN, or if a sum is beyond the range of the type.
        """
        return torch.stack([matrix.sum(dim=(1, 2)) for matrix in self.matrices]).isfinite().all(dim=0)

    def copy_member_state(self, member: int) -> dict[str, Tensor]:
        """Return a copy of one member's parameters on the CPU, named as in ``architectures.build_module``."""
        names = [f"hidden_{i}" for i in range(1, len(self.layers))] + ["logit"]
        state = {}
        for name, matrix in zip(names, self.matrices, strict=True):
            member_matrix = matrix[member].detach().cpu().clone(memory_format=torch.contiguous_format)
            state[f"{name}.weight"] = member_matrix[:, :-1].contiguous()
            state[f"{name}.bias"] = member_matrix[:, -1].contiguous()
        return state

    def _view_layers(self, flat: Tensor) -> list[Tensor]:
        """Return the matrices of each layer in ``flat``, (members, outputs, padded(inputs + 1))."""
        matrices = []
        start = 0
        for inputs, outputs in self.layers:
            layer_matrices = view_as_matrices(flat[start:], self.n_members, outputs, inputs + 1)
            matrices.append(layer_matrices)
            start += layer_matrices.numel()
        return matrices

    def _remove_padding(self, padded_matrices: Sequence[Tensor]) -> list[Tensor]:
        """Return views of the matrices of each layer without their padding, (members, outputs, inputs + 1)."""
        return [matrix[:, :, : inputs + 1] for (inputs, _), matrix in zip(self.layers, padded_matrices, strict=True)]

    def _draw_initial_weights(self, seeds: Sequence[int], std: float | None) -> None:
        """Fill the weights of each member from its seed; the biases stay zero."""
        shapes = [(outputs, inputs) for inputs, outputs in self.layers]
        for member, seed in enumerate(seeds):
            weights = draw_initial_weights(shapes, seed, std)
            for matrix, weight in zip(self.matrices, weights, strict=True):
                matrix[member, :, :-1] = weight

    def _get_buffers(self, x: Inputs) -> _Buffers:
        """Return the buffers for batches of this size, allocated at the first call with it."""
        batch, columns = x.examples_as_rows.shape[1], x.examples_as_columns.shape[2]
        if (batch, columns) not in self._buffers_by_size:
            self._buffers_by_size[batch, columns] = self._allocate_buffers(batch, columns)
        return self._buffers_by_size[batch, columns]

    def _allocate_buffers(self, batch: int, columns: int) -> _Buffers:
        """Return new buffers of all layers."""
        hidden = [self._allocate_hidden_buffers(units, batch, columns) for _, units in self.layers[:-1]]
        _, n_classes = self.layers[-1]
        z, dz = self._allocate_zeros(n_classes, columns), self._allocate_zeros(n_classes, columns)
        return _Buffers(hidden, output=_LayerBuffers(z, dz, dz[:, :, :batch]), logits=z[:, :, :batch])

    def _allocate_hidden_buffers(self, units: int, batch: int, columns: int) -> _HiddenBuffers:
        """Return new buffers of a hidden layer, with the row of ones in h."""
        z = self._allocate_zeros(units, columns)
        h = self._allocate_zeros(round_up_to_alignment(units + 1), columns)  # (members, padded(units + 1), columns)
        h[:, units] = 1
        return _HiddenBuffers(
            z=z,
            dz=z,
            dz_batch=z[:, :, :batch],
            h=h[:, : units + 1],
            h_transposed=h[:, :, :batch].transpose(1, 2),
            activations=h[:, :units],
            activations_batch=h[:, :units, :batch],
        )

    def _allocate_zeros(self, rows: int, columns: int) -> Tensor:
        """Return zeros in padded rows, (members, rows, columns)."""
        size = self.n_members * rows * round_up_to_alignment(columns)
        flat = allocate_flat_zeros(size, self.precision, str(self.flat_parameters.device))
        return view_as_matrices(flat, self.n_members, rows, columns)[:, :, :columns]
