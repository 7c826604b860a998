"""Image sets in torchvision's files: MNIST and the sets of its form."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from sklearn.model_selection import train_test_split

from kdtune.data.splits import Data
from kdtune.files.images import list_image_files, read_images, read_labels
from kdtune.settings import Torchvision


def make_data(settings: Torchvision, random: np.random.RandomState) -> Data:
    """A stratified validation split out of the training images; pixels scaled from 0..255 to 0..1."""
    images, labels, test_images, test_labels = list_image_files(
        settings.name, settings.split, Path(settings.root or "")
    )
    x, y, x_test, y_test = _x(images), _y(labels), _x(test_images), _y(test_labels)
    train, val = train_test_split(
        np.arange(len(x)), test_size=int(settings.val_size or 0), stratify=y, random_state=random
    )
    return Data(x[train], y[train], x[val], y[val], x_test, y_test, settings.n_classes)


def _x(path: Path) -> np.ndarray:
    images = read_images(path)
    return images.reshape(len(images), -1).astype(np.float32) / np.float32(255)


def _y(path: Path) -> np.ndarray:
    return read_labels(path).astype(np.int64)
