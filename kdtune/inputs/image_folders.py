"""Folders of images in torchvision's layout: one folder for each class."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from kdtune.inputs.arrays import store_array
from kdtune.inputs.assemble import RawPart, assemble_data
from kdtune.inputs.errors import InputError
from kdtune.inputs.given_data import GivenData, PartName
from kdtune.inputs.images import IMAGE_ENDINGS, ImageFile, ImageSize, inspect_images, list_image_files, store_images
from kdtune.text import join_names, pluralize


def read_image_folder(
    folders: Mapping[PartName, Path],
    size: ImageSize,
    *,
    folder: Path,
    names: Mapping[PartName, str],
    notes: list[str],
) -> GivenData:
    """Read folders of images, ``train/cat/1.png``, as a data set of uint8, (examples, channels, height, width).

    Classes are the names of the folders in ascending order. As torchvision does it, examples stand in this order:
    class by class, folder by folder, by name. Where all images of all parts are grayscale, they have one channel,
    otherwise three. The paths of the files are kept beside the data, as ``Part.files``.

    Parameters
    ----------
    folders : the folder of each part: ``all``, or ``train`` and ``test``, perhaps ``val``.
    size : side of the images, or height and width: see ``images.shrink_image``.
    folder : the folder ``inputs`` of the results.
    names : the setting that holds each folder, for messages.
    notes : sentences about what was left out or assumed are appended to it.

    Raises
    ------
    InputError
        If a folder does not exist or has fewer than two classes, a class has no image or only some for validation or
        test, or an image cannot be read.
    """
    files: dict[PartName, list[ImageFile]] = {}
    labels: dict[PartName, list[str]] = {}
    # Images of all parts that cannot be read are named at once, since a look at all of them takes long.
    problems: dict[str, str] = {}
    for name, part_folder in folders.items():
        try:
            paths, labels[name] = list_labelled_images(part_folder, notes)
        except InputError as error:
            raise InputError(str(error), names[name]) from None
        try:
            files[name] = inspect_images(paths)
        except InputError as error:
            problems[names[name]] = str(error)
    _raise_problems(problems)
    _check_classes(labels, names, notes)
    n_channels = 1 if all(file.is_gray for part_files in files.values() for file in part_files) else 3
    raw_parts: dict[PartName, RawPart] = {}
    for name, part_files in files.items():
        try:
            x = store_images(part_files, size, n_channels, folder)
        except InputError as error:
            problems[names[name]] = str(error)
            continue
        y = store_array(np.array(labels[name], dtype=np.str_), folder)
        raw_parts[name] = RawPart(x, y, names[name], names[name])
    _raise_problems(problems)
    n_gray = sum(file.is_gray for part_files in files.values() for file in part_files)
    if n_gray and n_channels == 3:
        notes.append(f"{pluralize(n_gray, 'image')} in grayscale became RGB like the others.")
    given = assemble_data(raw_parts, folder)
    parts = {
        name: part.model_copy(update={"files": store_array(list_image_files(files[name]), folder)})
        for name, part in given.parts.items()
    }
    return given.model_copy(update={"parts": parts})


def _raise_problems(problems: Mapping[str, str]) -> None:
    """Raise an InputError for the problems of all settings, at the first of these."""
    if problems:
        raise InputError("; ".join(problems.values()), next(iter(problems)))


def list_labelled_images(folder: Path, notes: list[str]) -> tuple[list[Path], list[str]]:
    """List the images below a folder and the class of each, in torchvision's order.

    Raises
    ------
    InputError
        If there is no such folder, it has fewer than two classes, or one of them has no image.
    """
    if not folder.is_dir():
        raise InputError(f"{folder} is no folder" if folder.exists() else f"{folder} does not exist")
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        raise InputError(f"{folder} cannot be read: {error.strerror or error}") from None
    class_folders = [entry for entry in entries if entry.is_dir() and not entry.name.startswith(".")]
    loose_images = [entry for entry in entries if entry.is_file() and _is_image(entry.name)]
    if len(class_folders) < 2:
        problem = f"has the folder {class_folders[0].name} only" if class_folders else "has no folders"
        raise InputError(f"{folder} {problem}; images belong in one folder for each class, at least two")
    if loose_images:
        images = pluralize(len(loose_images), "image")
        notes.append(f"{images} in {folder} outside the classes' folders {_was(len(loose_images))} left out.")
    paths: list[Path] = []
    labels: list[str] = []
    n_others = 0
    for class_folder in class_folders:
        class_paths, n_class_others = _list_images_below(class_folder)
        if not class_paths:
            raise InputError(
                f"{class_folder} has no images ({', '.join(IMAGE_ENDINGS)}); add some or remove the folder"
            )
        paths += class_paths
        labels += [class_folder.name] * len(class_paths)
        n_others += n_class_others
    if n_others:
        files = pluralize(n_others, "file")
        notes.append(
            f"{files} in {folder} {_was(n_others)} left out, since the name does not end as that of an image does "
            f"({', '.join(IMAGE_ENDINGS)})."
        )
    return paths, labels


def _was(count: int) -> str:
    return "was" if count == 1 else "were"


def _list_images_below(class_folder: Path) -> tuple[list[Path], int]:
    """Return the images at any depth below a folder, and how many other files there are; hidden ones do not count."""
    paths: list[Path] = []
    n_others = 0
    for parent, file_names in sorted(_walk_once(class_folder)):
        is_hidden = any(name.startswith(".") for name in Path(parent).relative_to(class_folder).parts)
        visible_names = [] if is_hidden else [name for name in sorted(file_names) if not name.startswith(".")]
        image_names = [name for name in visible_names if _is_image(name)]
        paths += [Path(parent) / name for name in image_names]
        n_others += len(visible_names) - len(image_names)
    return paths, n_others


def _walk_once(folder: Path) -> Iterator[tuple[str, list[str]]]:
    """Yield each folder below a folder, and the names of its files. Links are followed, each folder is visited once."""
    seen_folders: set[str] = set()
    for parent, folder_names, file_names in os.walk(folder, followlinks=True):
        real_path = os.path.realpath(parent)
        if real_path in seen_folders:
            folder_names.clear()
            continue
        seen_folders.add(real_path)
        yield parent, file_names


def _is_image(name: str) -> bool:
    return name.lower().endswith(IMAGE_ENDINGS)


def _check_classes(labels: Mapping[PartName, list[str]], names: Mapping[PartName, str], notes: list[str]) -> None:
    """Raise InputError if a class has no training images; note one that has no others."""
    if "train" not in labels:
        return
    train_classes = sorted(set(labels["train"]))
    for name, part_labels in labels.items():
        unknown_classes = sorted(set(part_labels) - set(train_classes))
        if unknown_classes:
            raise InputError(
                f"has the class {unknown_classes[0]!r}, which {names['train']} has not: add images of it there, or "
                f"rename or remove its folder; the classes of {names['train']} are "
                f"{join_names(train_classes, max_names=10)}",
                names[name],
            )
        unused_classes = sorted(set(train_classes) - set(part_labels))
        if unused_classes:
            notes.append(f"{names[name]} has no images of {join_names(unused_classes, max_names=10)}.")
