"""Stacked matrices that a BLAS treats alike, whatever their place in the stack.

Every matrix starts at a multiple of 64 bytes and has rows that do, too. A product then takes the
same path through the BLAS for each member, however many others there are, so that a network's
numbers do not depend on its pack, to the bit.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from kdtune.plan.memory_estimate import LANE, pad_to_lane


def allocate_flat_zeros(size: int, dtype: torch.dtype, device: str) -> Tensor:
    """At least ``size`` zeros that start at a multiple of 64 bytes.

    The length is a multiple of 16: optimizers that work in whole vectors have no remainder, which
    they would round differently.
    """
    buffer = torch.zeros(pad_to_lane(size) + LANE, dtype=dtype, device=device)
    skip = -(buffer.data_ptr() // buffer.element_size()) % LANE
    return buffer[skip : skip + pad_to_lane(size)]


def view_as_matrices(flat: Tensor, pack: int, rows: int, columns: int) -> Tensor:
    """The start of ``flat`` as (pack, rows, columns padded to a multiple of 16)."""
    width = pad_to_lane(columns)
    return flat[: pack * rows * width].view(pack, rows, width)


class Inputs(NamedTuple):
    """What the members of a stack get as inputs, as two views of the same memory."""

    rows: Tensor  # (pack, batch, padded(features + 1)): features, a one, zeros
    columns: Tensor  # (pack, features + 1, batch or more): features, a one; what is beyond the batch does not count

    @classmethod
    def of(cls, x: Tensor, features: int, pack: int, batch: int) -> Inputs:
        """The first ``batch`` examples of x (1 or pack, examples, padded(features + 1)), as by ``with_ones``."""
        x = x.expand(pack, -1, -1)
        return cls(x[:, :batch], x[:, :, : features + 1].transpose(1, 2))

    @classmethod
    def batches(cls, x: Tensor, features: int, pack: int, size: int) -> list[Inputs]:
        """x cut into batches of ``size``, all at once: a view taken for each would cost as much as a small product.

        The columns run on into the next batch up to a multiple of 16, so x has as many more rows as the
        last one needs.
        """
        x = x.expand(pack, -1, -1)
        columns = x[:, :, : features + 1].unfold(
            1, pad_to_lane(size), size
        )  # (pack, batches, features + 1, padded(size))
        rows = x[:, : columns.shape[1] * size].view(
            pack, -1, size, x.shape[2]
        )  # (pack, batches, size, padded(features + 1))
        return [cls(*both) for both in zip(rows.unbind(1), columns.unbind(1), strict=True)]


def append_ones(x: npt.NDArray[np.float32], dtype: torch.dtype) -> Tensor:
    """x (examples, features) with a column of ones, by which biases are weights, then zeros up to a multiple of 16."""
    features = x.shape[1]
    found = torch.zeros(len(x), pad_to_lane(features + 1), dtype=dtype)
    found[:, :features] = torch.from_numpy(x)
    found[:, features] = 1
    return found
