"""Describe a one-way layout: independent runs of k treatments, in any number of each.

Nothing pairs a run of one treatment with a run of another, so a difference of two means has the noise of both.

Values stand in an array (R, k): column j holds the runs of treatment j, and NaN in the rows that it has no runs for.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from kdtune.statistics.moderated_variances import MIN_SETTINGS, moderate_variances
from kdtune.statistics.noise_covariance import NoiseCovariance
from kdtune.statistics.standard_errors import CONFIDENCE_LEVEL, ROUNDING, Array, critical_t

Integers = npt.NDArray[np.integer]


@dataclass(frozen=True)
class OneWayLayout:
    """The means of k treatments, each of its own number of independent runs, and the noise of one run."""

    means: Array  # (k,)
    counts: Integers  # (k,): the runs of each treatment, one or more
    variances: Array  # (k,): the variance of one run of each treatment, which the other treatments help to estimate
    variance_dof: Array  # (k,): the degrees of freedom of each
    variance: float  # the variance pooled over the treatments; 0 if nothing is known of the noise
    dof: int  # the degrees of freedom of the pooled variance, all runs minus k; 0 if nothing is known of the noise

    def list_noises(self) -> tuple[NoiseCovariance, NoiseCovariance]:
        """Return the noise of one run by the variance of each treatment, and by the pooled one.

        The degrees of freedom of a difference of two means are Satterthwaite's (1946, Biometrics Bulletin 2); those of
        the differences to one treatment are their harmonic mean. There are two or more treatments, and something is
        known of the noise.
        """
        n_treatments = len(self.means)
        of_means = self.variances / self.counts
        squares = of_means**2 / self.variance_dof
        dof = (of_means[:, np.newaxis] + of_means) ** 2 / (squares[:, np.newaxis] + squares)  # (k, k)
        inverses = 1 / np.minimum(dof, self.dof)
        np.fill_diagonal(inverses, 0.0)
        own_dof = (n_treatments - 1) / inverses.sum(axis=1)
        pooled_dof = np.full(n_treatments, float(self.dof))
        return (
            NoiseCovariance(np.diag(self.variances), own_dof),
            NoiseCovariance(self.variance * np.eye(n_treatments), pooled_dof),
        )


def describe_one_way_layout(y: Array) -> OneWayLayout:
    """Compute means, counts and variances of y (R, k), of which each column has a value.

    Where all runs of each treatment are equal nothing is known of the noise, as where each has a single run: they are
    copies, or counts of errors that are equal by chance. No noise at all would make every difference significant.
    """
    counts = count_values(y)
    means = compute_column_means(y)
    sums_of_squares = (np.where(np.isnan(y), 0.0, y - means) ** 2).sum(axis=0)
    dof = int(counts.sum()) - len(counts)
    variance = float(sums_of_squares.sum() / max(1, dof))
    if variance <= (ROUNDING * np.nanmax(abs(y))) ** 2:
        nothing = np.zeros(len(counts))
        return OneWayLayout(means, counts, variances=nothing, variance_dof=nothing, variance=0.0, dof=0)
    variances, variance_dof = np.full(len(counts), variance), np.full(len(counts), float(dof))
    is_repeated = counts > 1  # A single run has the pooled variance.
    # So have all runs where too few treatments show how unequal variances are: one of 0 may be by chance.
    if (sums_of_squares > 0).sum() >= MIN_SETTINGS:
        own_dof: Integers = counts[is_repeated] - 1
        own = (sums_of_squares[is_repeated] / own_dof)[:, np.newaxis]
        moderated, moderated_dof = moderate_variances(own, own_dof)
        variances[is_repeated], variance_dof[is_repeated] = moderated[:, 0], moderated_dof[:, 0]
    return OneWayLayout(means, counts, variances, np.minimum(variance_dof, dof), variance, dof)


def count_values(y: Array) -> Integers:
    """Count the values in each column of y (R, k) that are not NaN."""
    counts: Integers = (~np.isnan(y)).sum(axis=0)
    return counts


def compute_column_means(y: Array) -> Array:
    """Compute the mean of the values in each column of y (R, k); NaN where it has none."""
    counts = count_values(y)
    sums = np.where(np.isnan(y), 0.0, y).sum(axis=0)
    means: Array = np.divide(sums, counts, out=np.full(len(counts), np.nan), where=counts > 0)
    return means


def compute_margins_of_means(layout: OneWayLayout, confidence_level: float = CONFIDENCE_LEVEL) -> Array:
    """Compute half the widths (k,) of the confidence intervals of the means, from the pooled variance.

    They are NaN if nothing is known of the noise.
    """
    if layout.dof == 0:
        return np.full(len(layout.means), math.nan)
    margins: Array = critical_t(confidence_level, layout.dof) * np.sqrt(layout.variance / layout.counts)
    return margins
