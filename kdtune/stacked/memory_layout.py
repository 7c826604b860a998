"""How the matrices of a stack lie in memory, and how inputs are laid out for it.

Padding: every matrix of a stack starts at a multiple of 16 values (in float32, 64 bytes: a cache line, and
the widest vector register), and its rows are padded to such a multiple, so that they do too. A product then
takes the same path through the BLAS for each member, however many others there are, and a network's
numbers do not depend on its pack, to the bit.

The column of ones: a layer computes W x + b. Here b is the last column of the weights and 1 the last
feature of x, so that [W b] [x 1] is a single product, and the product that gives the gradient of W gives
that of b as well.

In comments on shapes, padded(n) is n rounded up to a multiple of 16.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from kdtune.plan.memory_estimate import LANE, pad_to_lane


def allocate_flat_zeros(size: int, dtype: torch.dtype, device: str) -> Tensor:
    """Return at least ``size`` zeros that start at a multiple of 16 values in memory.

    Their number is a multiple of 16 too: optimizers that work in whole vectors then have no remainder, which
    they would round differently.
    """
    buffer = torch.zeros(pad_to_lane(size) + LANE, dtype=dtype, device=device)
    skip = -(buffer.data_ptr() // buffer.element_size()) % LANE
    return buffer[skip : skip + pad_to_lane(size)]


def view_as_matrices(flat: Tensor, pack: int, rows: int, columns: int) -> Tensor:
    """Return the start of ``flat`` as matrices with padded rows, (pack, rows, padded(columns))."""
    width = pad_to_lane(columns)
    return flat[: pack * rows * width].view(pack, rows, width)


class Inputs(NamedTuple):
    """The inputs of all members for one batch, as two views of the same memory.

    The forward pass multiplies by one view and the backward pass by the other, so that neither copies.
    There may be more columns than examples in the batch: products are fastest where their number is a
    multiple of 16. What the columns beyond the batch hold changes no result.
    """

    examples_as_rows: Tensor  # (pack, batch, padded(features + 1)): features, a one, zeros
    examples_as_columns: Tensor  # (pack, features + 1, columns): features, a one

    @classmethod
    def from_examples(cls, x: Tensor, n_features: int, pack: int, batch_size: int) -> Inputs:
        """Return the first ``batch_size`` examples of x as inputs.

        Parameters
        ----------
        x : (1 or pack, examples, padded(features + 1)), as ``append_ones`` returns them; 1 if all members
            share them.
        n_features : Number of features, without the one.
        pack : Number of members.
        batch_size : Number of examples that count; the others only fill up the columns.
        """
        x = x.expand(pack, -1, -1)
        return cls(x[:, :batch_size], x[:, :, : n_features + 1].transpose(1, 2))

    @classmethod
    def split_into_batches(cls, x: Tensor, n_features: int, pack: int, batch_size: int) -> list[Inputs]:
        """Return the inputs of each batch of x; parameters as in ``from_examples``.

        All are made at once: slicing out each batch by itself would cost as much as a small product.

        The columns of a batch run on into the next batch, up to a multiple of 16. After its last batch, x
        therefore has the padded(batch_size) - batch_size examples that the last batch runs on into.
        """
        x = x.expand(pack, -1, -1)
        # (pack, batches, features + 1, padded(batch_size))
        columns = x[:, :, : n_features + 1].unfold(1, pad_to_lane(batch_size), batch_size)
        # (pack, batches, batch_size, padded(features + 1))
        rows = x[:, : columns.shape[1] * batch_size].view(pack, -1, batch_size, x.shape[2])
        return [cls(*views) for views in zip(rows.unbind(1), columns.unbind(1), strict=True)]


def append_ones(x: npt.NDArray[np.float32], dtype: torch.dtype) -> Tensor:
    """Return x, (examples, features), with a column of ones and then zeros, (examples, padded(features + 1))."""
    n_features = x.shape[1]
    padded = torch.zeros(len(x), pad_to_lane(n_features + 1), dtype=dtype)
    padded[:, :n_features] = torch.from_numpy(x)
    padded[:, n_features] = 1
    return padded
