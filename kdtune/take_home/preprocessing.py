"""From what a user has to what a network takes: the preprocessing of a sweep's data, as plain numbers and text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from kdtune.data.encoding import FrameEncoder, fit_part_encoder
from kdtune.data.given import choose_scaling
from kdtune.data.mapped_examples import Scaling
from kdtune.data.splits import Data
from kdtune.inputs.arrays import open_array
from kdtune.inputs.frames import FrameInput, open_frame
from kdtune.number_styles import NumberStyle
from kdtune.settings import Dataset, Digits, GivenDataset, MakeClassification, Torchvision
from kdtune.settings.given_images import ImageFolder

BATCH = 1024  # examples that are prepared at once
DIGITS_SCALE, PIXEL_SCALE = 16.0, 255.0  # of ``data.digits`` and ``data.torchvision_images``


@dataclass(frozen=True)
class ArrayPreprocessing:
    """Examples as arrays: (value - mean) / scale.

    Attributes
    ----------
    shape : shape of one example.
    dtype : the type in which an exported graph takes examples: ``uint8``, ``float32``, or ``float64``.
    scaling : what is subtracted, and what is divided by.
    is_image : whether a file of an image may be given too.
    """

    shape: tuple[int, ...]
    dtype: str
    scaling: Scaling
    is_image: bool = False

    def to_json(self) -> dict[str, Any]:
        """Return it as what JSON can hold."""
        mean, scale = self.scaling.mean, self.scaling.scale
        return {
            "kind": "array",
            "shape": list(self.shape),
            "dtype": self.dtype,
            "mean": mean if isinstance(mean, float) else mean.tolist(),
            "scale": scale if isinstance(scale, float) else scale.tolist(),
        }


@dataclass(frozen=True)
class TablePreprocessing:
    """Rows of a table: columns, and how they become features.

    Attributes
    ----------
    shape : (features,), as the network sees them.
    columns : the columns in the order of the user's table.
    encoder : how they become features.
    styles : how numbers are written in columns where they are text in the user's table.
    """

    shape: tuple[int, ...]
    columns: tuple[str, ...]
    encoder: FrameEncoder
    styles: Mapping[str, NumberStyle] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return it as what JSON can hold."""
        document = {"kind": "table", "shape": list(self.shape), "columns": list(self.columns), **self.encoder.to_json()}
        return document | {"styles": {name: list(style) for name, style in self.styles.items()}}


Preprocessing = ArrayPreprocessing | TablePreprocessing


def find_preprocessing(settings: Dataset, data: Data) -> Preprocessing:
    """Return what was done to a user's examples before networks saw them, fitted on the training split as then.

    Parameters
    ----------
    settings, data : a data set and one draw of it.
    """
    match settings:
        case Digits():
            return ArrayPreprocessing(settings.input_shape, "float32", Scaling(scale=DIGITS_SCALE))
        case Torchvision():
            return ArrayPreprocessing(settings.input_shape, "uint8", Scaling(scale=PIXEL_SCALE), is_image=True)
        case GivenDataset():
            return _find_given_preprocessing(settings, data)
        case MakeClassification():
            # Nobody has such data but kdtune, whose features are standardised already.
            return ArrayPreprocessing(settings.input_shape, "float32", Scaling())


def _find_given_preprocessing(settings: GivenDataset, data: Data) -> Preprocessing:
    assert data.rows is not None, "given data have rows"
    parts, train_rows = settings.given.parts, data.rows["train"]
    x = parts[train_rows.part].x
    if isinstance(x, FrameInput):
        columns = tuple(map(str, open_frame(x).columns))
        return TablePreprocessing(settings.input_shape, columns, fit_part_encoder(parts, train_rows), x.styles)
    scaling = choose_scaling(settings, open_array(x), train_rows)
    dtype = "uint8" if x.dtype == "uint8" else "float32"
    if x.dtype == "float64" and not isinstance(scaling.mean, float):
        dtype = "float64"  # Before the mean is subtracted, float32 may lose digits that matter afterwards.
    return ArrayPreprocessing(settings.input_shape, dtype, scaling, isinstance(settings, ImageFolder))


def iterate_user_examples(
    settings: Dataset, data: Data, split: str, preprocessing: Preprocessing
) -> Iterator[npt.NDArray[Any] | pd.DataFrame]:
    """Yield successive examples of a split as the user has them: (examples, *shape) arrays, or rows of the table."""
    n_examples = len(getattr(data, f"y_{split}"))
    for start in range(0, n_examples, BATCH):
        stop = min(start + BATCH, n_examples)
        if isinstance(settings, GivenDataset):
            assert data.rows is not None
            rows = data.rows[split]
            x = settings.given.parts[rows.part].x
            if isinstance(x, FrameInput):
                yield open_frame(x).iloc[rows.indices[start:stop]]
            else:
                yield np.asarray(open_array(x)[rows.indices[start:stop]])
        else:
            assert isinstance(preprocessing, ArrayPreprocessing)
            features = getattr(data, f"x_{split}")[start:stop] * np.float32(preprocessing.scaling.scale)
            whole = np.rint(features) if preprocessing.dtype == "uint8" else features
            yield whole.reshape(-1, *preprocessing.shape).astype(preprocessing.dtype)
