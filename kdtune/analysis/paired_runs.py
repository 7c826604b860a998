"""Arrange runs that replicates pair: every replicate has one run of each temperature, unless it is missing."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from kdtune.statistics.standard_errors import Array

MIN_REPLICATES = 3  # A cell with fewer replicates is flagged: they show little of the noise.


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


def describe_test_gaps(
    replicates: npt.NDArray[Any], test_errors: Array, has_result: npt.NDArray[np.bool_]
) -> list[str]:
    """Name the replicates that lack some of their test errors, which comparisons on the test split go without.

    Parameters
    ----------
    replicates : (R,): Their names.
    test_errors : (R, k): The test errors.
    has_result : (R, k): Whether a run has the measure that T is chosen by; one without is named anyway.
    """
    is_gap = np.isnan(test_errors) & has_result
    if np.isnan(test_errors).all():
        return []
    return [f"test errors of replicate {name}" for name in replicates[is_gap.any(axis=1)]]
