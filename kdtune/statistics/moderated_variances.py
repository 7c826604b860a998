"""Estimate variances of many settings, each from few values, with the help of the other settings."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import optimize, special

from kdtune.statistics.standard_errors import Array

MIN_SETTINGS = 3  # with fewer, how much variances differ cannot be told


def moderate_variances(variances: Array, dof: Array | npt.NDArray[np.integer]) -> tuple[Array, Array]:
    """Shrink variances toward their typical value (Smyth 2004, Statistical Applications in Genetics 3, "limma").

    True variances are taken to be d0 s0^2 divided by chi-square variables with d0 degrees of freedom. The moderated
    variance is (d0 s0^2 + d s^2) / (d0 + d), with d0 + d degrees of freedom.

    Parameters
    ----------
    variances : (C, k): The variances s^2 of C settings, for each of k treatments, which are moderated apart. A variance
        of 0 says nothing of the others.
    dof : (C,): The degrees of freedom d of each setting's variances.

    Returns
    -------
    The moderated variances and their degrees of freedom, (C, k) each.
    """
    moderated, total_dof = variances.copy(), np.repeat(dof[:, None].astype(float), variances.shape[1], axis=1)
    for j, column in enumerate(variances.T):
        is_noisy = column > 0
        if is_noisy.sum() < MIN_SETTINGS:
            continue
        prior_variance, prior_dof = _fit_prior(column[is_noisy], dof[is_noisy])
        if np.isinf(prior_dof):
            moderated[:, j], total_dof[:, j] = prior_variance, dof[is_noisy].sum()
        else:
            total_dof[:, j] = dof + prior_dof
            moderated[:, j] = (prior_dof * prior_variance + dof * column) / total_dof[:, j]
    return moderated, total_dof


def _fit_prior(variances: Array, dof: Array | npt.NDArray[np.integer]) -> tuple[float, float]:
    """Return s0^2 and d0 from the mean and the variance of log s^2 (n,), as Smyth's section 6.2 has it.

    d0 is infinite if the variances differ by no more than chance.
    """
    half = dof / 2
    logs = np.log(variances) - special.digamma(half) + np.log(half)
    excess = float(logs.var(ddof=1) - special.polygamma(1, half).mean())
    if excess <= 0:
        return float((dof * variances).sum() / dof.sum()), float("inf")
    # The trigamma function falls from infinity to 0: d0 / 2 is where it is the excess.
    half_prior = optimize.brentq(lambda x: special.polygamma(1, np.exp(x)) - excess, -20, 20)
    prior_dof = 2 * float(np.exp(half_prior))
    log_variance = logs.mean() + special.digamma(prior_dof / 2) - np.log(prior_dof / 2)
    return float(np.exp(log_variance)), prior_dof
