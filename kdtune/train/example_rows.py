"""Rows that the steps of training read: in memory, or in files where data are too large for the memory.

Both forms give the same bits: a row is converted in the same way before or after it is gathered.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from kdtune.data.mapped_examples import MappedExamples
from kdtune.data.splits import Features
from kdtune.stacked.memory_layout import append_ones


class ExampleRows(Protocol):
    """The training examples of one or more data sets, with a column of ones and padding.

    Attributes
    ----------
    width : values in a row, padding included.
    value_bytes : bytes of a value.
    """

    width: int
    value_bytes: int

    def gather(self, example_indices: Tensor) -> Tensor:
        """Return rows, (sources, examples, width).

        Parameters
        ----------
        example_indices : (sources, examples), indices into the training examples of each source.
        """


def store_examples(
    data_sets: Sequence[Features], data_set_of_source: Sequence[int], precision: torch.dtype, device: str
) -> ExampleRows:
    """Return the training examples of the data sets in the form that fits the memory.

    Parameters
    ----------
    data_sets : (examples, features) each; all have equally many.
    data_set_of_source : index of the data set of each source of batches.
    precision : type of the values.
    device : ``"cpu"`` or ``"cuda"``.
    """
    if any(isinstance(x, MappedExamples) for x in data_sets):
        return _RowsInFiles(data_sets, data_set_of_source, precision, device)
    return _RowsInMemory(data_sets, data_set_of_source, precision, device)


class _RowsInMemory:
    """All examples as the rows of one matrix, so that one gather serves all sources."""

    def __init__(
        self, data_sets: Sequence[Features], data_set_of_source: Sequence[int], precision: torch.dtype, device: str
    ) -> None:
        self._x = torch.cat([append_ones(x[:], precision) for x in data_sets]).to(device)
        starts = [[index * len(data_sets[0])] for index in data_set_of_source]
        self._starts = torch.tensor(starts, device=device)  # (sources, 1): the first row of each source
        self.width, self.value_bytes = self._x.shape[1], self._x.element_size()

    def gather(self, example_indices: Tensor) -> Tensor:
        """Return rows, (sources, examples, width)."""
        rows = (example_indices + self._starts).reshape(-1)
        return self._x.index_select(0, rows).view(*example_indices.shape, -1)


class _RowsInFiles:
    """Examples that are read from their files when a chunk of steps needs them."""

    def __init__(
        self, data_sets: Sequence[Features], data_set_of_source: Sequence[int], precision: torch.dtype, device: str
    ) -> None:
        self._data_sets = data_sets
        self._data_set_of_source = data_set_of_source
        self._precision, self._device = precision, device
        example = append_ones(data_sets[0][:1], precision)
        self.width, self.value_bytes = example.shape[1], example.element_size()

    def gather(self, example_indices: Tensor) -> Tensor:
        """Return rows, (sources, examples, width)."""
        rows = [
            append_ones(read_in_order(self._data_sets[index], indices), self._precision)
            for index, indices in zip(self._data_set_of_source, example_indices.cpu().numpy(), strict=True)
        ]
        return torch.stack(rows).to(self._device)


def read_in_order(values: Any, indices: Any) -> Any:
    """Return the rows of mapped values at these indices, read in the order in which they lie in the file."""
    order = np.argsort(indices, kind="stable")
    sorted_rows = np.asarray(values[indices[order]])
    rows = np.empty_like(sorted_rows)
    rows[order] = sorted_rows
    return rows
