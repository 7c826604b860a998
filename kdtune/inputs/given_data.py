"""A data set that the user brings, as it is known after its files were looked at: sizes, classes and content."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from kdtune.inputs.arrays import ArrayInput
from kdtune.inputs.frames import FrameInput

PartName = Literal["all", "train", "val", "test"]
ClassName = int | str


class Part(BaseModel):
    """Examples that the user brings together: a split, or a whole set that kdtune splits.

    Attributes
    ----------
    x : the examples, one for each row: an array, or columns of a table.
    y : the class of each, as the user writes it; None where labels are missing.
    class_counts : the number of examples of each class, in the order of ``GivenData.classes``; empty without labels.
    files : of images, path and hash of each file, (examples, 2), for ``images.decode_images``; None for other data.
    """

    model_config = ConfigDict(frozen=True)

    x: ArrayInput | FrameInput
    y: ArrayInput | None
    class_counts: tuple[int, ...] = ()
    files: ArrayInput | None = None

    @property
    def n_examples(self) -> int:
        """The number of examples."""
        return self.x.n_examples


class GivenData(BaseModel):
    """The parts of a data set: either ``all``, which kdtune splits, or ``train`` and ``test``, perhaps ``val``.

    Attributes
    ----------
    parts : the parts by name.
    classes : the label of each class as the user writes it: class 0 of kdtune is the first.
    input_shape : (features,), or the shape of one example of an array, as in (channels, height, width).
    content : hash of all values, whatever files they lie in.
    class_names : what the user calls each class, where that is given beside labels of whole numbers; otherwise empty.
    """

    model_config = ConfigDict(frozen=True)

    parts: dict[PartName, Part]
    classes: tuple[ClassName, ...]
    input_shape: tuple[int, ...]
    content: str
    class_names: tuple[str, ...] = ()

    @property
    def is_split(self) -> bool:
        """Whether the user brings test data of their own."""
        return "test" in self.parts

    def list_stored_paths(self) -> list[str]:
        """List the paths of the inputs that the sweep writes before it trains."""
        inputs = [item for part in self.parts.values() for item in (part.x, part.y, part.files) if item is not None]
        return [item.path for item in inputs if item.modified_ns is None]

    def move_to(self, folder: Path) -> GivenData:
        """Return the same data with its stored inputs in another folder: that of results that were moved."""
        parts = {}
        for name, part in self.parts.items():
            moved = {
                field: item.model_copy(update={"path": str(folder / Path(item.path).name)})
                for field in ("x", "y", "files")
                if (item := getattr(part, field)) is not None and item.modified_ns is None
            }
            parts[name] = part.model_copy(update=moved)
        return self.model_copy(update={"parts": parts})
