"""Choose a few examples of the user's data on which modules are tried before they are trained."""

from __future__ import annotations

import numpy as np

from kdtune.inputs.arrays import Array, ArrayInput, read_first_rows
from kdtune.settings import Dataset, GivenDataset

N_EXAMPLES = 22


def choose_examples(dataset: Dataset) -> Array | None:
    """Return a few examples as networks see them, (examples, *shape of one), float64; None where random ones will do.

    Random numbers do for features that are standardised, for images and for generated data. Where numbers are taken
    as they are, they may be the ids of words or of categories, and an embedding takes no others. So the examples with
    the largest and the smallest value among the first rows of each part come first.
    """
    scale = getattr(dataset, "scale", None)
    if not isinstance(dataset, GivenDataset) or scale is not None:
        return None
    rows: list[Array] = []
    for part in dataset.given.parts.values():
        if not isinstance(part.x, ArrayInput):
            return None  # Columns of a table are standardised.
        values = read_first_rows(part.x)
        flat = values.reshape(len(values), -1)
        rows += [values[flat.max(axis=1).argmax()], values[flat.min(axis=1).argmin()]]
    n_more = max(0, N_EXAMPLES - len(rows))
    positions = np.linspace(0, len(values) - 1, min(n_more, len(values))).astype(int)
    return np.stack([*rows, *values[positions]])[:N_EXAMPLES]
