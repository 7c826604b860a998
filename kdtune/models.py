"""A pack of multilayer perceptrons as one model, with the backward pass written out.

Activations are (pack, features, batch), so that nothing is transposed and the softmax runs over a
strided dim with the batch innermost. Autograd is not used: at these sizes its bookkeeping costs
more than the arithmetic.

Every matrix starts at a multiple of 64 bytes and has rows that do, too (``_aligned``). The BLAS then
treats each member alike, whatever its place and however many others there are, so that a network's
numbers do not depend on its pack, to the bit.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

_LANE = 16  # float32 values in 64 bytes: a cache line, and the widest vector register


def _padded(n: int) -> int:
    return -(-n // _LANE) * _LANE


def _aligned(pack: int, rows: int, columns: int, like: Tensor) -> Tensor:
    """(pack, rows, columns) of zeros whose rows start at multiples of 16 values."""
    buffer = torch.zeros(pack * rows * _padded(columns) + _LANE, dtype=like.dtype, device=like.device)
    return _view(buffer[_offset(buffer) :], pack, rows, columns)


def _offset(buffer: Tensor) -> int:
    """Values to skip so that what follows starts at a multiple of 64 bytes."""
    return -(buffer.data_ptr() // buffer.element_size()) % _LANE


def _view(flat: Tensor, pack: int, rows: int, columns: int) -> Tensor:
    width = _padded(columns)
    return flat[: pack * rows * width].view(pack, rows, width)[:, :, :columns]


def aligned_rows(x: npt.NDArray[np.float32], dtype: torch.dtype) -> Tensor:
    """x (examples, features) with zeros up to a multiple of 16 columns; slice them off after gathering."""
    padded = torch.zeros(len(x), _padded(x.shape[1]), dtype=dtype)
    padded[:, : x.shape[1]] = torch.from_numpy(x)
    return padded


class StackedMLP:
    """``pack`` perceptrons of one shape, ReLU between layers, all parameters in one flat buffer.

    Parameters
    ----------
    layers : (inputs, outputs) of each layer.
    seeds : one seed a member for its initial weights: Glorot-uniform (Glorot and Bengio 2010,
        equation 16), biases zero, as in Keras.
    dropout : rate after each hidden layer, while training.
    """

    def __init__(
        self,
        layers: Sequence[tuple[int, int]],
        seeds: Sequence[int],
        dropout: float = 0.0,
        dtype: torch.dtype = torch.float32,
        device: str = "cpu",
    ) -> None:
        self.layers, self.pack, self.dropout = list(layers), len(seeds), dropout
        # A bias is one column more: rows are padded anyway, and each member's stays beside its weights.
        size = sum(self.pack * outputs * (_padded(inputs) + 1) for inputs, outputs in layers)
        self.flat, self.weights, self.biases = self._parameters(size, dtype, device)
        self.gradient, self.weight_gradients, self.bias_gradients = self._parameters(size, dtype, device)
        self._buffers: dict[int, tuple[list[Tensor], list[Tensor]]] = {}
        for member, seed in enumerate(seeds):
            random = np.random.default_rng(seed)
            for (inputs, outputs), weight in zip(layers, self.weights, strict=True):
                limit = np.sqrt(6 / (inputs + outputs))
                weight[member] = torch.from_numpy(random.uniform(-limit, limit, (outputs, inputs)))

    def _parameters(self, size: int, dtype: torch.dtype, device: str) -> tuple[Tensor, list[Tensor], list[Tensor]]:
        """A flat buffer and the views into it. Its length is a multiple of 16: optimizers that work
        in whole vectors then have no remainder, which they would round differently."""
        buffer = torch.zeros(_padded(size + self.pack * len(self.layers) * _LANE) + _LANE, dtype=dtype, device=device)
        skip = _offset(buffer)
        flat = buffer[skip : skip + len(buffer) - _LANE]
        weights, biases, start = [], [], 0
        for inputs, outputs in self.layers:
            weights.append(_view(flat[start:], self.pack, outputs, inputs))
            start += self.pack * outputs * _padded(inputs)
            biases.append(flat[start : start + self.pack * outputs].view(self.pack, outputs, 1))
            start = _padded(start + self.pack * outputs)
        return flat, weights, biases

    def forward(self, x: Tensor, masks: Sequence[Tensor] | None = None) -> Tensor:
        """Logits (pack, classes, batch) for x of (1 or pack, batch, features).

        ``masks`` are factors for the hidden units of each layer, (pack, features, batch): 0 where one is
        dropped, 1 / (1 - dropout) where it is kept. None evaluates.
        The result is overwritten by the next call with as many examples.
        """
        batch = x.shape[-2]
        activations, _ = self._space(batch)
        h = x.transpose(-1, -2).expand(self.pack, x.shape[-1], batch)  # (pack, features, batch)
        for i, (weight, bias, z) in enumerate(zip(self.weights, self.biases, activations, strict=True)):
            torch.bmm(weight, h, out=z)
            z.add_(bias)
            if i < len(self.layers) - 1:
                z.relu_()
                if masks is not None:
                    z.mul_(masks[i])
            h = z
        return h

    def backward(self, x: Tensor, logit_gradient: Tensor) -> None:
        """Fill ``gradient`` from dL/dz of the last ``forward`` with these x, masks and all."""
        batch = x.shape[-2]
        activations, gradients = self._space(batch)
        x = x.expand(self.pack, batch, x.shape[-1])
        dz = gradients[-1].copy_(logit_gradient)  # (pack, outputs, batch)
        for i in reversed(range(len(self.layers))):
            torch.sum(dz, dim=2, keepdim=True, out=self.bias_gradients[i])  # db = sum over batch of dz
            if i == 0:
                torch.bmm(dz, x, out=self.weight_gradients[0])  # dW = dz x
                break
            h = activations[i - 1]
            torch.bmm(dz, h.transpose(1, 2), out=self.weight_gradients[i])  # dW = dz h^T
            dh = torch.bmm(self.weights[i].transpose(1, 2), dz, out=gradients[i - 1])  # dh = W^T dz
            if self.dropout:
                dh.mul_(1 / (1 - self.dropout))
            # h > 0 exactly where the unit was active and kept, so one threshold undoes ReLU and mask.
            dz = torch.ops.aten.threshold_backward.grad_input(dh, h, 0, grad_input=dh)

    def _space(self, batch: int) -> tuple[list[Tensor], list[Tensor]]:
        """Activations and their gradients for batches of this size, made once."""
        if batch not in self._buffers:
            self._buffers[batch] = tuple(  # type: ignore[assignment]
                [_aligned(self.pack, outputs, batch, self.flat) for _, outputs in self.layers] for _ in range(2)
            )
        return self._buffers[batch]

    def finite(self) -> Tensor:
        """(pack,) of bool: whether all parameters of a member are finite."""
        sums = [part.sum(dim=(1, 2)) for part in (*self.weights, *self.biases)]
        return torch.stack(sums).isfinite().all(dim=0)

    def state(self, member: int) -> dict[str, Tensor]:
        """One member's parameters, named as in ``module``."""
        found = {}
        names = [name for name, _ in module(self.layers, self.dropout).named_parameters()]
        for parameter, name in zip(
            (part for pair in zip(self.weights, self.biases, strict=True) for part in pair), names, strict=True
        ):
            value = parameter[member]
            found[name] = (value[:, 0] if name.endswith("bias") else value).detach().cpu().clone().contiguous()
        return found


def module(layers: Sequence[tuple[int, int]], dropout: float = 0.0) -> nn.Sequential:
    """The same perceptron as an ordinary module that maps (batch, features) to logits."""
    parts: OrderedDict[str, nn.Module] = OrderedDict()
    for i, (inputs, outputs) in enumerate(layers[:-1], start=1):
        parts[f"hidden_{i}"] = nn.Linear(inputs, outputs)
        parts[f"relu_{i}"] = nn.ReLU()
        if dropout:
            parts[f"dropout_{i}"] = nn.Dropout(dropout)
    parts["logit"] = nn.Linear(*layers[-1])
    return nn.Sequential(parts)
