"""The settings of data that users bring as folders of images."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from kdtune.inputs.given_data import GivenData, PartName
from kdtune.inputs.image_folders import read_image_folder
from kdtune.inputs.reader import InputReader
from kdtune.settings.base import EXCLUDE_FROM_HASH, WholeNumber, exclude_from_hash_while
from kdtune.settings.given import GivenDataset, Scale, name_after_path

Side = Annotated[WholeNumber, Field(ge=1, le=10_000)]


class ImageFolder(GivenDataset):
    """Folders of images in torchvision's layout, ``train/cat/1.png``: one folder for each class.

    Images are shrunk so that the shorter side has ``size`` pixels and cut to a square, as torchvision's ``Resize`` and
    ``CenterCrop`` do.
    """

    kind: Literal["image_folder"] = Field(json_schema_extra=EXCLUDE_FROM_HASH)
    """Images in folders, one for each class, as torchvision's `ImageFolder` reads them."""
    folder: str | None = Field(None, json_schema_extra=EXCLUDE_FROM_HASH)
    """The folder of one set, which is split here."""
    train: str | None = Field(None, json_schema_extra=EXCLUDE_FROM_HASH)
    """The folder of the training split."""
    val: str | None = Field(None, json_schema_extra=EXCLUDE_FROM_HASH)
    """The folder of the validation split; without it, it is cut from the training split."""
    test: str | None = Field(None, json_schema_extra=EXCLUDE_FROM_HASH)
    """The folder of the test split."""
    size: Side | Annotated[list[Side], Field(min_length=2, max_length=2)]
    """The side in pixels: the shorter side is scaled to it, and a square is cut out of the middle; or `[height,
    width]`."""
    scale: Scale | None = 255.0
    """The number by which pixels are divided, or `standard`; none takes them as they are."""
    jitter: Annotated[WholeNumber, Field(ge=0)] = Field(0, json_schema_extra=exclude_from_hash_while(0))
    """The largest shift of a training image in pixels, drawn anew in each epoch."""

    def to_columns(self) -> dict[str, Any]:
        """Return the settings that are hashed; height and width as text, so that rows can be grouped by them."""
        columns = super().to_columns()
        if isinstance(self.size, list):
            columns["size"] = " x ".join(map(str, self.size))
        return columns

    def read(self, reader: InputReader) -> GivenData:
        """Read the images, or find them read."""
        folders = self.list_part_paths("folder", self.folder, self.train, self.val, self.test)
        key = ("image_folder", tuple(folders.items()), str(self.size))
        return reader.read_once(key, lambda: self._read(reader, folders))

    def get_default_name(self) -> str:
        """Return a name after the folder."""
        return name_after_path(self.folder or self.train or "")

    def _read(self, reader: InputReader, folders: dict[PartName, str]) -> GivenData:
        names: dict[PartName, str] = {part: "folder" if part == "all" else part for part in folders}
        paths = {part: reader.locate(path, names[part]) for part, path in folders.items()}
        size = (self.size[0], self.size[1]) if isinstance(self.size, list) else self.size
        return read_image_folder(paths, size, folder=reader.inputs_folder, names=names, notes=reader.notes)
