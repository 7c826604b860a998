"""Image sets in IDX files, laid out as torchvision does: where they lie, whether they are complete, what they hold.

The files are read here rather than by torchvision: their sizes and content are needed before anything
is trained, and importing torch takes longer than reading them. Where files are missing, torchvision
downloads them.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

# Number of classes by name of the set or, for EMNIST, of the split. The labels of EMNIST's letters start
# at 1, as in torchvision: their class 0 is empty.
CLASS_COUNTS = {
    "MNIST": 10, "FashionMNIST": 10, "KMNIST": 10, "byclass": 62, "bymerge": 47, "balanced": 47, "letters": 27,
    "digits": 10, "mnist": 10,
}  # fmt: skip
Split = Literal["byclass", "bymerge", "balanced", "letters", "digits", "mnist"]  # EMNIST's splits
ROOT_VARIABLE = "KDTUNE_DATA"
NETWORK_TIMEOUT = 20  # seconds without an answer after which a download is given up

ByteArray = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class ImageFiles:
    """The sizes and the content of the files of an image set."""

    root: Path  # torchvision's ``root``, above the folder named after the set
    image: tuple[int, int, int]  # channels, height, width
    images_per_class: tuple[int, ...]  # in the training files
    n_test: int
    content_hash: str  # of all four files


@dataclass(frozen=True)
class _Root:
    """A folder for image sets, and the words for what named it."""

    path: Path
    source: str


def find_image_files(
    name: str,
    split: str | None,
    data_root: str | None = None,
    file_root: str | None = None,
    allow_download: bool = True,
) -> ImageFiles:
    """Inspect the files of an image set, and download them first if they are missing.

    Parameters
    ----------
    name, split : the set and, for EMNIST, its split, as torchvision calls them.
    data_root, file_root : the root that the user gives and the one in the sweep file. The first of these that is
        given is used: the user's, the sweep file's, the environment variable ``KDTUNE_DATA``, a cache folder.
    allow_download : whether missing files may be downloaded.

    Raises
    ------
    ValueError
        If the root is not a folder, or files are missing and cannot or may not be downloaded, are truncated, or do not
        fit one another.
    """
    root = _choose_root(data_root, file_root)
    if root.path.exists() and not root.path.is_dir():
        raise ValueError(f"{root.path} (from {root.source}) is not a folder; give the one that holds {name}/raw")
    paths = list_image_files(name, split, root.path)
    try:
        missing_paths = [path for path in paths if not path.is_file()]
        if missing_paths and not allow_download:
            raise ValueError(_describe_missing_files(name, split, root, missing_paths))
        if missing_paths:
            _download(name, split, root, missing_paths)
        modification_times = tuple(path.stat().st_mtime_ns for path in paths)
        return _inspect_files(name, split, root.path, modification_times)
    except OSError as error:
        raise ValueError(f"{error.filename} cannot be read: {error.strerror}") from None


def list_image_files(name: str, split: str | None, root: Path) -> list[Path]:
    """List the paths of training images, training labels, test images and test labels, in this order."""
    folder = root / name / "raw"
    prefix = f"emnist-{split}-" if split else ""
    test_part = "test" if split else "t10k"
    return [
        folder / f"{prefix}train-images-idx3-ubyte",
        folder / f"{prefix}train-labels-idx1-ubyte",
        folder / f"{prefix}{test_part}-images-idx3-ubyte",
        folder / f"{prefix}{test_part}-labels-idx1-ubyte",
    ]


def read_images(path: Path) -> ByteArray:
    """Read a file of images (images, height, width).

    Raises
    ------
    ValueError
        If it is not a complete IDX file of images.
    """
    return _read_idx(path, 3)


def read_labels(path: Path) -> ByteArray:
    """Read a file of labels (images,).

    Raises
    ------
    ValueError
        If it is not a complete IDX file of labels.
    """
    return _read_idx(path, 1)


def _choose_root(data_root: str | None, file_root: str | None) -> _Root:
    from platformdirs import user_cache_path

    candidates = (
        (data_root, "--data-root"),
        (file_root, "the sweep file"),
        (os.environ.get(ROOT_VARIABLE), ROOT_VARIABLE),
    )
    for candidate, source in candidates:
        if candidate:
            try:
                return _Root(Path(candidate).expanduser().absolute(), source)
            except RuntimeError as error:  # Raised for "~user" if this machine has no such user.
                raise ValueError(f"{candidate} (from {source}): {str(error).rstrip('.').lower()}") from None
    return _Root(user_cache_path("kdtune") / "data", "the default cache folder")


@lru_cache(maxsize=16)
def _inspect_files(name: str, split: str | None, root: Path, _modification_times: tuple[int, ...]) -> ImageFiles:
    """Read the files; the times of modification are part of the cache's key."""
    train_images_path, train_labels_path, test_images_path, test_labels_path = list_image_files(name, split, root)
    train_images, train_labels = _read_pair(train_images_path, train_labels_path, split or name)
    test_images, test_labels = _read_pair(test_images_path, test_labels_path, split or name)
    train_size, test_size = train_images.shape[1:], test_images.shape[1:]
    if train_size != test_size:
        raise ValueError(
            f"{train_images_path.parent} holds images of mixed sizes: "
            f"{train_images_path.name} of {train_size[0]} x {train_size[1]} and "
            f"{test_images_path.name} of {test_size[0]} x {test_size[1]}; all must have one size"
        )
    content = hashlib.blake2b(digest_size=10)
    for array in (train_images, train_labels, test_images, test_labels):
        content.update(repr(array.shape).encode())
        content.update(array.data)
    images_per_class = np.bincount(train_labels, minlength=CLASS_COUNTS[split or name])
    image = (1, int(train_size[0]), int(train_size[1]))
    return ImageFiles(root, image, tuple(images_per_class.tolist()), len(test_labels), content.hexdigest())


def _read_pair(images_path: Path, labels_path: Path, class_set: str) -> tuple[ByteArray, ByteArray]:
    """Read images and their labels, and check that they fit."""
    images, labels = read_images(images_path), read_labels(labels_path)
    if len(images) != len(labels):
        raise ValueError(
            f"{images_path.name} holds {len(images)} images and {labels_path.name} {len(labels)} labels; "
            f"both in {images_path.parent} must be of one set"
        )
    if not images.size:
        raise ValueError(f"{images_path} holds no pixels; get it again")
    largest_label = CLASS_COUNTS[class_set] - 1
    if labels.max() > largest_label:
        raise ValueError(f"{labels_path} has a label {labels.max()}; those of {class_set} are 0 to {largest_label}")
    return images, labels


def _read_idx(path: Path, n_dimensions: int) -> ByteArray:
    """Read an IDX file of bytes: http://yann.lecun.com/exdb/mnist, "file formats"."""
    file_size = path.stat().st_size
    header_size = 4 + 4 * n_dimensions
    with path.open("rb") as file:
        header = file.read(header_size)
    if len(header) < header_size or header[:4] != bytes([0, 0, 8, n_dimensions]):
        raise ValueError(f"{path} is not an IDX file of bytes in {n_dimensions} dimensions, or is torn; get it again")
    shape = np.frombuffer(header, ">u4", offset=4).astype(int).tolist()
    if file_size != header_size + int(np.prod(shape)):
        expected_bytes = " x ".join(map(str, shape))
        raise ValueError(
            f"{path} is torn: its header says {expected_bytes} bytes, but {file_size - header_size:,} follow; "
            f"get it again"
        )
    return np.fromfile(path, np.uint8, offset=header_size).reshape(shape)


def _describe_missing_files(name: str, split: str | None, root: _Root, missing_paths: list[Path]) -> str:
    file_names = ", ".join(path.name for path in missing_paths)
    split_argument = f", split={split!r}" if split else ""
    download = f"from torchvision.datasets import {name}; {name}({str(root.path)!r}{split_argument}, download=True)"
    return (
        f"{name} is not complete in {root.path} (from {root.source}), and planning downloads nothing; "
        f"`kdtune sweep` would download {file_names} by torchvision into {missing_paths[0].parent}; "
        f"if they lie elsewhere, give their folder as --data-root; "
        f'to download them now, run: python -c "{download}"'
    )


def _download(name: str, split: str | None, root: _Root, missing_paths: list[Path]) -> None:
    """Download the files into a temporary folder and move them, so that a failed download leaves nothing."""
    folder = missing_paths[0].parent
    with tempfile.TemporaryDirectory(prefix="kdtune-download-") as temporary_root:
        try:
            _download_with_torchvision(name, split, Path(temporary_root))
            folder.mkdir(parents=True, exist_ok=True)
            for path in list_image_files(name, split, Path(temporary_root)):
                shutil.move(path, folder / path.name)
        except Exception as error:  # Network, proxy, mirror or disk: whatever failed, the files are still missing.
            reason = str(error).splitlines()[0].rstrip(":") if str(error) else type(error).__name__
            file_names = ", ".join(path.name for path in missing_paths)
            raise ValueError(
                f"{name} is not complete in {root.path} (from {root.source}), and cannot be downloaded ({reason}); "
                f"put {file_names}, unpacked, into {folder}, or give their folder as --data-root"
            ) from None


def _download_with_torchvision(name: str, split: str | None, root: Path) -> None:
    from torchvision import datasets

    dataset_class = getattr(datasets, name)
    with _socket_timeout(NETWORK_TIMEOUT):
        if split:
            dataset_class(root, split=split, download=True)
        else:
            dataset_class(root, download=True)


@contextmanager
def _socket_timeout(seconds: float) -> Iterator[None]:
    previous_timeout = socket.getdefaulttimeout()
    socket.setdefaulttimeout(seconds)
    try:
        yield
    finally:
        socket.setdefaulttimeout(previous_timeout)
