"""Data sets that users bring as arrays: in ``.npy`` files, in one ``.npz`` or ``.safetensors``, or from Python."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from kdtune.files.array_errors import ARRAY_ERRORS
from kdtune.inputs.arrays import Array, ArrayInput, describe_unreadable_array, inspect_npy_file, store_array
from kdtune.inputs.assemble import RawPart
from kdtune.inputs.errors import InputError
from kdtune.inputs.given_data import PartName
from kdtune.text import join_names

PART_NAMES: tuple[PartName, ...] = ("train", "val", "test")
ARCHIVE_ENDINGS = (".npz", ".safetensors")

LocatePath = Callable[[str, str], Path]  # From a path and the setting that holds it to the file.


def read_array_parts(
    part_paths: Mapping[PartName, tuple[str, str | None]], locate: LocatePath, folder: Path
) -> dict[PartName, RawPart]:
    """Look at the files of examples and labels of each part.

    Parameters
    ----------
    part_paths : the paths of examples and labels of each part, as the user writes them; None where labels are missing.
    locate : finds a file.
    folder : the folder ``inputs`` of the results.
    """
    raw_parts = {}
    for name, (x_path, y_path) in part_paths.items():
        prefix = "" if name == "all" else f"{name}."
        x = read_array_file(locate(x_path, f"{prefix}x"), folder, f"{prefix}x")
        y = None if y_path is None else read_array_file(locate(y_path, f"{prefix}y"), folder, f"{prefix}y")
        raw_parts[name] = RawPart(x, y, f"{prefix}x", f"{prefix}y")
    return raw_parts


def read_array_file(path: Path, folder: Path, setting: str, part: PartName = "all") -> ArrayInput:
    """Look at a file that holds one array, or an archive with one whose name has that of the part.

    An ``InputError`` names the setting.
    """
    try:
        if path.suffix in ARCHIVE_ENDINGS:
            arrays = read_archive(path)
            if len(arrays) > 1:
                arrays = {name: values for name, values in arrays.items() if part in name.lower()} or arrays
            if len(arrays) != 1:
                raise InputError(
                    f"{path} holds {len(arrays)} arrays ({join_names(list(arrays), max_names=5)}); one is needed"
                )
            return store_array(next(iter(arrays.values())), folder)
        if path.suffix != ".npy":
            raise InputError(f"{path} is no file of arrays; give .npy, .npz or .safetensors")
        array = inspect_npy_file(path)
    except InputError as error:
        raise InputError(str(error), setting) from None
    # What was sent to the results from another machine lies there under its content, and never changes.
    return array.model_copy(update={"modified_ns": None}) if path.is_relative_to(folder) else array


def read_archive_parts(path: Path, folder: Path) -> dict[PartName, RawPart]:
    """Read a data set from one ``.npz`` or ``.safetensors`` file.

    Its arrays are called ``x_train, y_train, x_test, y_test`` and perhaps ``x_val, y_val``, or ``x, y`` of a set that
    is to be split; ``X`` stands for ``x``, and ``train_x`` for ``x_train``.

    Raises
    ------
    InputError
        If it cannot be read, or its arrays have other names.
    """
    try:
        arrays = {_normalize_name(name): values for name, values in read_archive(path).items()}
    except InputError as error:
        raise InputError(str(error), "file") from None
    names: list[PartName] = [name for name in PART_NAMES if f"x_{name}" in arrays]
    if "x" in arrays and not names:
        names = ["all"]
    if "x" in arrays and names != ["all"]:
        raise InputError(f"{path} holds x and x_{names[0]}; give one whole set, or one array a split", "file")
    missing = [name for name in ("train", "test") if names and names != ["all"] and name not in names]
    if missing:
        raise InputError(f"{path} has no x_{missing[0]}; give it, or x and y of one set that is to be split", "file")
    if not names:
        raise InputError(
            f"{path} holds {join_names(list(arrays), max_names=8)}; x_train, y_train, x_test and y_test are needed, or "
            f"x and y",
            "file",
        )
    raw_parts: dict[PartName, RawPart] = {}
    for name in names:
        ending = "" if name == "all" else f"_{name}"
        y = arrays.get(f"y{ending}")
        try:
            x_input = store_array(arrays[f"x{ending}"], folder)
            y_input = None if y is None else store_array(y, folder)
        except InputError as error:
            raise InputError(f"{path}: x{ending} or y{ending} {error}", "file") from None
        raw_parts[name] = RawPart(x_input, y_input, f"x{ending}", f"y{ending}")
    return raw_parts


def read_archive(path: Path) -> dict[str, Array]:
    """Read all arrays of a ``.npz`` or ``.safetensors`` file.

    Raises
    ------
    InputError
        If it does not exist, is torn, or holds Python objects.
    """
    try:
        if path.suffix == ".safetensors":
            return _read_safetensors(path)
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except FileNotFoundError:
        raise InputError(f"{path} does not exist") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}") from None
    except ARRAY_ERRORS as error:
        raise InputError(describe_unreadable_array(path, error)) from None


def _read_safetensors(path: Path) -> dict[str, Array]:
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    path.open("rb").close()  # safetensors calls each file that cannot be opened a missing one; Python says why not.
    try:
        arrays: dict[str, Array] = load_file(path)
    except SafetensorError:
        raise InputError(f"{path} cannot be read: the file is torn or no safetensors file") from None
    return arrays


def _normalize_name(name: str) -> str:
    """Turn ``X_train``, ``train_x`` and ``X`` into ``x_train``, ``x_train`` and ``x``."""
    lower_name = name.lower()
    for part in PART_NAMES:
        for letter in ("x", "y"):
            if lower_name in (f"{part}_{letter}", f"{letter}_{part}", f"{letter}{part}"):
                return f"{letter}_{part}"
    return lower_name
