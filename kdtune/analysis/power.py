"""How many replicates it takes, from the noise that was seen. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd

from kdtune.analysis.cell_arrays import Cell
from kdtune.errors import RequestError
from kdtune.statistics.sample_size import replicates_for_width, replicates_to_tell
from kdtune.statistics.smooth_minimum import Array, residual_variance


def estimate_noise(cells: Sequence[Cell], measure: str) -> Array:
    """(cells,): standard deviation of the difference of two temperatures in one replicate; cells with several."""
    usable = [cell.students[measure] for cell in cells if min(cell.students[measure].shape) > 1]
    return np.array([math.sqrt(2 * residual_variance(y)) for y in usable])


def count_replicates(
    cells: Sequence[Cell], measure: str, shares: Sequence[float], errors: Sequence[float] = ()
) -> pd.DataFrame:
    """Replicates that differences take, a row a difference.

    Parameters
    ----------
    shares : differences as shares of a cell's least mean errors.
    errors : differences in errors.

    ``to_tell`` has a difference found in 4 of 5 sweeps, ``to_bound`` gives its interval half its size on
    either side; both for the median cell, and, with ``_most``, for nine cells of ten.

    Raises
    ------
    RequestError
        If no cell has two replicates and two temperatures.
    """
    usable = [cell for cell in cells if min(cell.students[measure].shape) > 1]
    if not usable:
        raise RequestError("no cell has two replicates of two temperatures; noise cannot be seen in fewer")
    deviations = estimate_noise(usable, measure)
    if not deviations.any():
        raise RequestError("the replicates of every cell are copies of each other, which show no noise")
    least = np.array([cell.students[measure].mean(axis=0).min() for cell in usable])
    typical = float(np.median(least))
    rows = [(share, share * typical, share, deviations / np.maximum(least, 1e-12)) for share in sorted(shares)]
    rows += [(count / typical if typical else math.inf, count, count, deviations) for count in sorted(errors)]
    return pd.DataFrame([{"difference": share, "errors": count, **_counts(*rest)} for share, count, *rest in rows])


def _counts(difference: float, deviations: Array) -> dict[str, int | None]:
    median, most = np.quantile(deviations, [0.5, 0.9])
    return {
        "to_tell": replicates_to_tell(difference, median),
        "to_tell_most": replicates_to_tell(difference, most),
        "to_bound": replicates_for_width(difference, median),
        "to_bound_most": replicates_for_width(difference, most),
    }
