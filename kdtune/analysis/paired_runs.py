"""Arrange runs that replicates pair: every replicate has one run of each temperature."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from kdtune.statistics.standard_errors import Array

MIN_REPLICATES = 3  # A cell with fewer replicates is flagged: they show little of the noise.


def select_complete(values: Array) -> tuple[list[int], list[int]]:
    """Select replicates and temperatures such that no NaN is left.

    As long as there is a NaN, drop the replicate or the temperature with the largest share of NaN:

    1. A temperature, if more than half of the replicates lack it.
    2. A temperature, if few replicates are left and it lacks at least as large a share as any replicate.
    3. Otherwise a replicate, because the temperature might be the best one.

    Parameters
    ----------
    values : (R, k): The values of R replicates at k temperatures.

    Returns
    -------
    The indices of the replicates and those of the temperatures. Both are empty if nothing is complete.
    """
    replicates, temperatures = list(range(values.shape[0])), list(range(values.shape[1]))
    is_gap = np.isnan(values)
    while replicates and temperatures:
        gaps = is_gap[np.ix_(replicates, temperatures)]
        if not gaps.any():
            return replicates, temperatures
        replicate_gaps, temperature_gaps = gaps.mean(axis=1), gaps.mean(axis=0)
        has_few_replicates = len(replicates) <= MIN_REPLICATES
        is_mostly_missing = temperature_gaps.max() > 0.5
        if is_mostly_missing or (has_few_replicates and temperature_gaps.max() >= replicate_gaps.max()):
            del temperatures[int(temperature_gaps.argmax())]
        else:
            del replicates[int(replicate_gaps.argmax())]
    return [], []


def take_first(values: Array, first_rows: npt.NDArray[np.int_], replicate_index: npt.NDArray[np.int_]) -> Array:
    """Return the first value of each replicate that is not NaN: the row of a failed student may lack its teacher.

    Parameters
    ----------
    values : (networks,): The values of a measure.
    first_rows : (R,): The index of each replicate's first network.
    replicate_index : (networks,): The index of each network's replicate.

    Returns
    -------
    (R,): The first values, NaN where a replicate has none.
    """
    first_values: Array = values[first_rows]
    is_known = ~np.isnan(values)
    if np.isnan(first_values).any() and is_known.any():
        known_replicates, first_known = np.unique(replicate_index[is_known], return_index=True)
        first_values[known_replicates] = values[is_known][first_known]
    return first_values


def describe_test_gaps(replicates: npt.NDArray[Any], test_errors: Array) -> list[str]:
    """Name the replicates that lack some of their test errors (R, k): comparisons on the test split leave them out."""
    is_gap = np.isnan(test_errors)
    if is_gap.all():
        return []
    return [f"test errors of replicate {name}" for name in replicates[is_gap.any(axis=1)]]
