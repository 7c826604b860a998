"""Examples that stay in their file: rows are read, flattened and scaled when they are asked for."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from kdtune.inputs.arrays import iterate_chunks


@dataclass(frozen=True)
class Scaling:
    """What is subtracted from features and what they are divided by, each a number or one for each feature."""

    mean: npt.NDArray[np.float64] | float = 0.0
    scale: npt.NDArray[np.float64] | float = 1.0

    def apply(self, values: Any) -> npt.NDArray[np.float32]:
        """Return examples as scaled rows, (examples, features); the values are those of any array."""
        rows = np.asarray(values).reshape(len(values), -1)
        with np.errstate(over="ignore"):  # What is no longer finite diverges, and is reported as that.
            scaled: npt.NDArray[np.float32]
            if self.is_identity:
                scaled = rows.astype(np.float32)
            elif isinstance(self.mean, float) and self.mean == 0.0:
                scaled = rows.astype(np.float32) / np.float32(self.scale)
            else:
                scaled = ((rows.astype(np.float64) - self.mean) / self.scale).astype(np.float32)
        return scaled

    @property
    def is_identity(self) -> bool:
        """Whether values stay as they are."""
        return isinstance(self.mean, float) and isinstance(self.scale, float) and (self.mean, self.scale) == (0.0, 1.0)


def measure_scaling(array: Any, rows: npt.NDArray[np.intp]) -> Scaling:
    """Measure the mean and the standard deviation of each feature over some rows of an array, in float64.

    The array is read twice in pieces, so that it may be larger than the memory. A constant feature is divided by 1.
    """
    total = np.zeros(int(np.prod(array.shape[1:])))
    for start, stop in _iterate_rows(array, rows):
        total += _flatten(array, rows[start:stop]).sum(axis=0)
    mean = total / len(rows)
    squares = np.zeros_like(total)
    for start, stop in _iterate_rows(array, rows):
        squares += ((_flatten(array, rows[start:stop]) - mean) ** 2).sum(axis=0)
    scale = np.sqrt(squares / len(rows))
    scale[scale == 0] = 1.0
    return Scaling(mean, scale)


def _iterate_rows(array: Any, rows: npt.NDArray[np.intp]) -> list[tuple[int, int]]:
    # The pieces follow from the shape of one row alone, so that sums do not depend on how the data are held.
    bytes_per_row = max(1, 8 * int(np.prod(array.shape[1:])))
    return iterate_chunks(np.broadcast_to(np.empty((), dtype=f"V{bytes_per_row}"), (len(rows),)))


def _flatten(array: Any, rows: npt.NDArray[np.intp]) -> npt.NDArray[np.float64]:
    return np.asarray(array[rows], dtype=np.float64).reshape(len(rows), -1)


@dataclass(frozen=True)
class MappedExamples:
    """Examples of an array that is mapped into memory, read when they are indexed.

    Indexing with a slice or with indices gives rows of float32 in the memory, (examples, features).

    Attributes
    ----------
    array : the mapped array, (rows, ...).
    rows : the row of each example, (examples,).
    scaling : what is done to the values.
    """

    array: Any
    rows: npt.NDArray[np.intp]
    scaling: Scaling

    @property
    def shape(self) -> tuple[int, int]:
        """The number of examples and of features."""
        return len(self.rows), int(np.prod(self.array.shape[1:]))

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, indices: Any) -> npt.NDArray[np.float32]:
        return self.scaling.apply(self.array[self.rows[indices]])

    def select(self, indices: npt.NDArray[np.intp]) -> MappedExamples:
        """Return some of the examples, unread."""
        return replace(self, rows=self.rows[indices])
