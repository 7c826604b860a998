"""A stack of multilayer perceptrons as one model, with its forward and backward passes written out.

An eager PyTorch step of one student of two hidden layers of 50 units takes about 600 us, of which about 40 us
are arithmetic: the rest is the overhead of many small calls. Here each call serves all members of the stack,
results go to buffers that are allocated once, and autograd is not used. The layout of the buffers saves
further calls:

- Activations are (pack, units, columns): one matrix per member, one example per column. No product then
  needs a transposed copy, and the softmax runs over a strided dim with the batch innermost.
- The bias of a layer is the last column of its weights, and the layer's input ends in a row of ones. Biases
  and their gradients then come out of the matrix products, at no extra cost.
- Rows are padded to a multiple of 16 values (see ``memory_layout``), and products write the padding too.
  What they write is then contiguous, and torch makes one call of the BLAS for the whole stack, where it
  would make one for each member.

In comments on shapes, ``pack`` is the number of members, ``units`` the number of outputs of a layer,
``batch`` the number of examples, ``columns`` that number with padding, and padded(n) is n rounded up to a
multiple of 16. For the loss L and each layer, z = W h + b with the input h, dz is dL/dz, and the input of the
next layer is h = m relu(z) with the dropout mask m.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from kdtune.plan.memory_estimate import pad_to_lane
from kdtune.stacked.dropout_masks import DropoutLayer
from kdtune.stacked.initial_weights import draw_initial_weights
from kdtune.stacked.memory_layout import Inputs, allocate_flat_zeros, view_as_matrices

# The gradient of a threshold, by the variant that writes its result to an existing tensor.
_threshold_backward = torch.ops.aten.threshold_backward.grad_input


@dataclass(frozen=True)
class _LayerBuffers:
    """Buffers for the output of a layer and its gradient, for batches of one size."""

    z: Tensor  # (pack, units, columns)
    dz: Tensor  # (pack, units, columns), zero beyond the batch
    dz_batch: Tensor  # (pack, units, batch), a view of dz


@dataclass(frozen=True)
class _HiddenBuffers(_LayerBuffers):
    """Buffers of a hidden layer, in which dz overwrites z: the backward pass reads h alone."""

    h: Tensor  # (pack, units + 1, columns), activations, then a row of ones
    h_transposed: Tensor  # (pack, batch, padded(units + 1)), a view: activations, a one, zeros
    activations: Tensor  # (pack, units, columns), a view of h without the ones
    activations_batch: Tensor  # (pack, units, batch), a view of the activations


@dataclass(frozen=True)
class _Buffers:
    """Buffers of all layers, for batches of one size."""

    hidden: list[_HiddenBuffers]
    output: _LayerBuffers
    logits: Tensor  # (pack, classes, batch), a view of the output layer's z


class StackedPerceptrons:
    """Perceptrons of one shape, with ReLU between layers and all parameters in one flat buffer.

    ``stack.Stack`` describes the attributes and methods that it shares with other stacks.

    Parameters
    ----------
    layers : (inputs, outputs) of each layer.
    seeds : Seed of each member's initial weights (see ``initial_weights``); biases start at zero.
    dropout : Rate of dropout after each hidden layer, while training.
    dtype : Type of the parameters.
    precision : Type in which matrix products and activations are computed, ``dtype`` unless given. With
        bfloat16 the parameters, the loss and the optimizer keep ``dtype``.
    init_std : Standard deviation of the hidden layers' initial weights, Glorot's unless given.
    """

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
        self.pack = len(seeds)
        self.dropout = dropout
        self.precision = precision or dtype
        self.dropout_layers = [DropoutLayer(dropout, units) for _, units in layers[:-1]] if dropout else []

        size = sum(self.pack * outputs * pad_to_lane(inputs + 1) for inputs, outputs in layers)
        self.flat_parameters = allocate_flat_zeros(size, dtype, device)
        self.flat_gradient = allocate_flat_zeros(size, dtype, device)
        self.matrices = self._view_layers(self.flat_parameters)  # [W b] of each layer, (pack, outputs, inputs + 1)
        self.hidden_weights = [matrix[:, :, :-1] for matrix in self.matrices[:-1]]  # (pack, outputs, inputs)
        self.logit_bias = self.matrices[-1][:, :, -1]  # (pack, classes)
        self._draw_initial_weights(seeds, init_std)

        # What products read and write: the buffers above, or copies of them in the other precision.
        self._product_parameters = self.flat_parameters
        self._product_gradient = self.flat_gradient
        if self.precision != dtype:
            self._product_parameters = allocate_flat_zeros(size, self.precision, device)
            self._product_gradient = allocate_flat_zeros(size, self.precision, device)
        self._product_matrices = self._view_layers(self._product_parameters)  # (pack, outputs, inputs + 1)
        # (pack, inputs, outputs)
        self._weights_transposed = [matrix[:, :, :-1].transpose(1, 2) for matrix in self._product_matrices]
        # (pack, outputs, padded(inputs + 1))
        self._product_gradients = self._view_layers(self._product_gradient, with_padding=True)
        self._buffers_by_size: dict[tuple[int, int], _Buffers] = {}

    def forward(self, x: Inputs, masks: Iterable[Tensor] | None = None) -> Tensor:
        """Compute the logits, (pack, classes, batch).

        They are in a buffer, which the next call with a batch of this size overwrites.

        Parameters
        ----------
        x : The batch; fastest where it has a multiple of 16 columns.
        masks : Factors for the activations of each hidden layer, (pack, units, batch): 0 where a unit is
            dropped, 1 / (1 - dropout) elsewhere. None is for evaluation, without dropout.
        """
        if self._product_parameters is not self.flat_parameters:
            self._product_parameters.copy_(self.flat_parameters)
        buffers = self._get_buffers(x)
        layer_masks = None if masks is None else iter(masks)
        h = x.examples_as_columns  # (pack, features + 1, columns)
        for matrix, layer in zip(self._product_matrices[:-1], buffers.hidden, strict=True):
            torch.bmm(matrix, h, out=layer.z)  # z = [W b] [h 1]
            torch.clamp_min(layer.z, 0, out=layer.activations)  # relu(z)
            if layer_masks is not None:
                # A mask is made when it is taken: here, so that it is still in the cache when it is read.
                layer.activations_batch.mul_(next(layer_masks))
            h = layer.h  # (pack, units + 1, columns)
        torch.bmm(self._product_matrices[-1], h, out=buffers.output.z)
        return buffers.logits

    def backward(self, x: Inputs, logit_gradient: Tensor) -> None:
        """Fill ``flat_gradient`` with the gradient of the loss.

        Parameters
        ----------
        x : The batch of the last ``forward``, whose activations and masks are still in the buffers.
        logit_gradient : dL/dz of the logits z, (pack, classes, batch).
        """
        buffers = self._get_buffers(x)
        keep_scale = 1 / (1 - self.dropout)
        above: _LayerBuffers = buffers.output
        above.dz_batch.copy_(logit_gradient)
        for i in reversed(range(1, len(self.layers))):
            below = buffers.hidden[i - 1]
            torch.bmm(above.dz_batch, below.h_transposed, out=self._product_gradients[i])  # d[W b] = dz [h 1]^T
            # Since h = m relu(z), and m is keep_scale wherever h > 0, the layer below has
            # dz = keep_scale W^T dz where h > 0 and 0 elsewhere: one threshold undoes ReLU and mask.
            below.dz.baddbmm_(self._weights_transposed[i], above.dz, beta=0, alpha=keep_scale)
            _threshold_backward(below.dz, below.activations, 0, grad_input=below.dz)
            above = below
        torch.bmm(above.dz_batch, x.examples_as_rows, out=self._product_gradients[0])  # d[W b] = dz [x 1]^T
        if self._product_gradient is not self.flat_gradient:
            self.flat_gradient.copy_(self._product_gradient)

    def find_finite_members(self) -> Tensor:
        """Return for each member whether all of its parameters are finite, (pack,) of bool."""
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

    def _view_layers(self, flat: Tensor, with_padding: bool = False) -> list[Tensor]:
        """Return the matrices of each layer in ``flat``, (pack, outputs, inputs + 1 or padded(inputs + 1))."""
        matrices = []
        start = 0
        for inputs, outputs in self.layers:
            padded = view_as_matrices(flat[start:], self.pack, outputs, inputs + 1)
            matrices.append(padded if with_padding else padded[:, :, : inputs + 1])
            start += padded.numel()
        return matrices

    def _draw_initial_weights(self, seeds: Sequence[int], std: float | None) -> None:
        shapes = [(outputs, inputs) for inputs, outputs in self.layers]
        for member, seed in enumerate(seeds):
            weights = draw_initial_weights(shapes, seed, std)
            for matrix, weight in zip(self.matrices, weights, strict=True):
                matrix[member, :, :-1] = weight

    def _get_buffers(self, x: Inputs) -> _Buffers:
        """Return the buffers for batches of this size, allocated when one first comes."""
        batch, columns = x.examples_as_rows.shape[1], x.examples_as_columns.shape[2]
        if (batch, columns) not in self._buffers_by_size:
            self._buffers_by_size[batch, columns] = self._allocate_buffers(batch, columns)
        return self._buffers_by_size[batch, columns]

    def _allocate_buffers(self, batch: int, columns: int) -> _Buffers:
        hidden = [self._allocate_hidden_buffers(units, batch, columns) for _, units in self.layers[:-1]]
        _, classes = self.layers[-1]
        z, dz = self._allocate_zeros(classes, columns), self._allocate_zeros(classes, columns)
        return _Buffers(hidden, output=_LayerBuffers(z, dz, dz[:, :, :batch]), logits=z[:, :, :batch])

    def _allocate_hidden_buffers(self, units: int, batch: int, columns: int) -> _HiddenBuffers:
        z = self._allocate_zeros(units, columns)
        h = self._allocate_zeros(pad_to_lane(units + 1), columns)  # (pack, padded(units + 1), columns)
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
        """Return zeros in padded rows, (pack, rows, columns)."""
        size = self.pack * rows * pad_to_lane(columns)
        flat = allocate_flat_zeros(size, self.precision, str(self.flat_parameters.device))
        return view_as_matrices(flat, self.pack, rows, columns)[:, :, :columns]
