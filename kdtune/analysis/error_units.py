"""Find out whether errors are rates in percent, and name the unit where a table of them is shown."""

from __future__ import annotations

import numpy as np
import pandas as pd

from kdtune.columns import ACCURACY, NUM_ERROR, VAL_ACCURACY, VAL_NUM_ERROR

_ACCURACIES = {NUM_ERROR: ACCURACY, VAL_NUM_ERROR: VAL_ACCURACY}


def are_percents(table: pd.DataFrame, measure: str) -> bool:
    """Return whether a measure of errors is in percent of the examples: 100 minus the accuracy in percent.

    Parameters
    ----------
    table : One row per network.
    measure : The column of errors; of another measure the answer is no.
    """
    accuracy = _ACCURACIES.get(measure)
    if accuracy is None or not {measure, accuracy} <= set(table.columns):
        return False
    errors, accuracies = (table[name].to_numpy(float, na_value=np.nan) for name in (measure, accuracy))
    has_errors = not np.isnan(errors).all()
    return has_errors and bool(np.allclose(errors, 100 * (1 - accuracies), equal_nan=True))


def name_unit(is_percent: bool) -> str:
    """Return the unit of errors as a sentence goes on with it; nothing for numbers of errors."""
    return ", in percent of the examples" if is_percent else ""


def name_difference_unit(is_percent: bool) -> str:
    """Return the unit of differences of errors as a sentence goes on with it; nothing for numbers of errors."""
    return ", in percentage points" if is_percent else ""
