"""Group baselines or teachers into pools of equal keys, one for each cell, and find out which networks a pool holds."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from kdtune.analysis.match_keys import NumberedValues, encode_rows, list_descriptions
from kdtune.analysis.value_spellings import BLANK, Integers
from kdtune.columns import REPLICATE

Booleans = npt.NDArray[np.bool_]

NO_POOL = -1  # No row has the keys of the cell.
SEVERAL_POOLS = -2  # Rows that leave different keys blank match the cell equally well.
_MIN_LABELS = 3  # A column with fewer values may be a setting, though each row of a pool has a value of its own.


class Pools(NamedTuple):
    """The rows of networks by the values of their keys."""

    of_rows: Integers  # (rows,): the pool of each row
    of_cells: Integers  # (cells,): the pool of each cell, NO_POOL or SEVERAL_POOLS
    first_rows: Integers  # (pools,): the first row of each pool

    def count_pools(self) -> int:
        """Return the number of pools."""
        return len(self.first_rows)

    def has_any(self, is_row: Booleans) -> Booleans:
        """Return for each pool whether it has any of the rows that are marked (rows,)."""
        return np.bincount(self.of_rows[is_row], minlength=self.count_pools()) > 0


class Replicates(NamedTuple):
    """The replicates of students and networks as numbers: equal ones have equal numbers, and BLANK has no name."""

    of_students: Integers  # (students,)
    of_rows: Integers  # (rows,)
    has_student: Booleans  # (rows,): whether students of the row's pool have its replicate
    student_counts: Integers  # (pools,): how many replicates the students of a pool have
    shared_counts: Integers  # (pools,): how many of these its rows have
    row_counts: Integers  # (pools,): how many replicates its rows have

    def are_all_shared(self) -> Booleans:
        """Return for each pool whether its rows have all replicates of its students."""
        return np.asarray((self.student_counts > 0) & (self.shared_counts == self.student_counts))


def make_pools(values: NumberedValues) -> Pools:
    """Group rows of equal keys, and find the pool of each cell: the one that names most of its keys."""
    of_rows = encode_rows(values.rows)
    first_rows = np.unique(of_rows, return_index=True)[1]
    pool_values = values.rows[first_rows]
    is_named = pool_values != BLANK
    name_counts = is_named.sum(axis=1)
    patterns = encode_rows(is_named.astype(np.intp))
    of_cells = np.full(len(values.cells), NO_POOL)
    for count in np.unique(name_counts)[::-1]:
        matches = np.full(len(of_cells), NO_POOL)
        for pattern in np.unique(patterns[name_counts == count]):
            pools = np.flatnonzero(patterns == pattern)
            positions = _find_rows(values.cells[:, is_named[pools[0]]], pool_values[pools][:, is_named[pools[0]]])
            is_match = positions >= 0
            matches = np.where(is_match, np.where(matches == NO_POOL, pools[positions], SEVERAL_POOLS), matches)
        of_cells = np.where(of_cells == NO_POOL, matches, of_cells)
    return Pools(of_rows, of_cells, first_rows)


def _find_rows(rows: Integers, distinct_rows: Integers) -> Integers:
    """Return the position of each row in an array of distinct rows, -1 if it is not there."""
    numbers = encode_rows(np.concatenate([distinct_rows, rows]))  # The distinct rows come first: 0, 1, 2 ...
    positions = numbers[len(distinct_rows) :]
    return np.where(positions < len(distinct_rows), positions, -1)


def compare_replicates(student_pools: Integers, students: pd.Series, rows: pd.Series, pools: Pools) -> Replicates:
    """Count for each pool the replicates that its students and its rows have.

    Parameters
    ----------
    student_pools : (students,): The pool of each student; negative where there is none.
    students, rows : The replicates of the students (students,) and of the networks (rows,).
    pools : The pools of the networks.
    """
    numbers, names = pd.factorize(pd.concat([students, rows], ignore_index=True))
    of_students, of_rows = numbers[: len(students)], numbers[len(students) :]
    student_pairs = _list_pairs(student_pools, of_students, len(names))
    row_pairs = _list_pairs(pools.of_rows, of_rows, len(names))
    has_student = (of_rows != BLANK) & np.isin(pools.of_rows * len(names) + of_rows, student_pairs)
    shared_pairs = student_pairs[np.isin(student_pairs, row_pairs)]
    student_counts, shared_counts, row_counts = (
        np.bincount(pairs // max(1, len(names)), minlength=pools.count_pools())
        for pairs in (student_pairs, shared_pairs, row_pairs)
    )
    return Replicates(of_students, of_rows, has_student, student_counts, shared_counts, row_counts)


def _list_pairs(pools: Integers, replicates: Integers, n_names: int) -> Integers:
    """Return the distinct pairs of pool and replicate, each as one number."""
    is_known = (pools >= 0) & (replicates != BLANK)
    return np.asarray(pd.unique(pools[is_known] * n_names + replicates[is_known]))


def find_differences(
    networks: pd.DataFrame, pools: Pools, replicates: Replicates, keys: list[str], measures: list[str], role: str
) -> dict[str, Booleans]:
    """Find the columns in which rows of one pool differ: they are several networks, no replicates of one.

    Where each row is the only one of its replicate and the students have the same replicates, rows may differ in a
    label of their own, such as a path, and may leave a column blank. They may differ in anything where they have the
    same measures.

    Returns
    -------
    The columns, each with an array (pools,): whether the rows of the pool differ in it.
    """
    row_counts = np.bincount(pools.of_rows, minlength=pools.count_pools())
    has_own_replicates = replicates.are_all_shared() & (replicates.row_counts == row_counts)
    differences = {}
    for name in list_descriptions(networks, role):
        if name in keys:
            continue
        values = pd.factorize(networks[name])[0]
        value_counts = np.bincount(
            _list_pairs(pools.of_rows, values, len(networks)) // len(networks), minlength=pools.count_pools()
        )
        is_label = has_own_replicates & (value_counts >= _MIN_LABELS) & (2 * value_counts > row_counts)
        has_blank = pools.has_any(values == BLANK) & ~has_own_replicates
        differences[name] = (value_counts > 1) & ~is_label | (value_counts == 1) & has_blank
    if any(differs.any() for differs in differences.values()):
        has_equal_measures = _have_equal_measures(networks, pools, list(differences), measures)
        differences = {name: differs & ~has_equal_measures for name, differs in differences.items()}
    return {name: differs for name, differs in differences.items() if differs.any()}


def _have_equal_measures(networks: pd.DataFrame, pools: Pools, columns: list[str], measures: list[str]) -> Booleans:
    """Return for each pool whether all its networks have the same replicates with the same measures."""

    def number(names: list[str]) -> Integers:
        columns = [pd.factorize(networks[name], use_na_sentinel=False)[0] for name in names]
        return encode_rows(np.column_stack([pools.of_rows, *columns]))

    def count(numbers: Integers) -> Integers:
        first_rows = np.unique(numbers, return_index=True)[1]
        return np.bincount(pools.of_rows[first_rows], minlength=pools.count_pools())

    replicate_counts = count(number([REPLICATE]))
    has_one_result = count(number([REPLICATE, *measures])) == replicate_counts
    is_complete = count(number([REPLICATE, *columns])) == count(number(columns)) * replicate_counts
    return np.asarray(has_one_result & is_complete)
