"""Compute noise variances, standard errors and margins of error of means over replicates, for Student's t."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy import special

Array = npt.NDArray[np.float64]

CONFIDENCE_LEVEL = 0.95  # of every interval and bound, unless a caller chooses another level
ROUNDING = 1e-10  # Differences below this share of the values are rounding errors.


def residual_variance(y: Array) -> float:
    """Estimate the noise variance in a two-way layout of replicates and treatments without interaction.

    The effects of replicates and of treatments are subtracted. The residuals that remain have (R - 1)(k - 1) degrees
    of freedom.

    Parameters
    ----------
    y : (R, k): The values of R replicates of k treatments.

    Returns
    -------
    The variance of one value; 0 where the residuals are rounding errors only.
    """
    n_replicates, n_treatments = y.shape
    residuals = y - y.mean(axis=0) - y.mean(axis=1, keepdims=True) + y.mean()
    dof = max(1, (n_replicates - 1) * (n_treatments - 1))
    variance = float((residuals**2).sum() / dof)
    if variance > (ROUNDING * abs(y).max()) ** 2:
        return variance
    return 0.0


@lru_cache(maxsize=1024)
def critical_t(confidence_level: float, dof: float) -> float:
    """Compute the two-sided critical value of Student's t.

    Parameters
    ----------
    confidence_level : The probability between the negative critical value and the critical value.
    dof : The degrees of freedom.
    """
    return float(critical_t_values(confidence_level, np.array(dof)))


def critical_t_values(confidence_level: float, dof: Array) -> Array:
    """Compute the critical values of ``critical_t`` for degrees of freedom of any shape."""
    values: Array = special.stdtrit(dof, (1 + confidence_level) / 2)  # scipy.stats.t.ppf takes twice as long.
    return values
