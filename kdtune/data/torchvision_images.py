"""Image sets in torchvision's files: MNIST and the sets of its form."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from sklearn.model_selection import train_test_split

from kdtune.data.splits import Data, Features, Labels, SplitRows
from kdtune.files.images import list_image_files, read_images, read_labels
from kdtune.settings import Torchvision


def load_image_data(settings: Torchvision, random: np.random.RandomState) -> Data:
    """Read the images and draw a stratified validation split from those for training.

    Pixels are scaled from 0..255 to 0..1.
    """
    train_images, train_labels, test_images, test_labels = list_image_files(
        settings.name, settings.split, Path(settings.root or "")
    )
    x, y = _read_features(train_images), _read_classes(train_labels)
    x_test, y_test = _read_features(test_images), _read_classes(test_labels)
    train, val = train_test_split(
        np.arange(len(x)), test_size=int(settings.val_size or 0), stratify=y, random_state=random
    )
    rows = {
        "train": SplitRows("train", train),
        "val": SplitRows("train", val),
        "test": SplitRows("test", np.arange(len(x_test))),
    }
    return Data(x[train], y[train], x[val], y[val], x_test, y_test, settings.n_classes, rows)


def _read_features(path: Path) -> Features:
    """Read images as rows of pixels, (examples, features)."""
    images = read_images(path)
    return images.reshape(len(images), -1).astype(np.float32) / np.float32(255)


def _read_classes(path: Path) -> Labels:
    """Read the class of each image, (examples,)."""
    return read_labels(path).astype(np.int64)
