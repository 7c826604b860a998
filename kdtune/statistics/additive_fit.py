"""Fit y = treatment + replicate + noise where some runs are missing.

Where none is missing the means of the treatments are the plain ones. Where a replicate lacks some treatments, the
others tell its level, so that a treatment is not better for being missing where errors are high.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse

from kdtune.statistics.standard_errors import Array, residual_variance

MIN_RESIDUALS_OF_COPIES = 3  # degrees of freedom with which residuals of 0 mean that replicates are copies


@dataclass(frozen=True)
class AdditiveFit:
    """The additive fit of R replicates of k treatments, by least squares."""

    means: Array  # (k,): of the treatments, at the mean level of the replicates
    levels: Array  # (R,): of the replicates, with a mean of 0
    residuals: Array  # (R, k): NaN where a run is missing
    filled: Array  # (R, k): the values, and the fit where a run is missing
    dof: float  # residual degrees of freedom over k - 1: R - 1 where no run is missing

    @property
    def shows_noise(self) -> bool:
        """Whether the residuals tell how large the noise is, or that there is none.

        Few residuals of 0 do not: counts of errors are whole numbers, whose differences may be equal by chance.
        """
        n_residual = round(self.dof * max(1, len(self.means) - 1))
        return n_residual > 0 and (n_residual >= MIN_RESIDUALS_OF_COPIES or residual_variance(self.filled) > 0)


def fit_additive(y: Array) -> AdditiveFit:
    """Fit means and levels to y (R, k), in which NaN stands for a missing run.

    Each replicate and each treatment has one or more values, and they are connected (``select_connected``).
    """
    n_replicates, n_treatments = y.shape
    is_missing = np.isnan(y)
    if not is_missing.any():
        means, levels = y.mean(axis=0), y.mean(axis=1) - y.mean()
    else:
        means, levels = _fit_holes(y, ~is_missing)
    fitted = levels[:, np.newaxis] + means
    n_residual = int((~is_missing).sum()) - n_treatments - n_replicates + 1
    return AdditiveFit(
        means=means,
        levels=levels,
        residuals=y - fitted,
        filled=np.where(is_missing, fitted, y),
        dof=n_residual / max(1, n_treatments - 1),
    )


def _fit_holes(y: Array, is_seen: npt.NDArray[np.bool_]) -> tuple[Array, Array]:
    """Return means (k,) and levels (R,) by least squares, from the normal equations without the levels."""
    counts = is_seen.sum(axis=1)
    values = np.where(is_seen, y, 0.0)
    deviations = np.where(is_seen, y - (values.sum(axis=1) / counts)[:, np.newaxis], 0.0)
    means = _invert_equations(is_seen) @ deviations.sum(axis=0)
    levels = (values - is_seen * means).sum(axis=1) / counts
    return means + levels.mean(), levels - levels.mean()


def _invert_equations(is_seen: npt.NDArray[np.bool_]) -> Array:
    """Return the inverse (k, k) of the equations of the means; they leave a common constant open, which is 0."""
    seen = is_seen.astype(float)
    equations = np.diag(seen.sum(axis=0)) - seen.T @ (seen / seen.sum(axis=1, keepdims=True))
    return np.asarray(np.linalg.pinv(equations, hermitian=True))


def compute_residual_covariance(fit: AdditiveFit) -> Array:
    """Compute the covariance (k, k) of the residuals, without the level of replicates.

    Where runs are missing it is taken from the pairs of treatments that a replicate has. Of a treatment with a single
    run nothing is known: it is given the mean variance, and no correlation.
    """
    residuals, is_seen = np.nan_to_num(fit.residuals), ~np.isnan(fit.residuals)
    n_treatments = residuals.shape[1]
    counts = is_seen.sum(axis=0)
    pairs = is_seen.T.astype(float) @ is_seen
    shrinkage = np.sqrt(np.maximum(counts - 1, 0) / np.maximum(counts, 1))  # of residuals, by the fitted mean
    divisors = pairs * np.outer(shrinkage, shrinkage)
    covariance: Array = np.divide(residuals.T @ residuals, divisors, out=np.zeros_like(divisors), where=divisors > 0)
    is_unknown = counts < 2
    if is_seen.all() or is_unknown.all():
        return covariance
    covariance[is_unknown, is_unknown] = np.diagonal(covariance)[~is_unknown].mean()
    centring = np.eye(n_treatments) - 1 / n_treatments
    eigenvalues, vectors = np.linalg.eigh(centring @ covariance @ centring)
    covariance = (vectors * np.maximum(eigenvalues, 0.0)) @ vectors.T  # Pairs of unlike replicates may be impossible.
    return covariance


def compute_mean_covariance(covariance: Array, y: Array) -> Array:
    """Compute the covariance (k, k) of the fitted means from that of one value of each treatment.

    Parameters
    ----------
    covariance : (k, k): The covariance of one value of each treatment within a replicate.
    y : (R, k): The values, in which NaN stands for a missing run.
    """
    is_seen = ~np.isnan(y)
    if is_seen.all():
        return np.asarray(covariance / len(y))
    inverse = _invert_equations(is_seen)
    mean_weights = (is_seen / is_seen.sum(axis=1, keepdims=True)).mean(axis=0)
    total = np.zeros_like(covariance)
    for row, count in zip(*np.unique(is_seen, axis=0, return_counts=True), strict=True):
        seen = row.astype(float)
        weights = inverse @ (np.diag(seen) - np.outer(seen, seen) / seen.sum())  # from the values of a replicate
        weights += seen / seen.sum() / len(y) - mean_weights @ weights  # The mean level goes to all means alike.
        total += count * (weights @ covariance @ weights.T)
    return total


def select_connected(is_seen: npt.NDArray[np.bool_]) -> tuple[list[int], list[int]]:
    """Select replicates and treatments that can be compared, directly or by way of others.

    Two treatments can be compared if a replicate has both. Of several sets without any such tie the one with the most
    runs is selected.

    Parameters
    ----------
    is_seen : (R, k): Whether a replicate has a treatment.

    Returns
    -------
    The indices of the replicates and those of the treatments. Both are empty if there is no run.
    """
    n_replicates, n_treatments = is_seen.shape
    if is_seen.all():
        return list(range(n_replicates)), list(range(n_treatments))
    if not is_seen.any():
        return [], []
    rows, columns = np.nonzero(is_seen)
    n_nodes = n_replicates + n_treatments
    graph = sparse.coo_array((np.ones(len(rows)), (rows, n_replicates + columns)), shape=(n_nodes, n_nodes))
    _, components = sparse.csgraph.connected_components(graph, directed=False)
    largest = np.bincount(components[rows]).argmax()
    members = np.flatnonzero(components == largest)
    return members[members < n_replicates].tolist(), (members[members >= n_replicates] - n_replicates).tolist()
