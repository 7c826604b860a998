"""A stack of multilayer perceptrons as one model, with the backward pass written out.

Activations are (pack, features, batch), so that nothing is transposed and the softmax runs over a
strided dim with the batch innermost. Autograd is not used: at these sizes its bookkeeping costs
more than the arithmetic. Biases are the last column of the weights, and every layer's input ends
in a row of ones: a bias and its gradient then come out of the matrix products, for nothing.
What products write is contiguous, padding included: torch then makes one call of the BLAS for the
whole stack, where it would make one for each member.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate

import torch
from torch import Tensor

from kdtune.plan.memory_estimate import pad_to_lane
from kdtune.stacked.initial_weights import draw_initial_weights
from kdtune.stacked.memory_layout import Inputs, allocate_flat_zeros, view_as_matrices

threshold = torch.ops.aten.threshold_backward.grad_input


@dataclass(frozen=True)
class _Layer:
    """Room for what a layer gives from batches of one size."""

    z: Tensor  # (pack, outputs, columns)
    dz: Tensor  # (pack, outputs, columns): dL/dz, zero beyond the batch
    z_batch: Tensor  # (pack, outputs, batch) of each
    dz_batch: Tensor


@dataclass(frozen=True)
class _Hidden(_Layer):
    """The same of a hidden layer, whose dz takes the place of z when that has been used."""

    h: Tensor  # (pack, outputs + 1, columns): activations, then a row of ones
    active: Tensor  # (pack, outputs, columns): the activations
    kept: Tensor  # (pack, outputs, batch): those of the batch, which dropout's masks are for
    h_transposed: Tensor  # (pack, batch, padded(outputs + 1)): h with zeros


class StackedPerceptrons:
    """``pack`` perceptrons of one shape, ReLU between layers, all parameters in one flat buffer.

    Parameters
    ----------
    layers : (inputs, outputs) of each layer.
    seeds : one seed a member for its initial weights (see ``initial_weights``); biases start at zero.
    dropout : rate after each hidden layer, while training.
    dtype : of the parameters.
    precision : of the matrix products and activations, ``dtype`` unless given; with bfloat16 the
        parameters, the loss and the optimizer stay as they are.
    init_std : of the hidden layers' initial weights.
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
        self.layers, self.pack, self.dropout = list(layers), len(seeds), dropout
        self.precision = precision or dtype
        self.masked = [(dropout, outputs) for _, outputs in layers[:-1]] if dropout else []
        size = sum(self.pack * outputs * pad_to_lane(inputs + 1) for inputs, outputs in layers)
        self.flat = allocate_flat_zeros(size, dtype, device)
        self.gradient = allocate_flat_zeros(size, dtype, device)
        low = self.precision != dtype
        # What the products read and write: the buffers themselves, or copies of lower precision.
        self._flat = allocate_flat_zeros(size, self.precision, device) if low else self.flat
        self._gradient = allocate_flat_zeros(size, self.precision, device) if low else self.gradient
        self.matrices = self._views(self.flat)  # (pack, outputs, inputs + 1) each, the bias last
        self._matrices, self._gradients = self._views(self._flat), self._views(self._gradient, whole=True)
        self._transposed = [matrix[:, :, :-1].transpose(1, 2) for matrix in self._matrices]  # (pack, inputs, outputs)
        self._spaces: dict[tuple[int, int], tuple[list[_Hidden], _Layer]] = {}
        for member, seed in enumerate(seeds):
            weights = draw_initial_weights([(outputs, inputs) for inputs, outputs in layers], seed, init_std)
            for matrix, weight in zip(self.matrices, weights, strict=True):
                matrix[member, :, :-1] = weight
        self.incoming = [matrix[:, :, :-1] for matrix in self.matrices[:-1]]
        self.logit_bias = self.matrices[-1][:, :, -1]

    def _views(self, flat: Tensor, whole: bool = False) -> list[Tensor]:
        """Each layer's matrices, (pack, outputs, inputs + 1); if ``whole``, with their padding."""
        sizes = [self.pack * outputs * pad_to_lane(inputs + 1) for inputs, outputs in self.layers]
        starts = accumulate(sizes, initial=0)
        return [
            view_as_matrices(flat[start:], self.pack, outputs, inputs + 1)[:, :, : None if whole else inputs + 1]
            for start, (inputs, outputs) in zip(starts, self.layers, strict=False)
        ]

    def forward(self, x: Inputs, masks: Iterable[Tensor] | None = None) -> Tensor:
        """Logits (pack, classes, batch).

        ``masks`` are factors for the hidden units of each layer, (pack, units, batch): 0 where one is
        dropped, 1 / (1 - dropout) where it is kept. None evaluates.
        It is fastest where x has a multiple of 16 columns. The result is overwritten by the next call
        with as many examples.
        """
        if self._flat is not self.flat:
            self._flat.copy_(self.flat)
        hidden, last = self._space(x)
        h = x.columns
        factors = None if masks is None else iter(masks)
        for matrix, layer in zip(self._matrices, hidden, strict=False):
            torch.bmm(matrix, h, out=layer.z)  # z = W h + b
            torch.clamp_min(layer.z, 0, out=layer.active)
            if factors is not None:
                layer.kept.mul_(next(factors))
            h = layer.h
        torch.bmm(self._matrices[-1], h, out=last.z)
        return last.z_batch

    def backward(self, x: Inputs, logit_gradient: Tensor) -> None:
        """Fill ``gradient`` from dL/dz (pack, classes, batch) of the last ``forward`` with these x, masks and all."""
        hidden, above = self._space(x)
        scale = 1 / (1 - self.dropout)
        above.dz_batch.copy_(logit_gradient)
        for i in reversed(range(1, len(self.layers))):
            below = hidden[i - 1]
            torch.bmm(above.dz_batch, below.h_transposed, out=self._gradients[i])  # d[W b] = dz [h 1]^T
            below.dz.baddbmm_(self._transposed[i], above.dz, beta=0, alpha=scale)  # dh = W^T dz, of units that are kept
            # h > 0 exactly where the unit was active and kept, so one threshold undoes ReLU and mask.
            threshold(below.dz, below.active, 0, grad_input=below.dz)
            above = below
        torch.bmm(above.dz_batch, x.rows, out=self._gradients[0])  # d[W b] = dz [x 1]
        if self._gradient is not self.gradient:
            self.gradient.copy_(self._gradient)

    def _space(self, x: Inputs) -> tuple[list[_Hidden], _Layer]:
        """Room for the activations of batches of this size, made once: hidden layers, logits."""
        batch, columns = size = x.rows.shape[1], x.columns.shape[2]
        if size not in self._spaces:
            hidden = [self._hidden(outputs, columns, batch) for _, outputs in self.layers[:-1]]
            z, dz = (self._room(self.layers[-1][1], columns) for _ in range(2))
            self._spaces[size] = hidden, _Layer(z, dz, z[:, :, :batch], dz[:, :, :batch])
        return self._spaces[size]

    def _hidden(self, units: int, columns: int, batch: int) -> _Hidden:
        z, h = self._room(units, columns), self._room(pad_to_lane(units + 1), columns)
        h[:, units] = 1
        active, z_batch, h_batch = h[:, :units], z[:, :, :batch], h[:, :, :batch]
        return _Hidden(z, z, z_batch, z_batch, h[:, : units + 1], active, h_batch[:, :units], h_batch.transpose(1, 2))

    def _room(self, units: int, columns: int) -> Tensor:
        """(pack, units, columns) of zeros."""
        flat = allocate_flat_zeros(self.pack * units * pad_to_lane(columns), self.precision, str(self.flat.device))
        return view_as_matrices(flat, self.pack, units, columns)[:, :, :columns]

    def finite(self) -> Tensor:
        """(pack,) of bool: whether all parameters of a member are finite."""
        return torch.stack([matrix.sum(dim=(1, 2)) for matrix in self.matrices]).isfinite().all(dim=0)

    def state(self, member: int) -> dict[str, Tensor]:
        """One member's parameters, named as in ``modules.mlp``."""
        names = [f"hidden_{i}" for i in range(1, len(self.layers))] + ["logit"]
        found = {}
        for name, matrix in zip(names, self.matrices, strict=True):
            own = matrix[member].detach().cpu().clone(memory_format=torch.contiguous_format)
            found[f"{name}.weight"], found[f"{name}.bias"] = own[:, :-1].contiguous(), own[:, -1].contiguous()
        return found
