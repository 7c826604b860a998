"""scikit-learn's handwritten digits: real data that ship with the library."""

from __future__ import annotations

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from kdtune.data.splits import Data
from kdtune.settings import Digits


def make_data(settings: Digits, random: np.random.RandomState) -> Data:
    """A stratified draw of the splits; pixels scaled from 0..16 to 0..1."""
    x, y = load_digits(return_X_y=True)
    x, y = (x / 16).astype(np.float32), y.astype(np.int64)
    rest, test = train_test_split(np.arange(len(x)), test_size=int(settings.test_size), stratify=y, random_state=random)
    train, val = train_test_split(rest, test_size=int(settings.val_size), stratify=y[rest], random_state=random)
    return Data(x[train], y[train], x[val], y[val], x[test], y[test], settings.n_classes)
