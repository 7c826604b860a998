"""Arrange runs that nothing pairs: each is an independent replicate of its temperature alone.

The arrangement does not depend on the order of the table's rows: the runs of one temperature are sorted by their
measures, and runs that are equal in all of them are the same for every statistic.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from scipy import stats

from kdtune.columns import NUM_ERROR
from kdtune.statistics.one_way_layout import Integers, count_values
from kdtune.statistics.standard_errors import Array
from kdtune.text import pluralize

MAX_NAMED_TEMPERATURES = 6  # Gaps at more temperatures are counted, not named.
MIN_PAIRED_RUNS = 2  # Noise shows in two runs of a temperature or more.


class ArrangedRuns(NamedTuple):
    """The runs of one cell by temperature."""

    temperatures: Array  # (k,), ascending
    measures: dict[str, Array]  # measure name -> array (R, k): the runs of each T, then NaN
    left_out: list[str]  # the runs without a value, in words


def arrange_runs(temperatures: Array, measures: Mapping[str, Array], measure: str) -> ArrangedRuns:
    """Arrange the runs of one cell by temperature.

    Parameters
    ----------
    temperatures : (runs,): The temperature of each run.
    measures : The values (runs,) of each measure, by name.
    measure : The measure that T is chosen by. Runs without it are left out.
    """
    names = [measure, *(name for name in measures if name != measure)]
    sort_keys = [temperatures, *(measures[name] for name in names)]
    order = np.lexsort(sort_keys[::-1])  # The last key of lexsort is the first to sort by.
    order = order[~np.isnan(measures[measure][order])]
    T, starts, counts = np.unique(temperatures[order], return_index=True, return_counts=True)
    columns = np.repeat(np.arange(len(T)), counts)
    rows = np.arange(len(order)) - np.repeat(starts, counts)
    arranged_measures = {}
    for name, values in measures.items():
        arranged_measures[name] = np.full((counts.max(initial=0), len(T)), np.nan)
        arranged_measures[name][rows, columns] = values[order]
    left_out = _describe_missing_runs(temperatures[np.isnan(measures[measure])], T)
    if NUM_ERROR in measures:
        left_out += _describe_test_gaps(T, counts - count_values(arranged_measures[NUM_ERROR]), counts)
    return ArrangedRuns(T, arranged_measures, left_out)


def sort_measures(measures: Mapping[str, Array]) -> dict[str, Array]:
    """Sort networks by their measures (n,), so that sums over them do not depend on the order of the table's rows."""
    if not measures:
        return {}
    order = np.lexsort([*measures.values()][::-1])
    return {name: values[order] for name, values in measures.items()}


def _describe_missing_runs(temperatures: Array, kept_temperatures: Array) -> list[str]:
    """Name the runs that have no value, by temperature; a temperature of which none is left is named itself."""
    T, counts = np.unique(temperatures, return_counts=True)
    is_kept = np.isin(T, kept_temperatures)
    names = [f"T {value:g}" for value in T[~is_kept]]
    return names + name_runs(T[is_kept], counts[is_kept])


def _describe_test_gaps(T: Array, gaps: Integers, counts: Integers) -> list[str]:
    """Name the runs without test errors, of which there are ``gaps`` (k,) among the ``counts`` (k,) runs at T (k,)."""
    if (gaps == counts).all():
        return []
    return [f"test errors of {text}" for text in name_runs(T[gaps > 0], gaps[gaps > 0])]


def name_runs(T: Array, counts: Integers) -> list[str]:
    """Write how many runs at each T (k,) are meant, as in "2 runs at T 4"; a T with none is not named."""
    T, counts = T[counts > 0], counts[counts > 0]
    if len(T) > MAX_NAMED_TEMPERATURES:
        return [f"{pluralize(int(counts.sum()), 'run')} at {len(T):,} temperatures"]
    return [f"{pluralize(int(count), 'run')} at T {value:g}" for value, count in zip(T, counts, strict=True)]


def count_runs(temperatures: Array, T: Array) -> Integers:
    """Count the runs, of which each has one of the temperatures (runs,), at each T (k,)."""
    counts: Integers = (temperatures[:, np.newaxis] == T).sum(axis=0)
    return counts


def pair_at_random(
    temperatures: Array, measures: Mapping[str, Array], measure: str, min_temperatures: int
) -> ArrangedRuns:
    """Put the runs of one cell together at random, one of each temperature, for statistics that need whole curves.

    Independent runs may be paired at random without harm: the pairs are independent of each other, and within a pair
    the noise at one temperature is independent of that at another. Only the values must not decide which runs meet.
    The runs of each temperature are therefore shuffled. The shuffles are the same whenever the same runs are analyzed:
    their seed is made of the ranks of the values. One seed for all tables would not do: whatever chance correlation
    its shuffles have would be in every table.

    The number of pairs is that of the temperature with the fewest runs. Temperatures with less than half of the median
    number, or with a single run, would take too many runs of the others with them: they are left out as long as
    enough others remain.

    Parameters
    ----------
    temperatures : (k,): The temperatures of the cell.
    measures : The runs (R, k) of each temperature by measure, from ``arrange_runs``.
    measure : The measure that T is chosen by.
    min_temperatures : The number of temperatures that must remain.
    """
    y = measures[measure]
    counts = count_values(y)
    is_frequent = counts >= max(MIN_PAIRED_RUNS, float(np.median(counts)) / 2)
    if is_frequent.sum() < min_temperatures:
        is_frequent = np.ones(len(counts), bool)
    indices = np.flatnonzero(is_frequent)
    n_pairs = int(counts[indices].min())
    random = np.random.default_rng(_make_seed(y))
    chosen_rows = np.stack([random.permutation(counts[i])[:n_pairs] for i in indices], axis=1)
    paired_measures = {name: values[chosen_rows, indices] for name, values in measures.items()}
    return ArrangedRuns(temperatures[indices], paired_measures, [])


def _make_seed(y: Array) -> int:
    """Make a seed from the ranks of values (R, k), which do not change with their unit."""
    ranks = stats.rankdata(y, method="dense", nan_policy="omit")
    digest = hashlib.sha256(np.nan_to_num(ranks).astype("<i8").tobytes()).digest()
    return int.from_bytes(digest, "little")
