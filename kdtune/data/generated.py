"""The fake data sets of the 2018 Harvard tutorial that kdtune began from: scikit-learn's ``make_classification``."""

from __future__ import annotations

import numpy as np
from sklearn.datasets import make_classification

from kdtune.data.splits import Data
from kdtune.settings import MakeClassification


def generate_data(settings: MakeClassification, random: np.random.RandomState) -> Data:
    """Generate the tutorial's training and test examples, and a validation split in addition.

    scikit-learn returns the examples shuffled, so the splits are consecutive parts of them. Features
    are standardised: over the training part their mean is 0 and their variance 1.
    """
    n_test = int(settings.test_size)
    n_val = int(settings.val_size or 0)
    x, y = make_classification(
        n_samples=settings.n_samples + n_val,
        n_features=settings.n_features,
        n_informative=settings.n_informative,
        n_redundant=settings.n_features - settings.n_informative,
        n_classes=settings.n_classes,
        n_clusters_per_class=settings.n_clusters_per_class,
        class_sep=settings.class_sep,
        flip_y=settings.flip_y,
        random_state=random,
    )
    train, val, test = np.split(np.arange(len(x)), [settings.n_train, settings.n_train + n_val])
    assert len(test) == n_test
    scale = x[train].std(axis=0)
    scale[scale == 0] = 1  # A constant feature stays constant.
    x = ((x - x[train].mean(axis=0)) / scale).astype(np.float32)
    y = y.astype(np.int64)
    return Data(x[train], y[train], x[val], y[val], x[test], y[test], settings.n_classes)
