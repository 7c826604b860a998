"""List the forms that the noise of a sweep may have over its temperatures.

A form is a covariance over k neighbouring treatments: standard deviations that are equal, or rise or fall over the
treatments, or are larger at one end, with a correlation that falls with the distance on the grid. Sweeps show all of
these: at T = 1 a student may be trained on all but hard labels, and replicates of close temperatures, which share data,
initial weights and batches, have errors in common.

Only differences of treatments matter, so everything is expressed in k - 1 orthonormal contrasts.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.linalg import helmert

from kdtune.statistics.correlated_differences import compute_standard_errors
from kdtune.statistics.standard_errors import Array

CORRELATIONS = (0.0, 0.4, 0.7)  # of neighbours; in the fakeset study they are 0.1 to 0.6, at few widths more
LARGER_SCALES = (2.0, 4.0)  # of an end of the grid; in the fakeset study T = 1 has up to 4 times the noise
TREND = 3.0  # the ratio of the last standard deviation to the first where they rise
# How much likelier each form with equal standard deviations is than another, before anything is known.
WEIGHT_OF_EQUAL_SCALES = 4.0


@dataclass(frozen=True)
class NoiseForms:
    """The forms of noise of k treatments: covariances of contrasts whose mean variance is 1. There are m forms."""

    contrasts: Array  # (k, k - 1): orthonormal columns, each with a sum of 0
    covariances: Array  # (m, k - 1, k - 1): of the contrasts
    whiteners: Array  # (m, k - 1, k - 1): the inverses of the Cholesky factors of the covariances
    log_determinants: Array  # (m,): of the covariances
    difference_variances: Array  # (m, k, k): of the differences of two treatments
    log_weights: Array  # (m,): logarithms of what each form weighs before anything is known, up to a constant


@lru_cache(maxsize=64)
def list_noise_forms(n_treatments: int) -> NoiseForms:
    """List the forms of noise of k treatments, of which there are three or more."""
    contrasts = helmert(n_treatments).T
    distances = abs(np.subtract.outer(np.arange(n_treatments), np.arange(n_treatments)))
    covariances, weights = [], []
    for scales in _list_scales(n_treatments):
        for correlation in CORRELATIONS:
            covariance = contrasts.T @ (np.outer(scales, scales) * correlation**distances) @ contrasts
            covariances.append(covariance / np.diagonal(covariance).mean())
            weights.append(WEIGHT_OF_EQUAL_SCALES if (scales == scales[0]).all() else 1.0)
    stacked = np.array(covariances)
    factors = np.linalg.cholesky(stacked)
    return NoiseForms(
        contrasts=contrasts,
        covariances=stacked,
        whiteners=np.linalg.inv(factors),
        log_determinants=2 * np.log(np.diagonal(factors, axis1=1, axis2=2)).sum(axis=1),
        difference_variances=compute_standard_errors(contrasts @ stacked @ contrasts.T) ** 2,
        log_weights=np.log(weights),
    )


def _list_scales(n_treatments: int) -> list[Array]:
    """Return the standard deviations (k,) of each form, relative to each other."""
    rising = np.geomspace(1.0, TREND, n_treatments)
    scales = [np.ones(n_treatments), rising, rising[::-1]]
    for end in (0, -1):
        for scale in LARGER_SCALES:
            larger = np.ones(n_treatments)
            larger[end] = scale
            scales.append(larger)
    return scales
