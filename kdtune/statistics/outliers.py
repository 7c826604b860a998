"""Find runs whose values the noise of the other runs cannot explain."""

from __future__ import annotations

import numpy as np
from scipy import stats

from kdtune.statistics.additive_fit import AdditiveFit

EXTREME_P_VALUE = 1e-6  # With so small a p-value a run is extreme, even if noise is unequal over the treatments.


def has_extreme_run(fit: AdditiveFit) -> bool:
    """Return whether a single run is so far from the fit that noise cannot explain it."""
    return find_outlier(fit, EXTREME_P_VALUE) is not None


def find_outlier(fit: AdditiveFit, p_value: float) -> tuple[int, int] | None:
    """Find the run with the largest residual, if it is an outlier for noise that is the same for all treatments.

    The residual is externally studentised (Cook and Weisberg 1982, Residuals and Influence in Regression, 2.2.1), and
    its p-value multiplied by the number of runs.

    Parameters
    ----------
    fit : The fit of R replicates of k treatments.
    p_value : The largest p-value of an outlier.

    Returns
    -------
    The indices of its replicate and its treatment, or None.
    """
    residuals = np.nan_to_num(fit.residuals)
    n_replicates, n_treatments = residuals.shape
    dof = fit.dof * (n_treatments - 1) - 1
    leverage_left = (1 - 1 / n_replicates) * (1 - 1 / n_treatments)
    sum_of_squares = float((residuals**2).sum())
    index = int(abs(residuals).argmax())
    own_square = float(residuals.flat[index] ** 2) / leverage_left
    if dof < 1 or own_square == 0:
        return None
    others = max(sum_of_squares - own_square, 1e-12 * sum_of_squares) / dof
    n_runs = int((~np.isnan(fit.residuals)).sum())
    if 2 * n_runs * stats.t.sf(np.sqrt(own_square / others), dof) > p_value:
        return None
    return index // n_treatments, index % n_treatments
