"""The splits of one draw of a data set, and the transfer set of a student."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Features = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Data:
    """One draw of a data set, split and scaled.

    Networks are trained on the training split alone. The temperature is chosen on ``val``, the validation
    split, and results are reported on ``test``.

    Attributes
    ----------
    x_train, x_val, x_test : features, (examples, features).
    y_train, y_val, y_test : classes from 0, (examples,).
    n_classes : the number of classes, whether or not each has an example.
    """

    x_train: Features
    y_train: Labels
    x_val: Features
    y_val: Labels
    x_test: Features
    y_test: Labels
    n_classes: int

    @property
    def train_classes(self) -> list[int]:
        """The classes that have a training example, in ascending order."""
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
    transfer_data = replace(data, x_train=data.x_train[example_indices], y_train=data.y_train[example_indices])
    return TransferSet(transfer_data, example_indices)
