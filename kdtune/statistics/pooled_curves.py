"""Pool the curves of several independent sets: which treatment is best over all of them, and what others cost.

Each set has R replicates of k treatments, in units of its own level, so that sets count alike. Two questions differ in
their unit. Of *these very sets* the noise is that of the replicates: a set's mean varies as its replicates do. Of *sets
like these* the sets are a sample: how much their mean curves differ is noise, too, and more replicates of the same sets
do not reduce it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from kdtune.statistics.additive_fit import compute_mean_covariance, compute_residual_covariance, fit_additive
from kdtune.statistics.intervals import NO_COVARIANCE
from kdtune.statistics.multiple_comparisons import Comparison, compare_by_margins, compute_margins
from kdtune.statistics.noise_covariance import estimate_noise_covariance
from kdtune.statistics.one_way_layout import describe_one_way_layout
from kdtune.statistics.standard_errors import CONFIDENCE_LEVEL, ROUNDING, Array, critical_t


@dataclass(frozen=True)
class MeanCurve:
    """The means of k treatments over replicates or sets, with what is known of their noise."""

    means: Array  # (k,)
    covariance: Array  # (k, k): of the means as it is seen, except for what is common to all treatments
    dof: float  # degrees of freedom of the covariance; 0 if nothing is known of the noise

    def compare(self, confidence_level: float = CONFIDENCE_LEVEL) -> Comparison:
        """Compare each treatment with the best of the others; all are tied if nothing is known of the noise."""
        n_treatments = len(self.means)
        if n_treatments == 1 or self.dof <= 0:
            return compare_by_margins(self.means, np.full((n_treatments, n_treatments), math.inf))
        if np.trace(self.covariance) <= (ROUNDING * abs(self.means).max()) ** 2:  # There is no noise.
            return compare_by_margins(self.means, np.zeros((n_treatments, n_treatments)))
        noise = estimate_noise_covariance(self.covariance, self.dof)
        return compare_by_margins(self.means, compute_margins(noise.covariance, noise.dof, confidence_level))


def describe_set(y: Array, is_paired: bool = True) -> MeanCurve:
    """Describe the mean curve of one set.

    Parameters
    ----------
    y : (R, k): The values of R replicates, or of unpaired runs of each treatment in its column; NaN where a run is
        missing.
    is_paired : Whether rows are replicates, whose levels are no noise.
    """
    k = y.shape[1]
    if not is_paired:
        layout = describe_one_way_layout(y)
        return MeanCurve(layout.means, np.diag(layout.variances / layout.counts), float(layout.dof))
    y = y[~np.isnan(y).all(axis=1)]  # Such a replicate has runs of other treatments only.
    fit = fit_additive(y)
    if k < 2 or fit.dof <= 0:
        return MeanCurve(fit.means, np.zeros((k, k)), 0.0)
    return MeanCurve(fit.means, compute_mean_covariance(compute_residual_covariance(fit), y), fit.dof)


def average_over_replicates(curves: Sequence[MeanCurve]) -> MeanCurve:
    """Average the sets, with their replicates as the units: a statement about these very sets.

    The covariance of the mean of S sets is the sum of the sets' covariances over S squared. Its degrees of freedom are
    those of a sum of independent variances (Welch 1938, Biometrika 29; Satterthwaite 1946, Biometrics Bulletin 2), with
    the trace of a covariance for its size. If one set shows no noise, because it has a single replicate, nothing is
    known of the noise of the mean.
    """
    means = np.mean([curve.means for curve in curves], axis=0)
    covariance = np.sum([curve.covariance for curve in curves], axis=0) / len(curves) ** 2
    dofs = np.array([curve.dof for curve in curves])
    if dofs.min() <= 0:
        return MeanCurve(means, covariance, 0.0)
    return MeanCurve(means, covariance, _combine_dofs(np.array([np.trace(each.covariance) for each in curves]), dofs))


@dataclass(frozen=True)
class MeanDifference:
    """The mean over sets of a difference, absolute or as a share of what it is compared with, with 95 % intervals."""

    mean: float
    low: float  # for these very sets; infinite where a set has one replicate
    high: float
    low_like: float  # for sets like these, of which these are a sample; infinite with one set
    high_like: float
    n_below: int  # the number of sets whose own difference is below zero
    n_sets: int

    @property
    def main_interval(self) -> tuple[float, float]:
        """The interval for these very sets, or for sets like these where each of these has one replicate."""
        return (self.low, self.high) if math.isfinite(self.low) else (self.low_like, self.high_like)


@dataclass(frozen=True)
class ComparedValues:
    """The values of one set, and those that they are compared with."""

    values: Array  # (R,)
    references: Array  # (R,), in pairs with the values; of unpaired runs any number
    overlap: float = 0.0  # of replicates that are cuts of the same examples: test over training examples, else 0
    # The covariance (2, 2) of both means that comes from test examples which all replicates share.
    sampling_covariance: Array = field(default_factory=lambda: NO_COVARIANCE)


def compare_with_reference(
    sets: Sequence[ComparedValues], is_relative: bool = True, is_paired: bool = True
) -> MeanDifference:
    """Estimate by how much values differ from a reference, in the mean over sets.

    The share of one set is r - 1 with r = mean(values) / mean(reference). Its noise is that of the mean of
    (value - r reference) / mean(reference) (the delta method of a ratio of means; Cochran 1977, Sampling Techniques,
    section 6.3). An absolute difference has r = 1 and no denominator. For these very sets noise is combined over them
    as in ``average_over_replicates``; what finite data hide from replicates is added as in ``scale_variance``.

    Parameters
    ----------
    sets : The values of each set. A pair with a NaN is left out, or of unpaired runs a NaN.
    is_relative : Whether the difference is a share of the reference.
    is_paired : Whether values and references are pairs.
    """
    differences, variances, dofs, sampling_variances = [], [], [], []
    for each in sets:
        is_known = ~np.isnan(each.values), ~np.isnan(each.references)
        if is_paired:
            is_known = (is_known[0] & is_known[1],) * 2
        values, references = each.values[is_known[0]], each.references[is_known[1]]
        if not len(values) or not len(references) or (is_relative and references.mean() == 0):
            continue
        unit = references.mean() if is_relative else 1.0
        ratio = values.mean() / unit if is_relative else 1.0
        differences.append((values.mean() - references.mean()) / unit)
        parts = [values - ratio * references] if is_paired else [values, ratio * references]
        variance, dof = _add_variances([part / unit for part in parts])
        if variance == 0 and differences[-1] != 0:
            dof = 0.0  # Few counts may be equal by chance: that is no certainty of a difference.
        variances.append(variance * (1 + each.overlap * len(values)))
        dofs.append(dof)
        contrast = np.array([1.0, -ratio]) / unit
        sampling_variances.append(max(0.0, float(contrast @ each.sampling_covariance @ contrast)))
    n_sets = len(differences)
    if not n_sets:
        return MeanDifference(math.nan, math.nan, math.nan, math.nan, math.nan, 0, 0)
    mean, margin, margin_like = float(np.mean(differences)), math.inf, math.inf
    if min(dofs) > 0:
        dof = _combine_dofs(np.array(variances), np.array(dofs))
        square = critical_t(CONFIDENCE_LEVEL, dof) ** 2 * np.sum(variances)
        square += critical_t(CONFIDENCE_LEVEL, math.inf) ** 2 * np.sum(sampling_variances)
        margin = math.sqrt(square) / n_sets
    if n_sets > 1:
        margin_like = critical_t(CONFIDENCE_LEVEL, n_sets - 1) * float(np.std(differences, ddof=1)) / math.sqrt(n_sets)
    return MeanDifference(
        mean=mean,
        low=mean - margin,
        high=mean + margin,
        low_like=mean - margin_like,
        high_like=mean + margin_like,
        n_below=int((np.array(differences) < 0).sum()),
        n_sets=n_sets,
    )


def _add_variances(parts: Sequence[Array]) -> tuple[float, float]:
    """Return the variance of a sum of independent means with its degrees of freedom; 0 if one has a single value."""
    counts = np.array([len(part) for part in parts])
    if counts.min() < 2:
        return 0.0, 0.0
    variances = np.array([part.var(ddof=1) / len(part) for part in parts])
    return float(variances.sum()), _combine_dofs(variances, counts - 1)


def _combine_dofs(variances: Array, dofs: Array) -> float:
    """Return the degrees of freedom of a sum of independent variances (Welch 1938; Satterthwaite 1946)."""
    squares = float((variances**2 / dofs).sum())
    return float(variances.sum() ** 2 / squares) if squares else float(dofs.sum())
