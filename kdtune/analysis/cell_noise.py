"""Estimate the noise of cells of paired replicates, pooled over those that are alike.

Cells whose students have the same settings, on data of several kinds, share the covariance over T of errors relative to
the cell's level; only its scale is the cell's own, as counts of few errors are relatively noisier than those of many.
What a sweep shows of the noise of one student is thus known from all of its data sets.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from kdtune.analysis.cell import Cell
from kdtune.analysis.cells import select_data_columns
from kdtune.analysis.sampling_errors import add_variance, estimate_selection_variance
from kdtune.columns import SCORE
from kdtune.statistics.additive_fit import (
    AdditiveFit,
    compute_mean_covariance,
    compute_residual_covariance,
    fit_additive,
)
from kdtune.statistics.correlated_differences import compute_standard_errors, critical_values_of_common_scale
from kdtune.statistics.moderated_variances import moderate_variances
from kdtune.statistics.noise_covariance import NoiseCovariance, estimate_noise_covariance
from kdtune.statistics.outliers import has_extreme_run
from kdtune.statistics.standard_errors import CONFIDENCE_LEVEL, Array, residual_variance

_N_DIRECTIONS = 256  # Critical values have errors of about 0.6 %, and there may be thousands of cells.


@dataclass(frozen=True)
class CellNoise:
    """The noise of a measure in one cell, in its units."""

    of_runs: NoiseCovariance  # of single runs, one of each T, within a replicate
    mean_covariance: Array  # (k, k): of the means over the replicates, but for what is common to them; with the
    # sampling of the examples that T is chosen on, where all replicates share them
    critical_values: Array  # (k,): of the differences of each T to the others, in standard errors

    @property
    def margins(self) -> Array:
        """The margins (k, k) of the mean of the row's T minus that of the column's, if the row's T is the best."""
        margins: Array = self.critical_values[:, np.newaxis] * compute_standard_errors(self.mean_covariance)
        return margins


@dataclass(frozen=True)
class _NoisyCell:
    """A cell whose residuals show noise."""

    y: Array  # (R, k)
    fit: AdditiveFit
    unit: float  # the level that errors are relative to
    covariance: Array  # (k, k): of the residuals, relative to the unit


def estimate_cell_noises(
    cells: Sequence[Cell], measure: str, columns: Sequence[str] | None = None
) -> list[CellNoise | None]:
    """Estimate the noise of each cell.

    Parameters
    ----------
    cells : The cells.
    measure : The measure that T is chosen by.
    columns : The columns that name a cell; those of its settings by default.

    Returns
    -------
    One entry per cell: None where runs are unpaired, or its replicates and temperatures show no noise.
    """
    noises: list[CellNoise | None] = [None] * len(cells)
    for indices in group_cells(cells, columns):
        described = [_describe_cell(cells[i], measure) for i in indices]
        members = [(i, cell) for i, cell in zip(indices, described, strict=True) if cell is not None]
        alike = [(i, cell) for i, cell in members if not has_extreme_run(cell.fit)]
        unlike = [(i, cell) for i, cell in members if has_extreme_run(cell.fit)]
        for group in [alike, *([member] for member in unlike)]:
            for (i, _), noise in zip(group, _estimate_group([cell for _, cell in group]), strict=True):
                variance = estimate_selection_variance(cells[i], measure)
                noises[i] = replace(noise, mean_covariance=add_variance(noise.mean_covariance, variance))
    return noises


def group_cells(cells: Sequence[Cell], columns: Sequence[str] | None) -> list[list[int]]:
    """Return the indices of the cells of each student: the same settings but for the data, and the same T."""
    groups: dict[tuple[Any, ...], list[int]] = {}
    for index, cell in enumerate(cells):
        names = list(cell.settings) if columns is None else list(columns)
        student = [name for name in names if name not in select_data_columns(names)]
        key = (*(str(cell.settings.get(name)) for name in student), cell.temperatures.tobytes())
        groups.setdefault(key, []).append(index)
    return list(groups.values())


def _describe_cell(cell: Cell, measure: str) -> _NoisyCell | None:
    """Return the residuals of a cell; None where they show no noise."""
    y = cell.student_measures[measure]
    if not cell.is_paired or min(y.shape) < 2:
        return None
    fit = fit_additive(y)
    if fit.dof <= 0 or residual_variance(fit.filled) == 0:
        return None
    # Errors and nll are noisier where there are more; a measure of the user's own may have any zero.
    level = float(fit.means.mean())
    unit = level if measure != SCORE and level > 0 else float(np.sqrt(residual_variance(fit.filled)))
    return _NoisyCell(y, fit, unit, compute_residual_covariance(fit) / unit**2)


def _estimate_group(cells: Sequence[_NoisyCell]) -> list[CellNoise]:
    """Estimate the noise of cells that are alike."""
    if not cells:
        return []
    dof = np.array([cell.fit.dof for cell in cells])
    stacked = np.array([cell.covariance for cell in cells])  # (G, k, k)
    pooled = np.tensordot(dof, stacked, 1) / dof.sum()
    scales, scale_dof = np.ones(len(cells)), np.zeros(len(cells))
    if len(cells) > 1:
        ratios, ratio_dof = _compare_scales(stacked, pooled, dof)
        moderated, moderated_dof = moderate_variances(ratios[:, np.newaxis], ratio_dof)
        scales, scale_dof = moderated[:, 0], moderated_dof[:, 0]
        pooled = np.tensordot(dof / scales, stacked, 1) / dof.sum()
    shared = estimate_noise_covariance(pooled, float(dof.sum()))
    are_alike = bool((scales == scales[0]).all())
    noises = []
    critical_values: dict[bytes, Array] = {}
    for cell, scale, own_dof in zip(cells, scales, scale_dof, strict=True):
        of_runs = NoiseCovariance(shared.covariance * scale, shared.dof)
        if not are_alike:  # The scale has an error of its own.
            of_runs = NoiseCovariance(of_runs.covariance, 1 / (1 / shared.dof + 1 / own_dof))
        mean_covariance = compute_mean_covariance(of_runs.covariance, cell.y)
        # Cells without holes and of the same precision have the same critical values, whatever their scale.
        key = np.isnan(cell.y).tobytes() + of_runs.dof.round(1).tobytes()
        if key not in critical_values:
            critical_values[key] = critical_values_of_common_scale(
                mean_covariance, of_runs.dof, CONFIDENCE_LEVEL, _N_DIRECTIONS
            )
        noises.append(
            CellNoise(
                of_runs=NoiseCovariance(of_runs.covariance * cell.unit**2, of_runs.dof),
                mean_covariance=mean_covariance * cell.unit**2,
                critical_values=critical_values[key],
            )
        )
    return noises


def _compare_scales(covariances: Array, pooled: Array, dof: Array) -> tuple[Array, Array]:
    """Compare the variances of each cell with the pooled ones.

    Parameters
    ----------
    covariances : (G, k, k): The covariances of the cells.
    pooled : (k, k): The pooled covariance.
    dof : (G,): The degrees of freedom of the cells' covariances.

    Returns
    -------
    (G,): The mean ratio of the variances of a cell to the pooled ones; (G,): the degrees of freedom of this mean, to
    which correlated variances contribute less (Satterthwaite 1946, Biometrics Bulletin 2).
    """
    variances = np.maximum(np.diagonal(pooled), 1e-12 * np.diagonal(pooled).max())
    correlations = pooled / np.sqrt(np.outer(variances, variances))
    ratios = (np.diagonal(covariances, axis1=1, axis2=2) / variances).mean(axis=1)
    return np.maximum(ratios, 1e-12), dof * len(pooled) ** 2 / float((correlations**2).sum())
