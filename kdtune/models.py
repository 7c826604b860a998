"""A stack of multilayer perceptrons as one model, with the backward pass written out.

Activations are (pack, features, batch), so that nothing is transposed and the softmax runs over a
strided dim with the batch innermost. Autograd is not used: at these sizes its bookkeeping costs
more than the arithmetic. Biases are the last column of the weights, and every layer's input ends
in a row of ones: a bias and its gradient then come out of the matrix products, for nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate

import numpy as np
import torch
from torch import Tensor

from kdtune.layout import flat_zeros, matrices
from kdtune.sizes import padded


def glorot(layers: Sequence[tuple[int, int]], seed: int) -> list[Tensor]:
    """Initial weights (outputs, inputs) of each layer, float64: Glorot and Bengio (2010), equation 16, as in Keras."""
    random = np.random.default_rng(seed)
    limits = [np.sqrt(6 / (inputs + outputs)) for inputs, outputs in layers]
    return [
        torch.from_numpy(random.uniform(-limit, limit, (outputs, inputs)))
        for limit, (inputs, outputs) in zip(limits, layers, strict=True)
    ]


@dataclass(frozen=True)
class _Layer:
    """What one layer gives for batches of one size, and the gradient of it."""

    h: Tensor  # (pack, units + 1, batch): activations, the last row ones
    h_transposed: Tensor  # (pack, batch, units + 1)
    z: Tensor  # (pack, units, batch): the activations without that row
    dz: Tensor  # (pack, units, batch): gradient of z
    h_buffer: Tensor  # both with their padding: contiguous, so that elementwise passes are one loop
    dz_buffer: Tensor


class StackedMLP:
    """``pack`` perceptrons of one shape, ReLU between layers, all parameters in one flat buffer.

    Parameters
    ----------
    layers : (inputs, outputs) of each layer.
    seeds : one seed a member for its initial weights (see ``glorot``); biases start at zero.
    dropout : rate after each hidden layer, while training.
    dtype : of the parameters.
    precision : of the matrix products and activations, ``dtype`` unless given; with bfloat16 the
        parameters, the loss and the optimizer stay as they are.
    """

    def __init__(
        self,
        layers: Sequence[tuple[int, int]],
        seeds: Sequence[int],
        dropout: float = 0.0,
        dtype: torch.dtype = torch.float32,
        device: str = "cpu",
        precision: torch.dtype | None = None,
    ) -> None:
        self.layers, self.pack, self.dropout = list(layers), len(seeds), dropout
        self.precision = precision or dtype
        self.masked = [(dropout, outputs) for _, outputs in layers[:-1]] if dropout else []
        size = sum(self.pack * outputs * padded(inputs + 1) for inputs, outputs in layers)
        self.flat = flat_zeros(size, dtype, device)
        self.gradient = flat_zeros(size, dtype, device)
        low = self.precision != dtype
        # What the products read and write: the buffers themselves, or copies of lower precision.
        self._flat = flat_zeros(size, self.precision, device) if low else self.flat
        self._gradient = flat_zeros(size, self.precision, device) if low else self.gradient
        self.matrices = self._views(self.flat)  # (pack, outputs, inputs + 1) each, the bias last
        self._matrices, self._gradients = self._views(self._flat), self._views(self._gradient)
        self._transposed = [matrix[:, :, :-1].transpose(1, 2) for matrix in self._matrices]  # (pack, inputs, outputs)
        self._spaces: dict[int, list[_Layer]] = {}
        for member, seed in enumerate(seeds):
            for matrix, weight in zip(self.matrices, glorot(layers, seed), strict=True):
                matrix[member, :, :-1] = weight

    def _views(self, flat: Tensor) -> list[Tensor]:
        sizes = [self.pack * outputs * padded(inputs + 1) for inputs, outputs in self.layers]
        starts = accumulate(sizes, initial=0)
        return [
            matrices(flat[start:], self.pack, outputs, inputs + 1)[:, :, : inputs + 1]
            for start, (inputs, outputs) in zip(starts, self.layers, strict=False)
        ]

    def forward(self, x: Tensor, masks: Iterable[Tensor] | None = None) -> Tensor:
        """Logits (pack, classes, batch) for x of (1 or pack, batch, features + 1), whose last column is ones.

        ``masks`` are factors for the hidden units of each layer, (pack, features, batch): 0 where one is
        dropped, 1 / (1 - dropout) where it is kept. None evaluates.
        The result is overwritten by the next call with as many examples.
        """
        if self._flat is not self.flat:
            self._flat.copy_(self.flat)
        h = x.transpose(1, 2).expand(self.pack, -1, -1)  # (pack, features + 1, batch)
        factors = None if masks is None else iter(masks)
        *hidden, last = self._space(x.shape[1])
        for i, layer in enumerate(hidden):
            torch.bmm(self._matrices[i], h, out=layer.z)  # z = W h + b
            layer.h_buffer.relu_()
            if factors is not None:
                layer.z.mul_(next(factors))
            h = layer.h
        return torch.bmm(self._matrices[-1], h, out=last.z)

    def backward(self, x: Tensor, logit_gradient: Tensor) -> None:
        """Fill ``gradient`` from dL/dz of the last ``forward`` with these x, masks and all."""
        space = self._space(x.shape[1])
        scale = 1 / (1 - self.dropout)
        space[-1].dz.copy_(logit_gradient)  # (pack, classes, batch)
        for i in reversed(range(1, len(space))):
            below, dz = space[i - 1], space[i].dz
            torch.bmm(dz, below.h_transposed, out=self._gradients[i])  # d[W b] = dz [h 1]^T
            torch.bmm(self._transposed[i], dz, out=below.dz)  # dh = W^T dz
            if self.dropout:
                below.dz_buffer.mul_(scale)
            # h > 0 exactly where the unit was active and kept, so one threshold undoes ReLU and mask.
            torch.ops.aten.threshold_backward.grad_input(below.dz_buffer, below.h_buffer, 0, grad_input=below.dz_buffer)
        torch.bmm(space[0].dz, x.expand(self.pack, -1, -1), out=self._gradients[0])  # d[W b] = dz [x 1]
        if self._gradient is not self.gradient:
            self.gradient.copy_(self._gradient)

    def _space(self, batch: int) -> list[_Layer]:
        """Room for the activations of batches of this size, made once."""
        if batch not in self._spaces:
            self._spaces[batch] = [self._layer(outputs, batch) for _, outputs in self.layers]
        return self._spaces[batch]

    def _layer(self, units: int, batch: int) -> _Layer:
        size = self.pack * (units + 1) * padded(batch)
        h_buffer, dz_buffer = (
            matrices(flat_zeros(size, self.precision, str(self.flat.device)), self.pack, units + 1, batch)
            for _ in range(2)
        )
        h = h_buffer[:, :, :batch]
        h[:, -1] = 1  # which ReLU leaves alone, and masks do not reach
        return _Layer(h, h.transpose(1, 2), h[:, :-1], dz_buffer[:, :-1, :batch], h_buffer, dz_buffer)

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
