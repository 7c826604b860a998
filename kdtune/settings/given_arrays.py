"""The settings of data that users bring as arrays."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from kdtune.inputs.array_sets import ARCHIVE_ENDINGS, read_archive_parts, read_array_parts
from kdtune.inputs.assemble import assemble_data
from kdtune.inputs.errors import InputError
from kdtune.inputs.given_data import GivenData, PartName
from kdtune.inputs.reader import InputReader
from kdtune.inputs.scale_notes import note_forms
from kdtune.settings.base import EXCLUDE_FROM_HASH, Settings, WholeNumber, exclude_from_hash_while
from kdtune.settings.given import GivenDataset, Scale, name_after_path

ARRAY_NAMES = frozenset({"x", "train"})  # A block of data that names one of them holds arrays.


class SplitFiles(Settings):
    """The files of one split: its examples, and their labels where there are any."""

    x: str
    """The file of the examples."""
    y: str | None = None
    """The file of the labels."""


class Arrays(GivenDataset):
    """Arrays in files: ``.npy``, ``.npz`` or ``.safetensors``, one for each split or one set that is split here."""

    kind: Literal["arrays"] = Field("arrays", json_schema_extra=EXCLUDE_FROM_HASH)
    """Arrays in files `.npy`, `.npz` or `.safetensors`; may be left out beside `x` or `train`."""
    file: str | None = Field(None, json_schema_extra=EXCLUDE_FROM_HASH)
    """One `.npz` or `.safetensors` file that holds all arrays: x_train, y_train, x_test, y_test (and x_val, y_val), or
    x and y."""
    x: str | None = Field(None, json_schema_extra=EXCLUDE_FROM_HASH)
    """The file of the examples of one set, which is split here."""
    y: str | None = Field(None, json_schema_extra=EXCLUDE_FROM_HASH)
    """The file of the labels of one set."""
    train: SplitFiles | None = Field(None, json_schema_extra=EXCLUDE_FROM_HASH)
    """The files of the training split."""
    val: SplitFiles | None = Field(None, json_schema_extra=EXCLUDE_FROM_HASH)
    """The files of the validation split; without them it is cut from the training split."""
    test: SplitFiles | None = Field(None, json_schema_extra=EXCLUDE_FROM_HASH)
    """The files of the test split."""
    scale: Scale | None = None
    """None takes values as they are; a number divides by it; `standard` gives each feature mean 0 and variance 1 over
    the training examples."""
    jitter: Annotated[WholeNumber, Field(ge=0)] = Field(0, json_schema_extra=exclude_from_hash_while(0))
    """The largest shift of a training image in pixels, drawn anew in each epoch."""

    def read(self, reader: InputReader) -> GivenData:
        """Look at the files."""
        paths = self._list_paths()
        key = ("arrays", self.file, tuple(paths.items()), self.n_classes or None)
        given = reader.read_once(key, lambda: self._read(reader, paths))
        reader.add_notes(note_forms(given, is_scaled=self.scale is not None))
        return given

    def get_default_name(self) -> str:
        """Return a name after the file of the examples."""
        return name_after_path(self.file or self.x or (self.train.x if self.train else ""))

    def _list_paths(self) -> dict[PartName, tuple[str, str | None]]:
        """Return the paths of examples and labels by part, none if there is one file; the forms exclude each other."""
        splits = {"train": self.train, "val": self.val, "test": self.test}
        written = [name for name in ("file", "x") if getattr(self, name) is not None]
        if any(splits.values()):
            written.append("train and test")
        if len(written) != 1:
            forms = "either x and y, or train and test (and val), each with x and y, or one file"
            problem = f"has {' and '.join(written)}; give" if written else "names no data; give"
            raise InputError(f"{problem} {forms}")
        if self.file is not None:
            if Path(self.file).suffix not in ARCHIVE_ENDINGS:
                raise InputError(f"{self.file} is no .npz or .safetensors file; give .npy files as x and y", "file")
            return {}
        if self.x is not None:
            if self.y is None:
                raise InputError("is missing: the label of each example", "y")
            return {"all": (self.x, self.y)}
        for name in ("train", "test"):
            if splits[name] is None:
                raise InputError("is missing; of one set that is to be split, give x and y instead", name)
        return {name: (split.x, split.y) for name, split in splits.items() if split is not None}  # type: ignore[misc]

    def _read(self, reader: InputReader, paths: Mapping[PartName, tuple[str, str | None]]) -> GivenData:
        if self.file is not None:
            raw_parts = read_archive_parts(reader.locate(self.file, "file"), reader.inputs_folder)
        else:
            raw_parts = read_array_parts(paths, reader.locate, reader.inputs_folder)
        return assemble_data(raw_parts, reader.inputs_folder, self.n_classes or None)


def insert_kind(value: Any) -> Any:
    """Return a block of data that names arrays but no kind with ``kind: arrays``."""
    if isinstance(value, dict) and "kind" not in value and not ARRAY_NAMES.isdisjoint(value):
        return {"kind": "arrays", **value}
    return value
