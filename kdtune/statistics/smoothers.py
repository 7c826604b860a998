"""Smooth noisy values at a few x by linear maps to a curve and its slopes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.interpolate import make_smoothing_spline

from kdtune.statistics.standard_errors import Array

N_POINTS = 401  # the points at which smooth curves are evaluated
MIN_SPLINE_POINTS = 5  # the number of x that make_smoothing_spline needs
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
