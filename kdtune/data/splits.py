"""One draw of a data set, split and scaled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

Features = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Data:
    """One draw of a data set, split and scaled: x is (examples, features), y is (examples,).

    Nothing is trained on ``val``, from which the temperature is chosen, nor on ``test``, on which
    results are reported.
    """

    x_train: Features
    y_train: Labels
    x_val: Features
    y_val: Labels
    x_test: Features
    y_test: Labels
    n_classes: int


def select_classes(data: Data, classes: Sequence[int]) -> tuple[Data, Any]:
    """The data with the training examples of some classes only, and which of all these are: (examples,).

    Raises
    ------
    ValueError
        If there are none.
    """
    places = np.flatnonzero(np.isin(data.y_train, list(classes)))
    if not len(places):
        raise ValueError("the transfer set is empty: no training example is of its classes")
    return replace(data, x_train=data.x_train[places], y_train=data.y_train[places]), places
