"""Examples and labels in whatever form libraries have them: arrays, frames, tensors, lists, data sets of PyTorch.

Objects of PyTorch are recognised by what they offer, so that nothing here imports it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from kdtune.inputs.arrays import Array
from kdtune.inputs.errors import InputError
from kdtune.inputs.user_code import describe_user_error

Examples = Array | pd.DataFrame
_FORMS = "give a NumPy array, a PyTorch tensor, a pandas or polars frame, or lists of numbers"


def convert_examples(source: Any, notes: list[str]) -> Examples:
    """Return examples as an array or as a frame.

    Frames of any library stay frames, also those of numbers alone: they become tables, whose columns are standardised.
    Arrays and tensors stay arrays, whose values are used as they are; those of text become frames.

    Parameters
    ----------
    source : the examples, one for each row.
    notes : sentences about what was assumed are appended to it.

    Raises
    ------
    InputError
        If they are none of these, or too many to be held without their zeros.
    """
    if isinstance(source, pd.DataFrame):
        return source
    if isinstance(source, pd.Series):
        return source.to_frame()
    if hasattr(source, "collect") and hasattr(source, "collect_schema"):  # a lazy frame of polars
        source = source.collect()
    if hasattr(source, "to_pandas"):
        return convert_examples(source.to_pandas(), notes)
    if _is_array_like(source) or isinstance(source, list | tuple):
        return _convert_text_array(_convert_array(source))
    if hasattr(source, "toarray") and hasattr(source, "nnz"):
        return _convert_sparse(source, notes)
    raise InputError(f"is of type {_name_type(source)}; {_FORMS}")


def convert_label_column(source: Any) -> pd.Series[Any]:
    """Return labels as a column of pandas, which keeps their type.

    Raises
    ------
    InputError
        If they are not one for each example.
    """
    if hasattr(source, "collect") and hasattr(source, "collect_schema"):
        source = source.collect()
    if hasattr(source, "to_pandas") and not isinstance(source, pd.DataFrame | pd.Series):
        source = source.to_pandas()
    if isinstance(source, pd.DataFrame):
        if len(source.columns) != 1:
            raise InputError(f"has {len(source.columns)} columns; labels are one for each example")
        source = source.iloc[:, 0]
    if isinstance(source, pd.Series | pd.Categorical | pd.Index):
        return pd.Series(source).reset_index(drop=True)
    if not _is_array_like(source) and not isinstance(source, list | tuple):
        raise InputError(f"is of type {_name_type(source)}; give one label for each example, as an array or a list")
    values = _convert_array(source)
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.ndim != 1:
        remedy = "; of one-hot labels, give y.argmax(axis=1)" if values.ndim == 2 else ""
        raise InputError(f"has shape {values.shape}; labels are one for each example{remedy}")
    return pd.Series(values)


def _is_array_like(source: Any) -> bool:
    return hasattr(source, "__array__") or _is_tensor(source)


def _is_tensor(source: Any) -> bool:
    return all(hasattr(source, name) for name in ("detach", "cpu", "numpy"))


def _convert_array(source: Any) -> Array:
    """Return an array, a tensor, or a list of either as one array."""
    if np.ma.is_masked(source):
        raise InputError("has masked values; fill them, or remove their rows")
    if _is_tensor(source):
        tensor = source.detach().cpu()
        try:
            return np.asarray(tensor.numpy())
        except TypeError:  # NumPy has no bfloat16.
            return np.asarray(tensor.float().numpy())
    if isinstance(source, list | tuple) and source and (_is_array_like(source[0]) and np.ndim(source[0]) > 0):
        return stack_examples(source)
    try:
        values = np.asarray(source)
    except ValueError:
        raise InputError("has rows of different lengths; all examples need the same features") from None
    if values.dtype.names is not None:
        return np.asarray(pd.DataFrame(values), dtype=object)
    return values


def stack_examples(examples: Sequence[Any]) -> Array:
    """Put examples of one shape into one array, (examples, ...); images of PIL get their channels first.

    Raises
    ------
    InputError
        If their shapes differ.
    """
    arrays = [_convert_example(example) for example in examples]
    for row, values in enumerate(arrays):
        if values.shape != arrays[0].shape:
            raise InputError(
                f"example {row} (counted from 0) has shape {values.shape}, and the first has {arrays[0].shape}; bring "
                f"all to the same shape"
            )
    return np.stack(arrays)


def _convert_example(example: Any) -> Array:
    if not _is_image(example):
        return _convert_array(example)
    pixels = np.asarray(example)
    return pixels[None] if pixels.ndim == 2 else np.moveaxis(pixels, -1, 0)


def _is_image(example: Any) -> bool:
    return hasattr(example, "getbands") and hasattr(example, "mode")


def _convert_text_array(values: Array) -> Examples:
    """Return an array of numbers as it is, one of text or objects as a frame whose columns have types of their own."""
    if values.dtype.kind not in "OUS" or values.ndim != 2:
        return values
    return pd.DataFrame(values).astype(object).infer_objects()


def _convert_sparse(source: Any, notes: list[str]) -> Array:
    """Return a sparse matrix with its zeros, if it takes no more than half of the memory."""
    n_bytes = int(np.prod(source.shape)) * source.dtype.itemsize
    n_available = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") if hasattr(os, "sysconf") else 1 << 32
    if n_bytes > n_available / 2:
        raise InputError(
            f"is sparse, and with its zeros takes {n_bytes / 1e9:.1f} GB, more than half of this machine's memory; "
            f"reduce its features first, as with sklearn.decomposition.TruncatedSVD"
        )
    notes.append(f"A sparse matrix of {source.shape[0]:,} x {source.shape[1]:,} is held with its zeros.")
    values: Array = source.toarray()
    return values


def is_map_dataset(source: Any) -> bool:
    """Return whether an object is a data set as PyTorch's: with a length, and examples by their numbers."""
    has_items = hasattr(source, "__getitem__") and hasattr(source, "__len__")
    is_other = isinstance(source, str | bytes | Mapping | list | tuple | pd.DataFrame | pd.Series)
    return has_items and not is_other and not _is_array_like(source) and not hasattr(source, "to_pandas")


def read_map_dataset(dataset: Any) -> tuple[Array, pd.Series[Any]]:
    """Read all examples of a data set like PyTorch's, in the order of their numbers.

    Returns
    -------
    x : the examples, (examples, ...).
    y : the label of each.

    Raises
    ------
    InputError
        If an example cannot be read or is no pair of input and label.
    """
    examples: list[Any] = []
    labels: list[Any] = []
    for row in range(len(dataset)):
        try:
            item = dataset[row]
        except Exception as error:
            raise InputError(f"example {row} (counted from 0) cannot be read: {describe_user_error(error)}") from None
        if not isinstance(item, tuple | list) or len(item) != 2:
            raise InputError(
                f"example {row} (counted from 0) is of type {_name_type(item)}; each must be a pair of input and label"
            )
        examples.append(_convert_example(item[0]))
        labels.append(item[1].item() if hasattr(item[1], "item") and np.ndim(item[1]) == 0 else item[1])
    if not examples:
        raise InputError("has no examples")
    return stack_examples(examples), convert_label_column(labels)


def _name_type(source: Any) -> str:
    kind = type(source)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
