"""Estimate what one treatment costs over many settings: on average, and in the setting that pays most.

The largest of many noisy means is too large: over settings in which a treatment costs nothing it is well above 0. So
it is replaced by an estimate that is shrunk toward the mean of the settings, and by bounds that hold for the largest
true cost.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from kdtune.statistics.moderated_variances import moderate_variances
from kdtune.statistics.standard_errors import CONFIDENCE_LEVEL, Array, critical_t_values

Numbers = npt.NDArray[np.int_]


@dataclass(frozen=True)
class CostRows:
    """The costs of k treatments in the replicates of C settings, one row for each replicate of a setting.

    Rows of one unit share random draws: as the same replicate of settings that have a draw of data in common.
    """

    costs: Array  # (n, k)
    settings: Numbers  # (n,): the number of the row's setting, from 0 to C - 1; each has two rows or more
    units: Numbers  # (n,): the number of the row's unit, from 0
    sets: Numbers  # (n,): the number of the row's set, from 0: units of different sets share nothing
    overlaps: Array  # (C,): test over training examples where replicates are other cuts of the same ones; otherwise 0


@dataclass(frozen=True)
class MeanCosts:
    """The costs of k treatments over all settings, (k,) each. All bounds of a field hold together."""

    mean: Array
    mean_low: Array  # 95 % intervals of the means
    mean_high: Array
    median: Array
    worst: Array  # the cost in the setting that pays most, after costs are shrunk toward the mean by their noise
    worst_low: Array  # 95 % intervals of the largest true cost
    worst_high: Array


def estimate_mean_costs(rows: CostRows, confidence_level: float = CONFIDENCE_LEVEL) -> MeanCosts:
    """Estimate the costs of treatments over all settings, which weigh alike.

    Where R replicates are cuts of one set, variances are larger by the factor 1 + R overlap (Nadeau and Bengio 2003,
    Machine Learning 52).

    Parameters
    ----------
    rows : The costs.
    confidence_level : The confidence level, between 0 and 1, of all intervals of the means together, and of all of the
        largest costs.
    """
    n_treatments = rows.costs.shape[1]
    counts = np.bincount(rows.settings)  # (C,): R of each setting
    means = _sum_by(rows.settings, rows.costs) / counts[:, None]
    deviations = rows.costs - means[rows.settings]
    scales = (1 + counts * rows.overlaps) / (
        counts * (counts - 1)
    )  # (C,): from a sum of squares to the mean's variance
    variances = _sum_by(rows.settings, deviations**2) * scales[:, None]
    mean, median = means.mean(axis=0), np.median(means, axis=0)
    error_rate = (1 - confidence_level) / n_treatments  # Bonferroni's correction for the treatments
    influences = deviations * np.sqrt(scales)[rows.settings, None] / len(counts)
    margins = _find_margins_of_mean(rows, influences, counts, error_rate / 2)
    # The largest cost is no less than the mean, nor than any setting's. Each bound has half of the errors below.
    low_margins = _find_margins_of_mean(rows, influences, counts, error_rate / 4)
    moderated_variances, dof = moderate_variances(variances, counts - 1)
    standard_errors = np.sqrt(moderated_variances)
    lows = means - critical_t_values(1 - error_rate / 2 / len(counts), dof) * standard_errors
    # The largest true cost exceeds the greatest of these only if the bound of its own setting fails: that one bound
    # needs no correction for the number of settings (Berger 1982, Technometrics 24: intersection-union tests).
    highs = means + critical_t_values(1 - error_rate, dof) * standard_errors
    return MeanCosts(
        mean=mean,
        mean_low=mean - margins,
        mean_high=mean + margins,
        median=median,
        worst=_shrink(means, moderated_variances).max(axis=0),
        worst_low=np.maximum(mean - low_margins, lows.max(axis=0)),
        worst_high=highs.max(axis=0),
    )


def _find_margins_of_mean(rows: CostRows, influences: Array, counts: Numbers, tail: float) -> Array:
    """Return the one-sided margins of error (k,) of the mean over the settings.

    Units are independent; what a unit adds to the error of the mean is the sum over its rows. The degrees of freedom
    are those of a sum of variances, one of each set (Satterthwaite 1946, Biometrics Bulletin 2).

    Parameters
    ----------
    rows : The costs.
    influences : (n, k): What each row adds to the error of the mean; the sum of squares of independent ones is the
        variance.
    counts : (C,): The rows of each setting.
    tail : The probability that a margin is exceeded.
    """
    unit_sums = _sum_by(rows.units, influences)
    n_sets = int(rows.sets.max()) + 1
    set_of_unit = np.zeros(len(unit_sums), int)
    set_of_unit[rows.units] = rows.sets
    set_variances = _sum_by(set_of_unit, unit_sums**2)  # (S, k)
    set_of_setting = np.zeros(len(counts), int)
    set_of_setting[rows.settings] = rows.sets
    # Each setting takes its mean: a share of the units' degrees of freedom, all but one of R where it is in R units.
    n_settings, n_rows = np.bincount(set_of_setting, minlength=n_sets), np.bincount(rows.sets, minlength=n_sets)
    set_dof = np.bincount(set_of_unit, minlength=n_sets) * (1 - n_settings / n_rows)
    variance = set_variances.sum(axis=0)
    squares = (set_variances**2 / set_dof[:, None]).sum(axis=0)
    dof = np.divide(variance**2, squares, out=np.full(len(variance), set_dof.min()), where=squares > 0)
    margins: Array = critical_t_values(1 - 2 * tail, dof) * np.sqrt(variance)
    return margins


def _shrink(means: Array, variances: Array) -> Array:
    """Shrink the means (C, k) of C settings toward their mean, by the share of their variance that is noise.

    The variance of the true costs is that of the means minus their noise, or 0 (Hedges 1983, Psychological Bulletin
    93); the shrunk means are the best linear predictions (Robinson 1991, Statistical Science 6).

    Parameters
    ----------
    means : (C, k): The mean costs of each setting.
    variances : (C, k): Their noise variances.
    """
    center = means.mean(axis=0)
    if len(means) == 1:
        return means
    true_variance = np.maximum(0, means.var(axis=0, ddof=1) - variances.mean(axis=0))
    total_variance = true_variance + variances
    shares = np.divide(true_variance, total_variance, out=np.ones(means.shape), where=total_variance > 0)
    shrunk: Array = center + shares * (means - center)
    return shrunk


def _sum_by(numbers: Numbers, values: Array) -> Array:
    """Sum the rows of values (n, k) that have one number (n,) of 0 to m - 1, (m, k)."""
    sums = [np.bincount(numbers, weights=column) for column in values.T]
    return np.stack(sums, axis=1)
