"""scikit-learn's handwritten digits: real data that ship with the library."""

from __future__ import annotations

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from kdtune.data.splits import Data, SplitRows
from kdtune.settings import Digits


def load_digits_data(settings: Digits, random: np.random.RandomState, test_random: np.random.RandomState) -> Data:
    """Load the digits and draw stratified validation and test splits; pixels are scaled from 0..16 to 0..1.

    Parameters
    ----------
    random, test_random : the random states of the draw and of its test split; mostly they are the same.
    """
    pixels, labels = load_digits(return_X_y=True)
    x = (pixels / 16).astype(np.float32)
    y = labels.astype(np.int64)
    train_val, test = train_test_split(
        np.arange(len(x)), test_size=int(settings.test_size), stratify=y, random_state=test_random
    )
    train, val = train_test_split(
        train_val, test_size=int(settings.val_size), stratify=y[train_val], random_state=random
    )
    rows = {"train": SplitRows("all", train), "val": SplitRows("all", val), "test": SplitRows("all", test)}
    return Data(x[train], y[train], x[val], y[val], x[test], y[test], settings.n_classes, rows)
