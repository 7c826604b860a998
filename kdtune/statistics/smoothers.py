"""Smooth noisy values at a few x by linear maps to a curve and its slopes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.interpolate import make_smoothing_spline

from kdtune.statistics.standard_errors import Array, residual_variance

N_POINTS = 401  # the points at which smooth curves are evaluated
MIN_SPLINE_POINTS = 5  # the number of x that make_smoothing_spline needs
# Steps of ``list_smoothers`` from the one with the least expected error; each divides the penalty by 1.8.
STEPS_ROUGHER = 1
SPLINE_PENALTIES = np.geomspace(1e-5, 1e3, 33)  # from almost interpolation to almost a straight line


@dataclass(frozen=True)
class Smoother:
    """A linear map from values at k points x to a smooth curve, as matrices.

    For values y (k,), ``values @ y`` is the curve at ``points`` and ``slopes @ y`` its slope there.
    """

    points: Array  # (n,): evenly spaced from the first x to the last
    fitted: Array  # (k, k): from values to the curve at x; its trace is the degrees of freedom of the fit
    values: Array  # (n, k)
    slopes: Array  # (n, k)

    def smooth(self, y: Array) -> tuple[Array, Array]:
        """Return the smooth curves of y (R, k) and their slopes, each (R, n)."""
        return y @ self.values.T, y @ self.slopes.T


@dataclass(frozen=True)
class _Fits:
    """The fits of m smoothers at the same x, stacked."""

    maps: Array  # (m, k, k): from values to fitted values
    leverages: Array  # (m, k): the diagonals of the maps
    dof: Array  # (m,): degrees of freedom that each fit takes, the sum of its leverages


@dataclass(frozen=True)
class NoisyMeans:
    """The means of one cell at k points, with the variance of each; None if the noise cannot be estimated."""

    means: Array  # (k,)
    variances: Array | None  # (k,)


@lru_cache(maxsize=64)
def list_smoothers(x: tuple[float, ...]) -> list[Smoother]:
    """List smoothers for values at x, from one that passes through all values to a straight line.

    They are natural cubic smoothing splines, or polynomials where x has fewer points than a spline needs.

    Parameters
    ----------
    x : (k,): The x in ascending order, two or more.
    """
    if len(x) < MIN_SPLINE_POINTS:
        return [_make_polynomial_smoother(np.array(x), degree) for degree in reversed(range(1, len(x)))]
    return [_make_spline_smoother(np.array(x), penalty) for penalty in SPLINE_PENALTIES]


def _make_polynomial_smoother(x: Array, degree: int) -> Smoother:
    points = np.linspace(x[0], x[-1], N_POINTS)
    coefficients = np.linalg.pinv(np.vander(x, degree + 1))  # (degree + 1, k): values to coefficients
    derivative = np.vander(points, degree) * np.arange(degree, 0, -1)
    return Smoother(
        points=points,
        fitted=np.vander(x, degree + 1) @ coefficients,
        values=np.vander(points, degree + 1) @ coefficients,
        slopes=derivative @ coefficients[:-1],
    )


def _make_spline_smoother(x: Array, penalty: float) -> Smoother:
    points = np.linspace(x[0], x[-1], N_POINTS)
    mean_step = (x[-1] - x[0]) / (len(x) - 1)
    # The penalty on the squared second derivative has units of x cubed.
    spline = make_smoothing_spline(x, np.eye(len(x)), lam=penalty * mean_step**3)
    return Smoother(points=points, fitted=spline(x), values=spline(points), slopes=spline(points, 1))


def choose_smoother(x: tuple[float, ...], ys: Sequence[Array], steps_rougher: int = STEPS_ROUGHER) -> Smoother:
    """Choose one smoother for several cells of paired replicates, as ``choose_smoother_of_means`` does.

    Parameters
    ----------
    x : (k,): The x of all cells in ascending order.
    ys : The values of each cell, (R, k): R replicates at k points. Their noise variance is ``residual_variance``.
    steps_rougher : See ``choose_smoother_of_means``.
    """
    cells = []
    for y in ys:
        variances = np.full(y.shape[1], residual_variance(y) / len(y)) if len(y) > 1 else None
        cells.append(NoisyMeans(y.mean(axis=0), variances))
    return choose_smoother_of_means(x, cells, steps_rougher)


def choose_smoother_of_means(
    x: tuple[float, ...], cells: Sequence[NoisyMeans], steps_rougher: int = STEPS_ROUGHER
) -> Smoother:
    """Choose one smoother for several cells: a rougher one than that with the least expected error for their means.

    The expected error is Mallows' C_p (1973, Technometrics 15), summed over cells in units of the largest variance of
    their means. For a cell whose noise cannot be estimated, generalized cross-validation replaces it (Craven and Wahba
    1979, Numerische Mathematik 31).

    The least expected error balances bias and noise, but an interval needs a bias that is small compared with the
    noise. That is why a rougher smoother is chosen.

    Parameters
    ----------
    x : (k,): The x of all cells in ascending order.
    cells : The means of each cell.
    steps_rougher : The number of steps in ``list_smoothers`` from the smoother with the least expected error to the
        chosen one.
    """
    smoothers, fits = list_smoothers(x), _stack_fits(x)
    expected_errors = np.zeros(len(smoothers))
    for cell in cells:
        misfits = ((cell.means - fits.maps @ cell.means) ** 2).sum(axis=1)
        if cell.variances is None:
            residual_share = np.maximum(1 - fits.dof / len(x), 1e-9)  # It is 0 if the curve meets all values.
            expected_errors += np.log(misfits / residual_share**2 + 1e-12)
        elif cell.variances.max() > 0:
            unit = cell.variances.max()
            expected_errors += misfits / unit + 2 * (fits.leverages * (cell.variances / unit)).sum(axis=1)
    chosen_index = int(np.argmin(expected_errors))
    return smoothers[max(0, chosen_index - steps_rougher)]


@lru_cache(maxsize=64)
def _stack_fits(x: tuple[float, ...]) -> _Fits:
    maps = np.stack([smoother.fitted for smoother in list_smoothers(x)])
    leverages = np.diagonal(maps, axis1=1, axis2=2)
    return _Fits(maps=maps, leverages=leverages, dof=leverages.sum(axis=1))
