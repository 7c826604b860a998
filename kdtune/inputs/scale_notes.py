"""Notes on labels and arrays that are used as they are, where users mostly mean something else."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from kdtune.inputs.arrays import ArrayInput, read_first_rows
from kdtune.inputs.given_data import GivenData
from kdtune.text import join_names

# Networks with Glorot-uniform weights train badly on larger values; standardised ones hardly reach this.
LARGE_VALUE = 20
# Networks learn slowly from smaller values: those of embeddings of length 1 with 100 features and more.
SMALL_SPREAD = 0.1
N_IMAGE_DIMENSIONS = 3


def note_label_order(given: GivenData) -> Iterator[str]:
    """Yield a sentence if the labels are numbers written as text, whose order is not that of the numbers."""
    texts = [name for name in given.classes if isinstance(name, str) and name.lstrip("-").isdecimal()]
    if len(texts) == len(given.classes) and sorted(texts, key=int) != texts:
        yield f"The labels are numbers written as text, so their order is {join_names(texts, max_names=10)}."


def note_forms(given: GivenData, is_scaled: bool) -> Iterator[str]:
    """Yield a sentence for values that are large and not scaled, and for images whose channels seem to come last."""
    x = next(iter(given.parts.values())).x
    if not isinstance(x, ArrayInput):
        return
    if not is_scaled:
        values = read_first_rows(x)
        largest = float(np.abs(values).max())
        if x.dtype == "uint8":
            yield "The examples are whole numbers up to 255, used as they are; `scale: 255` divides them."
        elif largest > LARGE_VALUE and np.dtype(x.dtype).kind in "iu":
            yield (
                f"The examples are whole numbers up to {largest:,.0f}, used as they are. This is right for ids that a "
                f"module of yours looks up in an embedding (with x.long(): modules get floating-point numbers); of "
                f"measurements, `scale: standard` makes networks train better."
            )
        elif largest > LARGE_VALUE:
            yield (
                f"Features reach {largest:,.4g} and are used as they are; `scale: standard` gives each feature mean 0 "
                f"and variance 1, with which networks train better."
            )
        elif 0 < float(values.std()) < SMALL_SPREAD:
            yield (
                f"Features have a standard deviation of {float(values.std()):.2g} and are used as they are; `scale: "
                f"standard` gives each mean 0 and variance 1, with which networks train better. This holds for "
                f"embeddings of length 1, too."
            )
    shape = given.input_shape
    if len(shape) == N_IMAGE_DIMENSIONS and shape[-1] in (1, 3) and shape[0] not in (1, 3):
        yield (
            f"Examples of {shape[0]} x {shape[1]} x {shape[2]} are read as {shape[0]} channels of {shape[1]} x "
            f"{shape[2]} pixels; if channels come last, save np.moveaxis(x, -1, 1) instead."
        )
