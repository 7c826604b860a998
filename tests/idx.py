"""Small image sets in IDX files, as torchvision lays them out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

from kdtune.files.images import list_image_files


def write_idx(path: Path, array: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes() + array.tobytes())


def write_digits(
    root: Path, name: str = "MNIST", split: str | None = None, n_train: int = 1200, first: int = 0
) -> Path:
    """scikit-learn's digits, 8 x 8, as a set of that name; labels count from ``first``."""
    x, y = load_digits(return_X_y=True)
    x, y = (x.reshape(-1, 8, 8) * 15).astype(np.uint8), (y + first).astype(np.uint8)
    parts = x[:n_train], y[:n_train], x[n_train:], y[n_train:]
    for path, array in zip(list_image_files(name, split, root), parts, strict=True):
        write_idx(path, array)
    return root
