"""Images that users bring: read, shrunk and cut as torchvision does, and known by the content of their files."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache, partial
from io import BytesIO
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError

from kdtune.cores import count_cores
from kdtune.inputs.arrays import Array, ArrayInput
from kdtune.inputs.errors import InputError
from kdtune.inputs.storage import is_stored, keep_in_memory

ImageSize = int | tuple[int, int]
Result = TypeVar("Result")

MAX_NAMED_FILES = 10  # in one message

# As in ``torchvision.datasets.folder``.
IMAGE_ENDINGS = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp")
# What an image is called that has one channel of at most 8 bits, with or without transparency.
_GRAY_MODES = {"1", "L", "LA", "La"}
_DEEP_MODES = ("I", "F")  # 16 or 32 bits for each pixel, which PIL cuts off at 255 instead of scaling
# The way from files to pixels enters the hash of what it made; a change of it needs another name.
_METHOD = "bilinear 1"
_decoded_digests: set[str] = set()  # of the files that this process has decoded


class ImageFile(NamedTuple):
    """A file that was looked at, but not decoded.

    Attributes
    ----------
    path : the file.
    digest : the BLAKE2b hash of its content as 20 hexadecimal digits (80 bits).
    is_gray : whether it has one channel.
    """

    path: Path
    digest: str
    is_gray: bool


def inspect_images(paths: Sequence[Path]) -> list[ImageFile]:
    """Look at files that hold images, in threads.

    Raises
    ------
    InputError
        If some are no images or have more than 8 bits for each channel: it names them.
    """
    return list(_read_all(_inspect_image, paths))


def _read_all(read: Callable[[Path], Result], paths: Sequence[Path]) -> Iterator[Result]:
    """Yield what ``read`` returns for each path, in threads; an InputError after the last names all that failed."""

    def try_to_read(path: Path) -> Result | ValueError:
        try:
            return read(path)
        except ValueError as error:
            return error

    problems = []
    with ThreadPoolExecutor(count_cores()) as pool:
        for result in pool.map(try_to_read, paths):
            if isinstance(result, ValueError):
                problems.append(str(result))
            else:
                yield result
    if problems:
        n_more = len(problems) - MAX_NAMED_FILES
        named_problems = [*problems[:MAX_NAMED_FILES], *([f"and {n_more:,} more files"] if n_more > 0 else [])]
        raise InputError("; ".join(named_problems))


def _inspect_image(path: Path) -> ImageFile:
    try:
        status = path.stat()
        return _inspect_image_once(path, status.st_size, status.st_mtime_ns)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}") from None


# Variants of a sweep, and a teacher that sees its own size, look at the same files.
@lru_cache(maxsize=1 << 20)
def _inspect_image_once(path: Path, n_bytes: int, modified_ns: int) -> ImageFile:
    content = path.read_bytes()
    try:
        with Image.open(BytesIO(content)) as image:
            mode = image.mode
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise InputError(describe_unreadable_image(path, error)) from None
    if mode.startswith(_DEEP_MODES):
        raise InputError(f"{path} has more than 8 bits for each pixel (PIL's mode {mode}); save it with 8 bits")
    return ImageFile(path, _hash_content(content), mode in _GRAY_MODES)


def describe_unreadable_image(path: Path, error: Exception) -> str:
    """Say why PIL cannot read an image, in words for the user."""
    reason = "" if isinstance(error, UnidentifiedImageError) else f" ({error})"
    return f"{path} is no image that can be read{reason}; replace or remove it"


def store_images(files: Sequence[ImageFile], size: ImageSize, n_channels: int, folder: Path) -> ArrayInput:
    """Decode images unless that was done before, and keep them as uint8 for the sweep to write below ``folder``.

    The content of the result is known by the files' and the size: a file of that name is taken as it is. Of images that
    were decoded in one size it is known that they can be: in other sizes they are decoded when they are needed, so that
    a sweep over sizes keeps one of them in memory.

    Parameters
    ----------
    files : the images, which become the rows.
    size : as for ``shrink_image``.
    n_channels : 1 for grayscale, 3 for RGB.
    folder : the folder ``inputs`` of the results.

    Raises
    ------
    InputError
        If images cannot be decoded: it names them.
    """
    height, width = get_height_and_width(size)
    description = repr([_METHOD, height, width, n_channels, [file.digest for file in files]])
    content = hashlib.blake2b(description.encode(), digest_size=10).hexdigest()
    path = folder.absolute() / f"{content}.npy"
    shape = (len(files), n_channels, height, width)
    if not is_stored(str(path)):
        decode = partial(_decode_files, tuple(files), size, shape)
        digests = frozenset(file.digest for file in files)
        keep_in_memory(str(path), decode if digests <= _decoded_digests else decode())
        _decoded_digests.update(digests)
    return ArrayInput(content=content, shape=shape, dtype="uint8", path=str(path))


def _decode_files(files: Sequence[ImageFile], size: ImageSize, shape: tuple[int, ...]) -> npt.NDArray[np.uint8]:
    """Return images as uint8 of a shape, (images, channels, height, width); InputError names those that cannot be."""
    images = np.empty(shape, dtype=np.uint8)
    digests = {file.path: file.digest for file in files}

    def read(path: Path) -> npt.NDArray[np.uint8]:
        return _read_pixels(path, size, shape[1], digests[path])

    for row, pixels in enumerate(_read_all(read, [file.path for file in files])):
        images[row] = pixels
    return images


def list_image_files(files: Sequence[ImageFile]) -> Array:
    """Return the path and the digest of each file as text, (images, 2): what ``decode_images`` reads them by."""
    return np.array([[str(file.path.absolute()), file.digest] for file in files], dtype=np.str_)


def decode_images(
    files: Array, size: ImageSize, mean: Sequence[float], std: Sequence[float]
) -> npt.NDArray[np.float32]:
    """Read images at any size as torchvision's ``Resize``, ``CenterCrop``, ``ToTensor`` and ``Normalize`` do.

    A teacher that sees larger images than its student reads them batch by batch: the rows of ``Part.files`` are in the
    order of the data, so ``decode_images(files[rows], ...)`` are the images of these rows.

    Parameters
    ----------
    files : path and digest of each image, (images, 2), from ``list_image_files``.
    size : as for ``shrink_image``.
    mean, std : what is subtracted from each channel after its pixels were scaled to 0..1, and what it is divided by:
        three numbers for RGB, one for grayscale.

    Returns
    -------
    images : (images, channels, height, width).

    Raises
    ------
    ValueError
        If a file is missing or has changed since it was looked at.
    """
    n_channels = len(mean)
    height, width = get_height_and_width(size)
    images = np.empty((len(files), n_channels, height, width), dtype=np.float32)
    with ThreadPoolExecutor(count_cores()) as pool:
        pixels_by_row = pool.map(lambda file: _read_pixels(Path(file[0]), size, n_channels, file[1]), files.tolist())
        for row, pixels in enumerate(pixels_by_row):
            images[row] = pixels
    images /= np.float32(255)
    images -= np.asarray(mean, dtype=np.float32)[:, None, None]
    images /= np.asarray(std, dtype=np.float32)[:, None, None]
    return images


def _read_pixels(path: Path, size: ImageSize, n_channels: int, digest: str | None) -> npt.NDArray[np.uint8]:
    """Return the pixels of an image, (channels, height, width)."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise ValueError(f"{path} does not exist any more; run the same command again where it is") from None
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror or error}") from None
    if digest is not None and _hash_content(content) != digest:
        raise ValueError(f"{path} has changed since the sweep was checked; run the same command again")
    try:
        with Image.open(BytesIO(content)) as image:
            pixels = np.asarray(shrink_image(convert_mode(image, n_channels), size))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise ValueError(describe_unreadable_image(path, error)) from None
    return pixels[None] if pixels.ndim == 2 else np.moveaxis(pixels, -1, 0)


def convert_mode(image: Image.Image, n_channels: int) -> Image.Image:
    """Return an image in grayscale or RGB; transparency is dropped, and the camera's rotation not applied."""
    if image.mode == "P" and "transparency" in image.info:
        image = image.convert("RGBA")  # PIL warns where the palette's transparency would be lost on the way.
    return image.convert("L" if n_channels == 1 else "RGB")


def shrink_image(image: Image.Image, size: ImageSize) -> Image.Image:
    """Scale an image and cut out its centre, as torchvision's ``Resize(size)`` and ``CenterCrop(size)`` do.

    Parameters
    ----------
    image : any image.
    size : the side of the square that comes out, or height and width. The image is scaled, bilinearly over all pixels
        that fall into one, until it just covers them.
    """
    height, width = get_height_and_width(size)
    if image.width * height <= image.height * width:
        scaled_size = (width, max(height, int(width * image.height / image.width)))
    else:
        scaled_size = (max(width, int(height * image.width / image.height)), height)
    scaled = image if image.size == scaled_size else image.resize(scaled_size, Image.Resampling.BILINEAR)
    top, left = round((scaled.height - height) / 2), round((scaled.width - width) / 2)
    return scaled.crop((left, top, left + width, top + height))


def get_height_and_width(size: ImageSize) -> tuple[int, int]:
    """Return height and width of images of a size."""
    return (size, size) if isinstance(size, int) else size


def _hash_content(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=10).hexdigest()
