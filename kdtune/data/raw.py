"""Examples as the user gave them: columns of a table before they are encoded, arrays before they are scaled."""

from __future__ import annotations

from typing import Any

import pandas as pd

from kdtune.data.splits import Data
from kdtune.inputs.arrays import open_array
from kdtune.inputs.frames import FrameInput, open_frame
from kdtune.settings import Dataset, GivenDataset


def load_raw_examples(settings: Dataset, data: Data) -> dict[str, Any]:
    """Return the examples of each split as they were given.

    Of a table they are frames whose text columns are categorical, with missing values as they are; of arrays they are
    unscaled rows, (examples, features).
    """
    assert isinstance(settings, GivenDataset), "only given data have a raw form"
    assert data.rows is not None
    examples: dict[str, Any] = {}
    for split, rows in data.rows.items():
        x = settings.given.parts[rows.part].x
        if isinstance(x, FrameInput):
            examples[split] = _make_categorical(open_frame(x).iloc[rows.indices], x)
        else:
            values = open_array(x)[rows.indices]
            examples[split] = values.reshape(len(values), -1)
    return examples


def _make_categorical(frame: pd.DataFrame, x: FrameInput) -> pd.DataFrame:
    """Return a frame whose text columns have the categories of the whole table."""
    frame = frame.reset_index(drop=True)
    for name, categories in x.categories.items():
        frame[name] = pd.Categorical(frame[name], categories=list(categories))
    return frame
