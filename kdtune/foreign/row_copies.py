"""Tell copies of runs from replicates that have equal results by chance."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd

from kdtune.columns import MODEL, STUDENT
from kdtune.foreign.improbable_repeats import find_improbable_repeats
from kdtune.foreign.repeated_blocks import find_repeated_blocks
from kdtune.foreign.row_keys import Indices, Mask, RowKeys, count_rows, find_common_factors


class Copies(NamedTuple):
    """Rows that repeat another row."""

    positions: Indices  # of those that do not count
    times: int  # how often all rows stand in the table: 2 if an export stands there twice, 1 if only some are repeated


def split_roles(table: pd.DataFrame) -> list[tuple[str, Mask]]:
    """Return the roles of networks and which rows have them; all rows are distilled students without roles."""
    if MODEL not in table.columns:
        return [(STUDENT, np.ones(len(table), bool))]
    roles = table[MODEL].fillna(STUDENT)
    names = sorted(roles.unique(), key=lambda name: (name != STUDENT, str(name)))
    return [(name, (roles == name).to_numpy(bool)) for name in names]


def find_copies(keys: RowKeys, is_student: bool) -> Copies:
    """Find the rows that repeat another row in all columns, until none is left.

    Parameters
    ----------
    keys : The rows of distilled students, or those of teachers or of baselines, that have a measure.
    is_student : Whether they are distilled students. Others are often repeated, beside each student.
    """
    positions, times = [keys.positions[:0]], 1
    while True:
        has_copies = times == 1 and len(positions) > 1
        is_surplus, factor = _find_surplus(keys, is_student, has_copies)
        if not is_surplus.any():
            return Copies(np.sort(np.concatenate(positions)), times)
        positions.append(keys.positions[is_surplus])
        times *= factor
        keys = keys.select(~is_surplus)


def find_surplus_failures(keys: RowKeys, times: int) -> Indices:
    """Return the positions of the failed runs that do not count if the export stands in the table several times."""
    counts, numbers = count_rows(keys.whole)
    return keys.positions[numbers >= counts // times] if (counts % times == 0).all() else keys.positions[:0]


def find_twins(keys: RowKeys, is_student: bool) -> Indices:
    """Return the positions of rows that are equal in all but labels, and hardly by chance."""
    counts, _ = count_rows(keys.run)
    counts_of_copies, _ = count_rows(keys.whole)
    is_twin = counts > counts_of_copies
    if not is_twin.any() or _is_whole_table_repeated(keys, counts, is_student):
        return keys.positions[is_twin]
    is_same_run = keys.has_replicate | _shares_id(keys) | _stands_beside_students(counts, is_student)
    if (is_twin & is_same_run).any():
        return keys.positions[is_twin & is_same_run]
    is_block = is_twin & find_repeated_blocks(keys, keys.run)
    if is_block.any():
        is_twin &= np.isin(keys.run, keys.run[is_block])
        return keys.positions[is_twin]
    return keys.positions[find_improbable_repeats(keys, is_twin)]


def _find_surplus(keys: RowKeys, is_student: bool, has_copies: bool) -> tuple[Mask, int]:
    """Return which rows repeat another one for one reason, and how often all rows stand in the table."""
    counts, numbers = count_rows(keys.whole)
    is_repeated = counts > 1
    if not is_repeated.any():
        return is_repeated, 1
    if _is_whole_table_repeated(keys, counts, is_student):
        # A row that stands there 4 times where others stand 2 times is a replicate by chance: 2 of it are left.
        times = int(np.gcd.reduce(counts))
        return numbers >= counts // times, times
    is_same_run = keys.has_replicate | keys.has_id.any(axis=1) | _stands_beside_students(counts, is_student)
    is_surplus = is_same_run & (numbers > 0)
    if not is_surplus.any():
        is_surplus = find_repeated_blocks(keys, keys.whole)
    if not is_surplus.any():
        # Where all rows of a setting stand there equally often, as for the whole table; else each counts once.
        factors = find_common_factors(keys.settings, counts)
        n_originals = np.where(factors > 1, counts // factors, 1)
        is_surplus = find_improbable_repeats(keys, is_repeated, has_copies) & (numbers >= n_originals)
    return is_surplus, 1


def _is_whole_table_repeated(keys: RowKeys, counts: Indices, is_student: bool) -> bool:
    """Return whether all rows stand in the table equally often, or a multiple of that.

    Distilled students that all have the same results (no errors at all) are replicates.
    """
    return bool(np.gcd.reduce(counts) > 1) and not (is_student and len(np.unique(keys.results)) == 1)


def _stands_beside_students(counts: Indices, is_student: bool) -> Mask:
    """Return which rows of teachers or baselines stand in the table three times and more, if most of them do."""
    is_frequent = counts > 2
    return is_frequent & (not is_student and bool(is_frequent.mean() >= 0.5))


def _shares_id(keys: RowKeys) -> Mask:
    """Return which rows have the id or the time of another row of the same run."""
    is_shared = np.zeros(len(keys.run), bool)
    for column, has_value in zip(keys.ids.T, keys.has_id.T, strict=True):
        counts, _ = count_rows(keys.run ^ (column << np.uint64(1)))
        is_shared |= has_value & (counts > 1)
    return is_shared
