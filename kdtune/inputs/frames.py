"""Tables that users bring, as frames that are known by their content."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict

from kdtune.inputs.storage import find_in_memory, keep_in_memory
from kdtune.number_styles import NumberStyle


class FrameInput(BaseModel):
    """The feature columns of a table by their content.

    Attributes
    ----------
    content : hash of the columns' names, kinds and values.
    n_examples : the number of rows.
    numeric : the numeric columns, which are standardised.
    categories : the values of each other column, which are one-hot encoded, in the order of their columns. They are
        those of the whole table; a category without training examples gets a feature that is always 0.
    impute : how missing values are filled: ``median`` or ``most_frequent``; None if none is missing.
    path : the file of the stored input, see ``storage``.
    styles : how numbers are written in columns where they are text in the user's table. It is no part of the content.
    """

    model_config = ConfigDict(frozen=True)

    content: str
    n_examples: int
    numeric: tuple[str, ...]
    categories: dict[str, tuple[str, ...]]
    impute: str | None
    path: str
    styles: dict[str, NumberStyle] = {}
    modified_ns: None = None  # Like that of an array: a stored input never changes.

    @property
    def n_features(self) -> int:
        """The number of features after encoding."""
        return len(self.numeric) + sum(map(len, self.categories.values()))


def store_frame(
    frame: pd.DataFrame,
    categories: dict[str, tuple[str, ...]],
    impute: str | None,
    folder: Path,
    styles: Mapping[str, NumberStyle] = MappingProxyType({}),
) -> FrameInput:
    """Keep the feature columns of a table, for the sweep to write below ``folder``.

    Parameters
    ----------
    frame : numeric columns of float64, others of text; missing values are NaN or None.
    categories : the values of each text column, as for ``FrameInput``.
    impute : as for ``FrameInput``.
    folder : the folder ``inputs`` of the results.
    styles : as for ``FrameInput``.
    """
    # The same columns, filled in another way, make other features, so they are other data.
    content = hash_frame(frame, impute or "")
    path = str((folder / f"{content}.parquet").absolute())
    keep_in_memory(path, frame)
    numeric = tuple(name for name in frame.columns if name not in categories)
    return FrameInput(
        content=content,
        n_examples=len(frame),
        numeric=numeric,
        categories=categories,
        impute=impute,
        path=path,
        styles=dict(styles),
    )


def hash_frame(frame: pd.DataFrame, prefix: str = "") -> str:
    """Return the BLAKE2b hash of a prefix and of a frame's columns and values as 20 hexadecimal digits (80 bits)."""
    digest = hashlib.blake2b((prefix + repr(list(frame.columns))).encode(), digest_size=10)
    for name in frame.columns:
        values = pd.util.hash_array(frame[name].to_numpy(), categorize=True)
        digest.update(np.ascontiguousarray(values).tobytes())
    return digest.hexdigest()


def open_frame(frame: FrameInput) -> pd.DataFrame:
    """Return the columns of a table.

    Raises
    ------
    ValueError
        If the file was removed.
    """
    value = find_in_memory(frame.path)
    if isinstance(value, pd.DataFrame):
        return value
    try:
        return pd.read_parquet(frame.path)
    except FileNotFoundError:
        raise ValueError(f"{frame.path} does not exist any more; run the same command again") from None
