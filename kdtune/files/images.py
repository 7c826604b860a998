"""Image sets in IDX files, in torchvision's layout: where they lie, whether they are whole, what is in them.

The files are read here rather than by torchvision: their sizes and content are wanted before anything
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

# Classes of each set, by name or EMNIST's split. Letters are numbered from 1, as torchvision does: class 0 is empty.
CLASSES = {"MNIST": 10, "FashionMNIST": 10, "KMNIST": 10, "byclass": 62, "bymerge": 47, "balanced": 47, "letters": 27,
           "digits": 10, "mnist": 10}  # fmt: skip
Split = Literal["byclass", "bymerge", "balanced", "letters", "digits", "mnist"]  # EMNIST's
ROOT_VARIABLE = "KDTUNE_DATA"
NETWORK_SECONDS = 20  # without an answer: there is no network

Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class ImageFiles:
    """What the files of an image set hold."""

    root: Path
    image: tuple[int, int, int]  # channels, height, width
    counts: tuple[int, ...]  # training images of each class
    n_test: int
    content: str  # a hash of all four files


def find_image_files(
    name: str, split: str | None, data_root: str | None = None, own_root: str | None = None
) -> ImageFiles:
    """Look at the files of a set; download them if they are not there.

    Parameters
    ----------
    name, split : as torchvision calls them; ``split`` is EMNIST's.
    data_root, own_root : where to look, the first that is given: the user's, the sweep file's, the
        environment's ``KDTUNE_DATA``, a cache folder.

    Raises
    ------
    ValueError
        If files are missing and cannot be downloaded, are torn, or do not fit one another.
    """
    root, said = _root(data_root, own_root)
    paths = list_image_files(name, split, root)
    try:
        missing = [path for path in paths if not path.is_file()]
        if missing:
            _download(name, split, root, said, missing)
        return _look(name, split, root, tuple(path.stat().st_mtime_ns for path in paths))
    except OSError as error:
        raise ValueError(f"{error.filename} cannot be read: {error.strerror}") from None


def list_image_files(name: str, split: str | None, root: Path) -> list[Path]:
    """Training images and labels, test images and labels."""
    folder, first = root / name / "raw", f"emnist-{split}-" if split else ""
    test = "test" if split else "t10k"
    return [
        folder / f"{first}{part}-{what}-ubyte"
        for part in ("train", test)
        for what in ("images-idx3", "labels-idx1")
    ]  # fmt: skip


def read_images(path: Path) -> Bytes:
    """(images, height, width); errors as in ``find``."""
    return _read(path, 3)


def read_labels(path: Path) -> Bytes:
    """(images,); errors as in ``find``."""
    return _read(path, 1)


def _root(data_root: str | None, own_root: str | None) -> tuple[Path, str]:
    """The root, and who says so."""
    from platformdirs import user_cache_path

    environment = os.environ.get(ROOT_VARIABLE)
    for root, said in ((data_root, "--data-root"), (own_root, "the sweep file"), (environment, ROOT_VARIABLE)):
        if root:
            try:
                return Path(root).expanduser().absolute(), said
            except RuntimeError as error:  # ~somebody whom this machine does not know
                raise ValueError(f"{root} (from {said}): {str(error).rstrip('.').lower()}") from None
    return user_cache_path("kdtune") / "data", f"the cache; --data-root, root or {ROOT_VARIABLE} name another place"


@lru_cache(maxsize=16)
def _look(name: str, split: str | None, root: Path, _modified: tuple[int, ...]) -> ImageFiles:
    paths = list_image_files(name, split, root)
    content = hashlib.blake2b(digest_size=10)
    sizes, counts = [], []
    for images_path, labels_path in (paths[:2], paths[2:]):
        images, labels = read_images(images_path), read_labels(labels_path)
        if len(images) != len(labels):
            held = f"{images_path.name} holds {len(images)} images and {labels_path.name} {len(labels)} labels"
            raise ValueError(f"{held}; both in {images_path.parent} must be of one set")
        if not images.size:
            raise ValueError(f"{images_path} holds no pixels")
        classes = CLASSES[split or name]
        if labels.max() >= classes:
            raise ValueError(
                f"{labels_path} has a label {labels.max()}; those of {split or name} are 0 to {classes - 1}"
            )
        for array in (images, labels):
            content.update(repr(array.shape).encode())
            content.update(array.data)
        sizes.append(images.shape[1:])
        counts.append(tuple(np.bincount(labels, minlength=classes).tolist()))
    if sizes[0] != sizes[1]:
        of = " and ".join(f"{path.name} of {size[0]} x {size[1]}" for path, size in zip(paths[::2], sizes, strict=True))
        raise ValueError(f"{paths[0].parent} holds images of mixed sizes: {of}; all must have one size")
    return ImageFiles(root, (1, *sizes[0]), counts[0], sum(counts[1]), content.hexdigest())


def _read(path: Path, dimensions: int) -> Bytes:
    """An IDX file of bytes: http://yann.lecun.com/exdb/mnist, "file formats"."""
    there = path.stat().st_size
    start = 4 + 4 * dimensions
    with path.open("rb") as file:
        head = file.read(start)
    if len(head) < start or head[:4] != bytes([0, 0, 8, dimensions]):
        raise ValueError(f"{path} is no IDX file of bytes in {dimensions} dimensions, or is torn: get it again")
    shape = np.frombuffer(head, ">u4", offset=4).astype(int).tolist()
    if there != start + int(np.prod(shape)):
        wanted = " x ".join(map(str, shape))
        raise ValueError(
            f"{path} is torn: it says that it holds {wanted} bytes, but has {there - start:,}; get it again"
        )
    return np.fromfile(path, np.uint8, offset=start).reshape(shape)


def _download(name: str, split: str | None, root: Path, said: str, missing: list[Path]) -> None:
    """By torchvision, into a folder beside, so that what breaks off leaves nothing."""
    names = ", ".join(path.name for path in missing)
    folder = missing[0].parent
    with tempfile.TemporaryDirectory(prefix="kdtune-download-") as scratch:
        try:
            _fetch(name, split, Path(scratch))
            folder.mkdir(parents=True, exist_ok=True)
            for path in list_image_files(name, split, Path(scratch)):
                shutil.move(path, folder / path.name)
        except Exception as error:  # of a network, a proxy, a mirror, a disk: whatever it is, the files are not there
            reason = str(error).splitlines()[0].rstrip(":") if str(error) else type(error).__name__
            lacks = f"{root} (from {said}) has not all files of {name}, and they cannot be downloaded ({reason})"
            raise ValueError(f"{lacks}; put {names}, unpacked, into {folder}") from None


def _fetch(name: str, split: str | None, scratch: Path) -> None:
    from torchvision import datasets

    with _patience(NETWORK_SECONDS):
        getattr(datasets, name)(scratch, download=True, **({"split": split} if split else {}))


@contextmanager
def _patience(seconds: float) -> Iterator[None]:
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(seconds)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)
