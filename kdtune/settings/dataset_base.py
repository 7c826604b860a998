"""What the settings of all kinds of data sets share."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from kdtune.inputs.given_data import PartName
from kdtune.settings.base import Settings

# Settings of data whose column has another name, and `root`, which has none: the place of files is no part of the data.
_SETTINGS_WITHOUT_COLUMN = {"kind", "name", "root", "test_size", "val_size"}


class DatasetSettings(Settings):
    """What all kinds of data sets share."""

    @property
    def dataset_name(self) -> str:
        """The name of the data set in the table: its own, or else its kind."""
        name: str = getattr(self, "name", None) or self.kind  # type: ignore[attr-defined]
        return name

    @property
    def input_shape(self) -> tuple[int, ...]:
        """(channels, height, width) of images, (features,) of other data."""
        return self.image or (self.n_features,)  # type: ignore[attr-defined]

    @property
    def has_training_labels(self) -> bool:
        """Whether training examples have labels."""
        return True

    @property
    def is_redrawn(self) -> bool:
        """Whether draws of the data differ."""
        return True

    @property
    def is_read_from_file(self) -> bool:
        """Whether examples are read from their file when they are needed."""
        return False

    @property
    def is_test_drawn(self) -> bool:
        """Whether the test split is drawn from one set of examples together with the others."""
        return False

    def list_part_sizes(self) -> dict[PartName, int]:
        """Return the numbers of examples of the parts that given outputs may belong to; none of generated data."""
        return {}

    def read_part_labels(self, part: PartName) -> npt.NDArray[np.int64] | None:
        """Return the labels of a part, from 0, in the order of its rows; None if it has none."""
        raise NotImplementedError

    @classmethod
    def list_columns(cls) -> set[str]:
        """Return the names of the settings that are columns of the table, but for those that all data sets have."""
        return set(cls.model_fields) - _SETTINGS_WITHOUT_COLUMN

    def to_columns(self) -> dict[str, Any]:
        """Return the values for the table's columns of ``list_columns``."""
        return self.model_dump(include=self.list_columns())
