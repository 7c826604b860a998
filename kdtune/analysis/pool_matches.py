"""The baselines or teachers that match the cells of a table, and what each student is compared with."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from kdtune.analysis.match_keys import encode_rows, list_labels
from kdtune.analysis.network_pools import NO_POOL, Booleans, Pools, Replicates
from kdtune.analysis.value_spellings import BLANK, Integers
from kdtune.columns import REPLICATE
from kdtune.statistics.standard_errors import Array


@dataclass(frozen=True)
class PoolMatches:
    """The pools of baselines or of teachers, the cells that they match, and what is against comparing them."""

    role: str  # BASELINE or TEACHER
    columns: list[str]  # those that name a cell
    keys: list[str]  # the columns in which students and networks of a pool have the same values
    cells: pd.DataFrame  # one row per cell
    networks: pd.DataFrame  # one row per baseline or teacher
    pools: Pools
    replicates: Replicates
    differences: dict[str, Booleans]  # column -> (pools,): whether it shows that a pool has several networks
    teacher_columns: list[str]  # those that name the students' teacher, but are no keys; none for baselines
    has_unknown_teacher: Booleans  # (cells,): whether the students name a teacher, but the teachers' rows do not
    is_sweep: bool  # whether a sweep of kdtune wrote the table: a replicate that is missing has failed or will come

    def are_ambiguous(self) -> Booleans:
        """Return for each pool whether it has several different networks."""
        return np.asarray(np.any([np.zeros(self.pools.count_pools(), bool), *self.differences.values()], axis=0))

    def have_several_networks(self) -> Booleans:
        """Return for each cell whether its pool has several different networks."""
        of_cells = self.pools.of_cells
        return (of_cells >= 0) & self.are_ambiguous()[np.maximum(of_cells, 0)]

    def are_joined(self) -> Booleans:
        """Return for each pool whether a student is compared with the row of its own replicate."""
        return self.replicates.are_all_shared() | self.is_sweep

    def find_compared_pools(self) -> Integers:
        """Return for each cell (cells,) the pool that it is compared with, NO_POOL for none."""
        of_cells = self.pools.of_cells
        is_compared = (of_cells >= 0) & ~self.has_unknown_teacher & ~self.have_several_networks()
        return np.where(is_compared, of_cells, NO_POOL)

    def list_compared_pools(self) -> Integers:
        """Return the pools that students of any cell are compared with, in ascending order."""
        pools = np.unique(self.find_compared_pools())
        return np.asarray(pools[pools != NO_POOL])

    def count_rows(self) -> Integers:
        """Return the number of rows of each pool (pools,)."""
        return np.bincount(self.pools.of_rows)

    def has_replicates(self) -> bool:
        """Return whether the students' replicates have names: runs are paired."""
        return bool((self.replicates.of_students != BLANK).any())

    def read_measures(self, student_cells: Integers, measures: list[str]) -> dict[str, Array]:
        """Return for each student (students,) the mean measures of the rows that it is compared with.

        Parameters
        ----------
        student_cells : (students,): The number of each student's cell.
        measures : The columns of measures.
        """
        of_rows, of_students = self.replicates.of_rows, self.replicates.of_students
        pools = self.find_compared_pools()[student_cells]
        n_names = 1 + max(of_students.max(initial=BLANK), of_rows.max(initial=BLANK))
        is_named = of_rows != BLANK
        row_measures = self.networks[measures].reset_index(drop=True)
        row_pairs = self.pools.of_rows * n_names + of_rows
        replicate_means = row_measures[is_named].groupby(row_pairs[is_named]).mean()
        pool_means = row_measures.groupby(self.pools.of_rows).mean()
        # Positions among the means of replicates, then those of pools, then NaN: position -1 is the last one.
        positions = replicate_means.index.get_indexer(pools * n_names + of_students)
        positions[of_students == BLANK] = -1
        positions = np.where(self.are_joined()[pools], positions, len(replicate_means) + pools)
        positions[pools == NO_POOL] = -1
        student_measures = {}
        for name in measures:
            means = [frame[name].to_numpy(np.float64, na_value=np.nan) for frame in (replicate_means, pool_means)]
            student_measures[name] = np.concatenate([*means, [np.nan]])[positions]
        return student_measures

    def list_rows(self, measures: list[str]) -> list[Integers]:
        """Return for each cell the positions of the rows of the pool that it is compared with, copies left out."""
        is_listed = ~self._find_copies(measures)
        order = np.argsort(self.pools.of_rows[is_listed], kind="stable")
        row_counts = np.bincount(self.pools.of_rows[is_listed], minlength=self.pools.count_pools())
        rows_of_pool = np.split(np.flatnonzero(is_listed)[order], np.cumsum(row_counts)[:-1])
        no_rows = np.empty(0, np.intp)
        return [no_rows if pool == NO_POOL else rows_of_pool[pool] for pool in self.find_compared_pools()]

    def _find_copies(self, measures: list[str]) -> Booleans:
        """Return which rows (rows,) repeat their network for another T or student: they are no replicates.

        Rows of a pool that have another label are copies if the rows of each label have the same measures.
        """
        pools = self.pools.of_rows
        labels = self._encode_columns(pools, list_labels(self.networks))
        results = self._encode_columns(pools, [REPLICATE, *measures])
        label_counts = np.bincount(pools[np.unique(labels, return_index=True)[1]])
        both = encode_rows(np.column_stack([labels, results]))
        differs = np.bincount(both)[both] * label_counts[pools] != np.bincount(results)[results]
        is_repeated = ~self.pools.has_any(differs)
        return np.asarray((labels != labels[self.pools.first_rows][pools]) & is_repeated[pools])

    def _encode_columns(self, numbers: Integers, names: list[str]) -> Integers:
        """Encode the combinations of a number and the values of columns as numbers (rows,)."""
        values = [pd.factorize(self.networks[name], use_na_sentinel=False)[0] for name in names]
        return encode_rows(np.column_stack([numbers, *values]))
