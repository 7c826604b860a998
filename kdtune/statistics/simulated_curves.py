"""Simulate the mean curves of cells whose true curves are fitted ones: the worlds of a parametric bootstrap."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np

from kdtune.statistics.minimum_profiles import (
    Floats,
    MinimumProfiler,
    cap_means,
    choose_cap,
    make_profiler,
    uncap_fit,
)
from kdtune.statistics.standard_errors import Array

_MIN_SHARED = 0.05  # Residuals that correlate less over the cells of a set share nothing that would matter.


@dataclass(frozen=True)
class NoisyCurve:
    """The errors of one cell over T, with what is known of their noise."""

    x: Array  # (k,): log2 T, ascending
    y: Array  # (R, k): R replicates
    covariance: Array  # (k, k): of the means over the replicates
    dof: float  # degrees of freedom of the covariance


class CurveSimulator:
    """The profiles of cells, as they are and as they would be if other curves were the true ones."""

    def __init__(self, curves: Sequence[NoisyCurve], sets: Sequence[int]) -> None:
        """Prepare the profilers and the noise of C cells, each of which belongs to an independent set."""
        self.means = [curve.y.mean(axis=0) for curve in curves]
        variances = [np.diagonal(curve.covariance) for curve in curves]
        # Draws are capped as the means are: with caps of their own they would have other units.
        self._caps = [
            choose_cap(mean, float(np.sqrt(values.mean()))) for mean, values in zip(self.means, variances, strict=True)
        ]
        self.profilers: list[MinimumProfiler] = [
            make_profiler(curve.x, values) for curve, values in zip(curves, variances, strict=True)
        ]
        self._dof = np.array([curve.dof for curve in curves])
        self._roots = [_find_root(curve.covariance) for curve in curves]
        self._sets = [(number, len(curve.x)) for number, curve in zip(sets, curves, strict=True)]
        self._shared = _estimate_shared_noise(curves, self._sets)

    def profile_means(self) -> list[Floats]:
        """Return the profiles (places, 1) of the cells."""
        return self._profile([mean[None] for mean in self.means])

    def profile_draws(self, places: Sequence[int], n_draws: int, random: np.random.Generator) -> list[Floats]:
        """Return the profiles (places, N) of N draws of each cell, whose true curves have their minima at these places.

        The true curves are the best fits. The scale of the noise is drawn, too, as it is estimated: its variance over
        the true one has a chi-square distribution.
        """
        shared: dict[Hashable, Array] = {}
        draws = []
        for cell, (mean, profiler, place) in enumerate(zip(self.means, self.profilers, places, strict=True)):
            capped = cap_means(mean, self._caps[cell])
            fitted = uncap_fit(profiler.fit(capped, place), mean, self._caps[cell])
            noise = random.standard_normal((n_draws, len(mean)))
            if self._shared:
                key = self._sets[cell]
                if key not in shared:
                    shared[key] = random.standard_normal((n_draws, len(mean)))
                noise = np.sqrt(1 - self._shared) * noise + np.sqrt(self._shared) * shared[key]
            scale = np.sqrt(self._dof[cell] / random.chisquare(self._dof[cell], (n_draws, 1)))
            draws.append(fitted + scale * (noise @ self._roots[cell]))
        return self._profile(draws)

    def _profile(self, means: Sequence[Array]) -> list[Floats]:
        """Return the profiles (places, N) of means (N, k) of each cell; cells of one profiler are computed together."""
        cells_by_profiler: dict[int, list[int]] = {}
        for cell, profiler in enumerate(self.profilers):
            cells_by_profiler.setdefault(id(profiler), []).append(cell)
        profiles: list[Floats] = [np.zeros((0, 0), np.float32)] * len(means)
        for cells in cells_by_profiler.values():
            stacked = np.stack([means[cell] for cell in cells])  # (cells, N, k)
            capped = cap_means(stacked, np.array([self._caps[cell] for cell in cells])[:, None, None])
            profiled = self.profilers[cells[0]].profile(capped.reshape(-1, stacked.shape[2]))
            for cell, values in zip(cells, profiled.reshape(*stacked.shape[:2], -1), strict=True):
                profiles[cell] = np.ascontiguousarray(values.T)
        return profiles


def _find_root(covariance: Array) -> Array:
    """Return a root (k, k) of a covariance: independent values times the root have the covariance."""
    eigenvalues, vectors = np.linalg.eigh(covariance)
    return np.asarray(np.sqrt(eigenvalues.clip(0))[:, None] * vectors.T)


def _estimate_shared_noise(curves: Sequence[NoisyCurve], sets: Sequence[Hashable]) -> float:
    """Estimate the correlation of the residuals of cells in one set: equal replicates may share random draws.

    It is the mean over all pairs of cells that have the same set and the same number of temperatures.
    """
    residuals_by_set: dict[Hashable, list[Array]] = {}
    for curve, key in zip(curves, sets, strict=True):
        residuals = curve.y - curve.y.mean(axis=0)
        residuals = residuals - residuals.mean(axis=1, keepdims=True)
        length = np.linalg.norm(residuals)
        if length > 0:
            residuals_by_set.setdefault(key, []).append(residuals / length)
    products, pairs = 0.0, 0
    for residuals_of_set in residuals_by_set.values():
        count = len(residuals_of_set)
        products += float((np.sum(residuals_of_set, axis=0) ** 2).sum()) - count
        pairs += count * (count - 1)
    correlation = products / pairs if pairs else 0.0
    return float(min(correlation, 0.99)) if correlation >= _MIN_SHARED else 0.0
