"""The splits of one draw of a data set, and the transfer set of a student."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from kdtune.data.mapped_examples import MappedExamples
from kdtune.inputs.given_data import PartName

Features = npt.NDArray[np.float32] | MappedExamples
Labels = npt.NDArray[np.int64]


class SplitRows(NamedTuple):
    """The rows that the examples of a split have in the data as they were given.

    Attributes
    ----------
    part : the part of the given data that they are in; ``all`` where kdtune splits the set.
    indices : the row of each example in that part, (examples,).
    """

    part: PartName
    indices: npt.NDArray[np.intp]


@dataclass(frozen=True)
class Data:
    """One draw of a data set, split and scaled.

    Networks are trained on the training split alone. The temperature is chosen on ``val``, the validation
    split, and results are reported on ``test``.

    Attributes
    ----------
    x_train, x_val, x_test : features, (examples, features); of data that are too large for the memory, rows are read
        and scaled when they are indexed.
    y_train, y_val, y_test : classes from 0, (examples,). The training examples of an unlabelled transfer set are all of
        class 0; no loss reads that.
    n_classes : the number of classes, whether or not each has an example.
    rows : where the examples of each split stand in the data as they were given; None for generated data.
    has_training_labels : whether training examples have labels.
    """

    x_train: Features
    y_train: Labels
    x_val: Features
    y_val: Labels
    x_test: Features
    y_test: Labels
    n_classes: int
    rows: Mapping[str, SplitRows] | None = None
    has_training_labels: bool = True

    @property
    def train_classes(self) -> list[int]:
        """The classes that have a training example, in ascending order; all if nobody knows."""
        if not self.has_training_labels:
            return list(range(self.n_classes))
        return np.flatnonzero(np.bincount(self.y_train)).tolist()


class TransferSet(NamedTuple):
    """The data that a student is trained on: the training examples of some classes.

    Attributes
    ----------
    data : the data with these training examples only; validation and test splits are unchanged.
    example_indices : which of all training examples they are, (examples,).
    """

    data: Data
    example_indices: npt.NDArray[np.intp]


def select_classes(data: Data, classes: Sequence[int]) -> TransferSet:
    """Return the transfer set that holds the training examples of these classes.

    Raises
    ------
    ValueError
        If there are none.
    """
    example_indices = np.flatnonzero(np.isin(data.y_train, list(classes)))
    if not len(example_indices):
        raise ValueError("the transfer set is empty: no training example is of its classes")
    transfer_data = replace(data, x_train=_take(data.x_train, example_indices), y_train=data.y_train[example_indices])
    return TransferSet(transfer_data, example_indices)


def _take(x: Features, indices: npt.NDArray[np.intp]) -> Features:
    """Return these examples; of data that stay in their file, nothing is read."""
    return x.select(indices) if isinstance(x, MappedExamples) else x[indices]
