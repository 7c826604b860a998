"""The settings of data that users bring: arrays, tables, folders of images, and whatever a factory returns.

They are looked at when the settings are validated (see ``kdtune.inputs``). A data set enters the ids by its content:
where it lies, and in which form, changes no id.
"""

from __future__ import annotations

import math
import re
from abc import abstractmethod
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field, PrivateAttr, ValidationInfo, model_validator

from kdtune.inputs.arrays import ArrayInput, open_array
from kdtune.inputs.errors import InputError
from kdtune.inputs.given_data import GivenData, PartName
from kdtune.inputs.reader import InputReader
from kdtune.inputs.scale_notes import note_label_order
from kdtune.settings.base import (
    EXCLUDE_FROM_HASH,
    SplitSize,
    WholeNumber,
    count_split_examples,
    make_rule_error,
)
from kdtune.settings.data import check_jitter
from kdtune.settings.dataset_base import DatasetSettings

# Arrays of more bytes as float32 stay in their file: training then reads each batch from there.
MAX_LOADED_BYTES = 1 << 30
N_IMAGE_DIMENSIONS = 3  # channels, height, width
# None takes the values as they are, a number divides by it, ``standard`` gives each feature mean 0 and variance 1 over
# the training examples.
Scale = Literal["standard"] | Annotated[float, Field(gt=0)]
# Names that say nothing about which data set a file holds.
_STORED_NAME = re.compile(r"[0-9a-f]{20}")
_PLAIN_NAMES = {"x", "xtrain", "trainx", "train", "training", "features", "data", "dataset", "all"}


def get_reader(info: ValidationInfo) -> InputReader:
    """Return the reader that the caller gave pydantic as "reader", or a new one."""
    reader: InputReader | None = (info.context or {}).get("reader")
    return InputReader() if reader is None else reader


class GivenDataset(DatasetSettings):
    """Data that the user brings: what all kinds of them share.

    A set without test data is split here, stratified by class: ``test_size`` of all examples, then ``val_size`` of
    the rest, 20 % and 10 % by default. Where test data are given, only the validation split is drawn, and where
    validation data are given too, nothing is.
    """

    kind: str = Field(json_schema_extra=EXCLUDE_FROM_HASH)
    name: str | None = Field(None, min_length=1, max_length=100, json_schema_extra=EXCLUDE_FROM_HASH)
    """What the data set is called in tables, in place of the name of its file or function."""
    test_size: SplitSize | None = None
    """The size of the test split, where one set is split here: a fraction (0.2 by default), or a number of examples."""
    val_size: SplitSize | None = None
    """The size of the validation split, where none is given: a fraction of the rest (0.1 by default), or a number of
    examples."""
    # 0 until the data were looked at. Not hashed, since the content of the data tells the classes.
    n_classes: Annotated[WholeNumber, Field(ge=2, le=10**6)] = Field(0, json_schema_extra=EXCLUDE_FROM_HASH)
    """The number of classes, where labels are 0 to `n_classes` - 1 even if some class has no example. By default the
    classes are those that occur."""
    _given: GivenData = PrivateAttr()

    @abstractmethod
    def read(self, reader: InputReader) -> GivenData:
        """Look at the data, and return what they are; InputError says what is wrong with them."""

    @abstractmethod
    def get_default_name(self) -> str:
        """Return what the data set is called if the user gives it no name."""

    @staticmethod
    def list_part_paths(
        setting: str, whole: str | None, train: str | None, val: str | None, test: str | None
    ) -> dict[PartName, str]:
        """Return the path of each part: that of a whole set which is split here, or those of its splits.

        Parameters
        ----------
        setting : The setting that holds the path of a whole set.
        whole, train, val, test : The paths as the user writes them; None where there is none.

        Raises
        ------
        InputError
            If both forms are given, or neither is whole.
        """
        splits: dict[PartName, str | None] = {"train": train, "val": val, "test": test}
        paths = {name: path for name, path in splits.items() if path is not None}
        if whole is not None and paths:
            raise InputError("goes without train, val and test; give one whole set, or one path a split", setting)
        if whole is not None:
            return {"all": whole}
        for name in ("train", "test"):
            if name not in paths:
                remedy = f"give train: and test:, or {setting}: with one set that is split here"
                raise InputError(f"is missing; {remedy}", name if paths else setting)
        return paths

    @property
    def given(self) -> GivenData:
        """The data as they were when they were looked at."""
        return self._given

    @property
    def dataset_name(self) -> str:
        """The name of the data set in the table."""
        return self.name or self.get_default_name()

    @property
    def input_shape(self) -> tuple[int, ...]:
        """(features,), or the shape of one example of an array."""
        return self._given.input_shape

    @property
    def image(self) -> tuple[int, int, int] | None:
        """Channels, height and width of images; None for other data."""
        shape = self._given.input_shape
        return (shape[0], shape[1], shape[2]) if len(shape) == N_IMAGE_DIMENSIONS else None

    @property
    def n_features(self) -> int:
        """The number of values in one example."""
        return math.prod(self._given.input_shape)

    @property
    def is_read_from_file(self) -> bool:
        """Whether examples are read from their file when they are needed, since all would fill the memory."""
        parts = self._given.parts.values()
        is_array = all(isinstance(part.x, ArrayInput) for part in parts)
        return is_array and 4 * self.n_features * sum(part.n_examples for part in parts) > MAX_LOADED_BYTES

    @property
    def n_train(self) -> int:
        """The number of training examples."""
        parts = self._given.parts
        if "all" in parts:
            return parts["all"].n_examples - int(self.test_size or 0) - int(self.val_size or 0)
        return parts["train"].n_examples - (0 if "val" in parts else int(self.val_size or 0))

    @property
    def has_training_labels(self) -> bool:
        """Whether training examples have labels; students learn from the teacher alone where they have none."""
        return (self._given.parts.get("all") or self._given.parts["train"]).y is not None

    @property
    def is_redrawn(self) -> bool:
        """Whether draws of the data differ: they do not where all three splits are given."""
        return "val" not in self._given.parts

    @property
    def is_test_drawn(self) -> bool:
        """Whether the test split is drawn from one set of examples together with the others."""
        return not self._given.is_split

    def list_part_sizes(self) -> dict[PartName, int]:
        """Return the number of examples of each part."""
        return {name: part.n_examples for name, part in self._given.parts.items()}

    def read_part_labels(self, part: PartName) -> npt.NDArray[np.int64] | None:
        """Return the labels of a part in the order of its rows; None if it has none."""
        labels = self._given.parts[part].y
        return None if labels is None else np.asarray(open_array(labels), np.int64)

    def count_examples_of_class(self, label: int) -> int:
        """Count the examples of a class in the part that the training split is drawn from."""
        part = self._given.parts.get("all") or self._given.parts["train"]
        return part.class_counts[label] if part.class_counts else part.n_examples

    @classmethod
    def list_columns(cls) -> set[str]:
        """Return the names of the settings that are hashed: places of files are no part of the data."""
        hidden = {name for name, field in cls.model_fields.items() if field.json_schema_extra == EXCLUDE_FROM_HASH}
        return super().list_columns() - hidden

    def list_file_hashes(self) -> dict[str, Any]:
        """Return what stands for the data in the ids: their content, whatever the kind of the block."""
        return {"kind": "given", "content": self._given.content}

    def list_stored_paths(self) -> list[str]:
        """Return the paths of examples and labels that a sweep writes before it trains."""
        return self._given.list_stored_paths()

    @model_validator(mode="after")
    def _resolve(self, info: ValidationInfo) -> GivenDataset:
        known_data: GivenData | None = (info.context or {}).get("given")
        reader = get_reader(info)
        try:
            self._given = self.read(reader) if known_data is None else known_data
        except InputError as error:
            raise make_rule_error(str(error), error.setting) from None
        reader.add_notes(note_label_order(self._given))
        self.n_classes = len(self._given.classes)
        jitter = getattr(self, "jitter", 0)
        if jitter and self.image is None:
            raise make_rule_error("shifts images, and these examples are none (channels x height x width)", "jitter")
        if jitter and self.image is not None:
            check_jitter(jitter, self.image)
        self._resolve_sizes(is_known=known_data is not None)
        return self

    def _resolve_sizes(self, is_known: bool) -> None:
        """Turn the sizes of the splits into numbers of examples.

        Parameters
        ----------
        is_known : Whether the sizes were resolved before, in the settings that a network was saved with.
        """
        parts = self._given.parts
        for name, size in (("test", self.test_size), ("val", self.val_size)):
            if name in parts and size not in (None, parts[name].n_examples):
                raise make_rule_error(f"goes with data that are split here; {name} data are given", f"{name}_size")
        if self._given.is_split:
            self.test_size = parts["test"].n_examples
            pool = parts["train"]
        else:
            pool = parts["all"]
            self.test_size = count_split_examples("test_size", self.test_size or 0.2, pool.n_examples)
        if "val" in parts:
            self.val_size = parts["val"].n_examples
            return
        if pool.y is None:
            raise make_rule_error("is missing: training examples without labels cannot give a validation split", "val")
        n_pool = pool.n_examples - (0 if self._given.is_split else int(self.test_size))
        self.val_size = count_split_examples("val_size", self.val_size or 0.1, n_pool)
        n_classes = sum(count > 0 for count in pool.class_counts)
        sizes = [self.n_train, self.val_size] + ([] if self._given.is_split else [int(self.test_size)])
        if not is_known and min(sizes) < n_classes:
            raise make_rule_error(
                f"leaves {self.n_train:,} training, {self.val_size:,} validation and {self.test_size:,} test examples "
                f"of {n_classes} classes; each part needs at least one of every class",
                "val_size" if self._given.is_split else "test_size",
            )


def name_after_path(path: str) -> str:
    """Return a name for a data set after its file or folder, or the folder above if its own name says nothing."""
    whole_path = Path(path)
    if _STORED_NAME.fullmatch(whole_path.stem):
        return "data"  # An object from Python, which lies in a file that is named after its content.
    is_plain = whole_path.stem.lower().replace("_", "").replace("-", "") in _PLAIN_NAMES
    return whole_path.parent.name if is_plain and whole_path.parent.name else whole_path.stem
