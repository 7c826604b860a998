"""Folders of images: torchvision's order and pixels, decoded once, and read again at another size."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torchvision import datasets, transforms

from kdtune.errors import StorageError
from kdtune.inputs import image_folders, images, storage
from kdtune.inputs.arrays import ArrayInput, open_array
from kdtune.inputs.errors import InputError
from kdtune.inputs.given_data import GivenData, Part, PartName
from kdtune.inputs.images import decode_images, shrink_image
from kdtune.inputs.storage import write_inputs

RANDOM = np.random.default_rng(3)


def make_image(path: Path, height: int = 20, width: int = 30, mode: str = "RGB") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    channels = {"L": (), "RGB": (3,), "RGBA": (4,)}[mode]
    Image.fromarray(RANDOM.integers(0, 256, (height, width, *channels), dtype=np.uint8), mode).save(path)
    return path


def make_folder(folder: Path, mode: str = "RGB", classes: tuple[str, ...] = ("cat", "dog")) -> Path:
    for number, name in enumerate(classes):
        for row in range(3):
            make_image(folder / name / f"{row}.png", 20 + number, 30 - row, mode)
    return folder


def read(
    folders: Path | Mapping[PartName, Path], size: Any = 8, inputs: Path | None = None, **options: Any
) -> GivenData:
    parts: Mapping[PartName, Path] = {"all": folders} if isinstance(folders, Path) else folders
    root = next(iter(parts.values())).parent
    options.setdefault("notes", [])
    return image_folders.read_image_folder(
        parts, size, folder=inputs or root / "inputs", names={part: part for part in parts}, **options
    )


def get_pixels(part: Part) -> np.ndarray:
    assert isinstance(part.x, ArrayInput)
    return np.asarray(open_array(part.x))


def test_torchvisions_order_pixels_and_labels(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "photos", classes=("dog", "Cat", "10", "9"))
    make_image(folder / "dog" / "more" / "a.PNG")
    make_image(folder / "dog" / "a.bmp")
    data = read(folder, 8)
    reference = datasets.ImageFolder(folder, transforms.Compose([transforms.Resize(8), transforms.CenterCrop(8)]))
    assert data.classes == tuple(reference.classes) == ("10", "9", "Cat", "dog")
    part = data.parts["all"]
    assert part.y is not None
    assert open_array(part.y).tolist() == reference.targets
    expected = np.stack([np.moveaxis(np.asarray(image), -1, 0) for image, _ in reference])
    np.testing.assert_array_equal(get_pixels(part), expected)
    assert data.input_shape == (3, 8, 8)
    assert part.files is not None
    assert open_array(part.files)[:, 0].tolist() == [path for path, _ in reference.samples]


@settings(max_examples=80, deadline=None)
@given(st.integers(1, 60), st.integers(1, 60), st.integers(1, 40), st.sampled_from(["L", "RGB"]))
def test_shrinking_is_torchvisions_to_the_bit(height: int, width: int, size: int, mode: str) -> None:
    shape = (height, width, 3) if mode == "RGB" else (height, width)
    image = Image.fromarray(RANDOM.integers(0, 256, shape, dtype=np.uint8), mode)
    expected = transforms.CenterCrop(size)(transforms.Resize(size)(image))
    np.testing.assert_array_equal(np.asarray(shrink_image(image, size)), np.asarray(expected))


@settings(max_examples=80, deadline=None)
@given(st.integers(1, 60), st.integers(1, 60), st.integers(1, 40), st.integers(1, 40))
def test_any_size_is_covered(height: int, width: int, new_height: int, new_width: int) -> None:
    image = Image.new("L", (width, height), 200)
    pixels = np.asarray(shrink_image(image, (new_height, new_width)))
    assert pixels.shape == (new_height, new_width)
    assert (pixels == 200).all()


def test_reading_at_the_teachers_size(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "photos")
    part = read(folder, 8).parts["all"]
    assert part.files is not None
    mean, std = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
    steps = [transforms.Resize(16), transforms.CenterCrop(16), transforms.ToTensor(), transforms.Normalize(mean, std)]
    reference = datasets.ImageFolder(folder, transforms.Compose(steps))
    rows = np.array([4, 0, 5])
    x = decode_images(np.asarray(open_array(part.files))[rows], 16, mean, std)
    expected = torch.stack([reference[row][0] for row in rows]).numpy()
    assert x.dtype == np.float32
    np.testing.assert_allclose(x, expected, rtol=1e-6, atol=1e-6)
    assert decode_images(np.asarray(open_array(part.files)), (4, 6), [0.5], [1.0]).shape == (6, 1, 4, 6)


def test_changed_and_removed_files_are_named(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "photos")
    part = read(folder).parts["all"]
    assert part.files is not None
    files = np.asarray(open_array(part.files))
    make_image(folder / "cat" / "1.png")
    with pytest.raises(ValueError, match=r"cat/1\.png has changed since the sweep was checked"):
        decode_images(files, 4, [0.5], [1.0])
    (folder / "cat" / "1.png").unlink()
    with pytest.raises(ValueError, match=r"cat/1\.png does not exist any more"):
        decode_images(files, 4, [0.5], [1.0])


def test_a_second_run_decodes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = make_folder(tmp_path / "photos")
    data = read(folder)
    write_inputs(data.list_stored_paths())
    assert all(Path(path).exists() for path in data.list_stored_paths())
    pixels = get_pixels(data.parts["all"])

    def refuse(*_: Any) -> None:
        raise AssertionError("decoded again")

    monkeypatch.setattr(images, "shrink_image", refuse)
    again = read(folder)
    assert again.content == data.content
    np.testing.assert_array_equal(get_pixels(again.parts["all"]), pixels)
    with pytest.raises(AssertionError):
        get_pixels(read(folder, 9).parts["all"])


def test_of_several_sizes_only_the_first_stays_in_memory(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "photos")
    first, second = read(folder), read(folder, 9)
    kept_types = [type(storage._values_by_path[data.parts["all"].x.path]) for data in (first, second)]
    assert kept_types == [np.ndarray, functools.partial]
    assert get_pixels(second.parts["all"]).shape[2:] == (9, 9)
    write_inputs(second.list_stored_paths())
    shrunk = [np.asarray(shrink_image(Image.open(path), 9)) for path in sorted(folder.glob("*/*.png"))]
    np.testing.assert_array_equal(np.load(second.parts["all"].x.path), np.moveaxis(np.stack(shrunk), -1, 1))


def test_an_image_that_changes_before_it_is_written_is_named(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "photos")
    read(folder)
    data = read(folder, 9)
    make_image(folder / "cat" / "1.png")
    with pytest.raises(StorageError, match=r"cat/1\.png has changed since the sweep was checked"):
        write_inputs(data.list_stored_paths())


def test_content_follows_files_and_size_not_places(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "photos")
    content = read(folder).content
    assert read(folder.rename(tmp_path / "moved"), (8, 8)).content == content
    assert read(tmp_path / "moved", 9).content != content
    make_image(tmp_path / "moved" / "dog" / "0.png")
    assert read(tmp_path / "moved").content != content


def test_channels(tmp_path: Path) -> None:
    notes: list[str] = []
    folder = make_folder(tmp_path / "gray", "L")
    assert read(folder, notes=notes).input_shape == (1, 8, 8)
    assert not notes
    make_image(folder / "cat" / "4.png", mode="RGBA")
    assert read(folder, notes=notes).input_shape == (3, 8, 8)
    assert notes == ["6 images in grayscale became RGB like the others."]
    parts: dict[PartName, Path] = {"train": make_folder(tmp_path / "a", "L"), "test": folder}
    assert read(parts).input_shape == (3, 8, 8)


def test_what_is_left_out_is_said(tmp_path: Path) -> None:
    train, test = make_folder(tmp_path / "train"), make_folder(tmp_path / "test")
    make_image(train / "loose.png")
    make_image(train / ".hidden" / "a.png")
    make_image(train / "cat" / ".hidden" / "a.png")
    (train / "cat" / "notes.txt").write_text("x")
    make_folder(train, classes=("emu",))
    notes: list[str] = []
    data = read({"train": train, "test": test}, notes=notes)
    assert data.parts["train"].n_examples == 9
    assert data.parts["test"].class_counts == (3, 3, 0)
    assert notes == [
        f"1 image in {train} outside the classes' folders was left out.",
        f"1 file in {train} was left out, since the name does not end as that of an image does (.jpg, .jpeg, .png, "
        f".ppm, .bmp, .pgm, .tif, .tiff, .webp).",
        "test has no images of emu.",
    ]


def test_refusals(tmp_path: Path) -> None:
    def check(text: str, setting: str, folders: Any) -> None:
        with pytest.raises(InputError, match=re.escape(text)) as caught:
            read(folders)
        assert caught.value.setting == setting

    check("nothing does not exist", "all", tmp_path / "nothing")
    check("a.png is no folder", "all", make_image(tmp_path / "a.png"))
    check("has no folders; images belong in one folder for each class", "all", tmp_path)
    check("one has the folder cat only", "all", make_folder(tmp_path / "one", classes=("cat",)))
    empty = make_folder(tmp_path / "empty")
    (empty / "emu").mkdir()
    check("empty/emu has no images (.jpg", "all", empty)
    train = make_folder(tmp_path / "train")
    more = make_folder(tmp_path / "more", classes=("cat", "dog", "emu"))
    check(
        "has the class 'emu', which train has not: add images of it there, or rename or remove its folder; the classes "
        "of train are cat and dog",
        "test",
        {"train": train, "test": more},
    )
    whole = (train / "dog" / "1.png").read_bytes()
    for content in (b"", b"no image", whole[: len(whole) // 2]):
        (train / "dog" / "1.png").write_bytes(content)
        check("dog/1.png is no image that can be read", "train", {"train": train, "test": train})
    torn = make_folder(tmp_path / "torn")
    for name in ("cat/0.png", "dog/2.png"):
        (torn / name).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=r"train/dog/1.png .*; .*torn/cat/0.png .*; .*torn/dog/2.png"):
        read({"train": train, "test": torn})
    Image.fromarray(np.zeros((4, 4), dtype=np.uint16)).save(train / "dog" / "1.png")
    check("dog/1.png has more than 8 bits for each pixel", "train", {"train": train, "test": train})


def test_a_folder_that_links_to_one_above_it_is_read_once(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "photos")
    (folder / "cat" / "again").symlink_to(folder / "cat")
    assert read(folder).parts["all"].n_examples == 6
