"""Compare rows by hashes of 64 bits: of whole rows, of runs (all but their labels), of settings and of results."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

Mask = npt.NDArray[np.bool_]
Hashes = npt.NDArray[np.uint64]
Indices = npt.NDArray[np.int64]

# A label is an id or a time if it is unique in this share of the runs, and if there are so many of them.
_UNIQUE_SHARE = 0.95
_MIN_RUNS = 5


@dataclass(frozen=True)
class RowKeys:
    """What rows are compared by: arrays over the rows."""

    positions: Indices  # the row's place in the table
    whole: Hashes  # all columns
    run: Hashes  # all columns but the labels
    settings: Hashes  # all columns but labels and measures; the replicate is one of them
    results: Hashes  # the measures
    values: npt.NDArray[np.float64]  # the measures as numbers, (rows, measures); NaN where there is none
    ids: Hashes  # the labels that are an id or a time, (rows, labels)
    has_id: Mask  # whether these labels have a value, (rows, labels)
    has_replicate: Mask

    def select(self, is_selected: Mask) -> RowKeys:
        """Return the keys of some rows."""
        return RowKeys(**{name: array[is_selected] for name, array in vars(self).items()})


def find_equal_rows(table: pd.DataFrame, names: Sequence[str]) -> Mask:
    """Return which rows are equal to another row in the columns with these names; null equals null.

    Columns of numbers are compared first: few rows are left for those of text, which takes longer.
    """
    is_equal = np.ones(len(table), bool)
    numeric = [name for name in names if table[name].dtype.kind in "iuf"]
    for subset in (numeric, list(names)):
        if subset and is_equal.any():
            hashes = _hash(table.loc[is_equal, subset] if not is_equal.all() else table[subset])
            is_equal[is_equal] = pd.Series(hashes).duplicated(keep=False).to_numpy()
    return is_equal & bool(names)


def hash_rows(
    table: pd.DataFrame, measures: Sequence[str], labels: Sequence[str], replicate: str | None, is_measured: Mask
) -> RowKeys:
    """Compute the keys of all rows.

    Parameters
    ----------
    table : Plain columns.
    measures, labels, replicate : The names of its columns.
    is_measured : Whether a row has any measure: only the labels of such rows tell whether they are ids, (rows,).
    """
    run_columns = [name for name in table.columns if name not in labels]
    run = _hash(table[run_columns])
    first_rows = np.flatnonzero(is_measured)
    first_rows = first_rows[~pd.Series(run[first_rows]).duplicated().to_numpy()]
    ids = [name for name in labels if _is_unique(table[name].iloc[first_rows])]
    return RowKeys(
        positions=np.arange(len(table)),
        whole=_hash(table),
        run=run,
        settings=_hash(table[[name for name in run_columns if name not in measures]]),
        results=_hash(table[list(measures)]),
        values=_to_numbers(table, sorted(measures)),
        ids=np.column_stack([np.empty((len(table), 0), np.uint64), *(_hash(table[[name]]) for name in ids)]),
        has_id=table[ids].notna().to_numpy(),
        has_replicate=np.zeros(len(table), bool) if replicate is None else table[replicate].notna().to_numpy(),
    )


def count_rows(hashes: Hashes) -> tuple[Indices, Indices]:
    """Return how many rows have the same hash as each row, and how many of them stand above it, both (rows,)."""
    groups = pd.Series(hashes).groupby(hashes, sort=False)
    return np.asarray(groups.transform("size"), np.int64), np.asarray(groups.cumcount(), np.int64)


def _is_unique(labels: pd.Series) -> bool:
    """Return whether (nearly) each run that has this label has one of its own."""
    labels = labels.dropna()
    return len(labels) >= _MIN_RUNS and labels.nunique() >= _UNIQUE_SHARE * len(labels)


def _hash(frame: pd.DataFrame) -> Hashes:
    """Hash the rows of a frame: the same, in whatever order its columns stand."""
    if frame.columns.empty:
        return np.zeros(len(frame), np.uint64)
    return np.asarray(pd.util.hash_pandas_object(frame[sorted(frame.columns)], index=False), np.uint64)


def _to_numbers(table: pd.DataFrame, names: Sequence[str]) -> npt.NDArray[np.float64]:
    columns = [pd.to_numeric(table[name], errors="coerce").to_numpy(np.float64, na_value=np.nan) for name in names]
    return np.column_stack([np.empty((len(table), 0)), *columns])
