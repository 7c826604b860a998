"""How the matrices of a stack lie in memory, and how inputs are laid out for it.

Padding: every matrix of a stack starts at a multiple of 16 values (in float32, 64 bytes: a cache line, and
the widest vector register), and its rows are padded to such a multiple, so that they do too. A product then
takes the same path through the BLAS for each member, however many others there are, and a network's
numbers do not depend on its stack, to the bit.

The column of ones: a layer computes W x + b. Here b is the last column of the weights and 1 the last
feature of x, so that [W b] [x 1] is a single product, and the product that gives the gradient of W gives
that of b as well.

In comments on shapes, ``members`` is the number of networks of the stack, and padded(n) is n rounded up to a
multiple of 16 (``round_up_to_alignment``).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from kdtune.plan.memory_estimate import ALIGNMENT, round_up_to_alignment


def allocate_flat_zeros(size: int, dtype: torch.dtype, device: str) -> Tensor:
    """Return at least ``size`` zeros that start at a multiple of 16 values in memory.

    Their number is a multiple of 16 too: optimizers that work in whole vectors then have no remainder, which
    they would round differently.
    """
    buffer = torch.zeros(round_up_to_alignment(size) + ALIGNMENT, dtype=dtype, device=device)
    offset = -(buffer.data_ptr() // buffer.element_size()) % ALIGNMENT  # of the first aligned value
    return buffer[offset : offset + round_up_to_alignment(size)]


def view_as_matrices(flat: Tensor, n_members: int, rows: int, columns: int) -> Tensor:
    """Return the start of ``flat`` as matrices with padded rows, (members, rows, padded(columns))."""
    width = round_up_to_alignment(columns)
    return flat[: n_members * rows * width].view(n_members, rows, width)


class Inputs(NamedTuple):
    """The inputs of all members for one batch, as two views of the same memory.

    The forward pass multiplies by one view and the backward pass by the other, so that neither copies.
    There may be more columns than examples in the batch: products are fastest if the number of columns is a
    multiple of 16. The values in the columns beyond the batch change no result if they are finite.
    """

    examples_as_rows: Tensor  # (members, batch, padded(features + 1)): features, a one, zeros
    examples_as_columns: Tensor  # (members, features + 1, columns): features, a one

    @classmethod
    def from_examples(cls, x: Tensor, n_features: int, n_members: int, batch_size: int) -> Inputs:
        """Return the first ``batch_size`` examples of x as inputs.

        Parameters
        ----------
        x : (1 or members, examples, padded(features + 1)), as ``append_ones`` returns them; 1 if all members
            share them.
        n_features : Number of features, without the one.
        n_members : Number of members.
        batch_size : Number of examples in the batch; those after them only fill up the columns.
        """
        x = x.expand(n_members, -1, -1)
        return cls(x[:, :batch_size], x[:, :, : n_features + 1].transpose(1, 2))

    @classmethod
    def split_into_batches(cls, x: Tensor, n_features: int, n_members: int, batch_size: int) -> list[Inputs]:
        """Return the inputs of each batch of x; parameters as in ``from_examples``.

        All views are made at once: slicing out each batch by itself would cost as much as a small product.

        Each batch is read as a window of padded(batch_size) examples that starts every batch_size examples, so
        windows overlap. The caller appends padded(batch_size) - batch_size further examples to x; their values do
        not matter if they are finite.
        """
        x = x.expand(n_members, -1, -1)
        # (members, batches, features + 1, padded(batch_size))
        column_views = x[:, :, : n_features + 1].unfold(1, round_up_to_alignment(batch_size), batch_size)
        n_batches = column_views.shape[1]
        # (members, batches, batch_size, padded(features + 1))
        row_views = x[:, : n_batches * batch_size].view(n_members, n_batches, batch_size, x.shape[2])
        return [cls(*views) for views in zip(row_views.unbind(1), column_views.unbind(1), strict=True)]


def append_ones(x: npt.NDArray[np.float32], dtype: torch.dtype) -> Tensor:
    """Return x, (examples, features), with a column of ones and then zeros, (examples, padded(features + 1))."""
    n_features = x.shape[1]
    padded_x = torch.zeros(len(x), round_up_to_alignment(n_features + 1), dtype=dtype)
    padded_x[:, :n_features] = torch.from_numpy(x)
    padded_x[:, n_features] = 1
    return padded_x
