"""Data sets: one function for each kind, all giving the same ``Data``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from kdtune.network import DataDraw
from kdtune.settings import Digits, MakeClassification, Torchvision

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


# A worker trains packs of one data set after another: the last few are kept, not all.
@lru_cache(maxsize=4)
def load(draw: DataDraw) -> Data:
    """Make or read one draw of a data set; the same draw gives the same bits every time."""
    match draw.settings:
        case MakeClassification():
            from kdtune.data.generated import make
        case Digits():
            from kdtune.data.digits import make  # type: ignore[assignment]
        case Torchvision():
            from kdtune.data.pictures import make  # type: ignore[assignment]
    return make(draw.settings, np.random.RandomState(draw.seed))  # type: ignore[arg-type]


def of_classes(data: Data, classes: Sequence[int]) -> tuple[Data, Any]:
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
