"""Compare rows by hashes of 64 bits: of whole rows, of runs (all but their labels), of settings and of results."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
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
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)  # 2^64 / the golden ratio: Knuth, The Art of Computer Programming, 6.4


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
            rows = table[subset] if is_equal.all() else table.loc[is_equal, subset]
            hashes = _combine(len(rows), [_hash(rows[name]) for name in subset])
            is_equal[is_equal] = pd.Series(hashes).duplicated(keep=False).to_numpy()
    return is_equal & bool(names)


def hash_rows(
    table: pd.DataFrame, measures: Sequence[str], labels: Sequence[str], replicate: str | None, is_measured: Mask
) -> RowKeys:
    """Compute the keys of all rows; they do not depend on the order of rows and columns.

    Parameters
    ----------
    table : Plain columns.
    measures, labels, replicate : The names of its columns.
    is_measured : Whether a row has any measure: only the labels of such rows tell whether they are ids, (rows,).
    """
    hashes = {name: _hash(table[name]) for name in sorted(table.columns)}

    def combine(names: Iterable[str]) -> Hashes:
        return _combine(len(table), [hashes[name] for name in names])

    run = combine(name for name in hashes if name not in labels)
    is_first = is_measured.copy()
    is_first[is_measured] = ~pd.Series(run[is_measured]).duplicated().to_numpy()
    has_label = {name: table[name].notna().to_numpy() for name in labels}
    ids = [name for name in sorted(labels) if _is_unique(hashes[name][is_first & has_label[name]])]
    return RowKeys(
        positions=np.arange(len(table)),
        whole=combine(hashes),
        run=run,
        settings=combine(name for name in hashes if name not in (*labels, *measures)),
        results=combine(sorted(measures)),
        values=_to_numbers(table, sorted(measures)),
        ids=np.column_stack([np.empty((len(table), 0), np.uint64), *(hashes[name] for name in ids)]),
        has_id=np.column_stack([np.empty((len(table), 0), bool), *(has_label[name] for name in ids)]),
        has_replicate=np.zeros(len(table), bool) if replicate is None else table[replicate].notna().to_numpy(),
    )


def hash_columns(columns: Sequence[pd.Series], n_rows: int = 0) -> Hashes:
    """Compute a hash of each row of some columns; without columns, all of the ``n_rows`` rows are equal."""
    return _combine(len(columns[0]) if columns else n_rows, [_hash(column) for column in columns])


def count_rows(hashes: Hashes) -> tuple[Indices, Indices]:
    """Return how many rows have the same hash as each row, and how many of them stand above it, both (rows,)."""
    codes, _ = pd.factorize(hashes)
    counts = np.bincount(codes)[codes]
    numbers = np.zeros(len(codes), np.int64)
    repeated = np.flatnonzero(counts > 1)
    numbers[repeated] = pd.Series(codes[repeated]).groupby(codes[repeated]).cumcount()
    return counts, numbers


def find_common_factors(settings: Hashes, counts: Indices) -> Indices:
    """Return the largest common factor of the counts in each row's setting, (rows,)."""
    order = np.argsort(settings, kind="stable")
    _, starts, groups = np.unique(settings[order], return_index=True, return_inverse=True)
    factors = np.empty(len(counts), np.int64)
    factors[order] = np.gcd.reduceat(counts[order], starts)[groups]
    return factors


def _is_unique(labels: Hashes) -> bool:
    """Return whether (nearly) each run that has this label has one of its own."""
    return len(labels) >= _MIN_RUNS and len(pd.unique(labels)) >= _UNIQUE_SHARE * len(labels)


def _hash(column: pd.Series) -> Hashes:
    return np.asarray(pd.util.hash_pandas_object(column, index=False), np.uint64)


def _combine(n_rows: int, hashes: Sequence[Hashes]) -> Hashes:
    """Combine the hashes of columns into those of rows."""
    combined = np.full(n_rows, len(hashes), np.uint64)
    for column in hashes:
        combined = (combined ^ column) * _MULTIPLIER
        combined ^= combined >> np.uint64(32)
    return combined


def _to_numbers(table: pd.DataFrame, names: Sequence[str]) -> npt.NDArray[np.float64]:
    columns = [pd.to_numeric(table[name], errors="coerce").to_numpy(np.float64, na_value=np.nan) for name in names]
    numbers = np.column_stack([np.empty((len(table), 0)), *columns])
    return np.where(np.isfinite(numbers), numbers, np.nan)
