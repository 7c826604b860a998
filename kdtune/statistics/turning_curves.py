"""Fit curves that fall to a minimum at a given place and rise beyond it, for every place at once.

On either side of its minimum the curve is bent upward: it falls ever less steeply towards the minimum, and rises ever
more steeply beyond it. Nothing else is assumed: it may have kinks, there and elsewhere, be steep on one side and flat
on the other, or fall or rise throughout if its minimum is an end of the grid.

At the points of a grid such a curve is a level plus hinges with coefficients of 0 or more (Hildreth 1954, JASA 49): it
is fitted by nonnegative least squares (Lawson and Hanson 1974, Solving Least Squares Problems, chapter 23).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy import optimize

from kdtune.statistics.standard_errors import Array

_N_PLACES = 33  # about so many places of a minimum are tried, two or more in each step of the grid


@dataclass(frozen=True)
class Profile:
    """How well curves with their minimum at each of m places fit k values."""

    places: Array  # (m,): in ascending order, from the first x to the last
    misfits: Array  # (m,): the weighted sum of squared residuals
    fits: Array  # (m, k): the fitted values, weighted, but for a level that is common to all places
    n_terms: npt.NDArray[np.int_]  # (m,): the number of terms of each fit, with its level


def fit_turning_curves(x: Array, values: Array, weights: Array) -> Profile:
    """Fit a curve to values for each place of its minimum.

    Parameters
    ----------
    x : (k,): The points of the grid in ascending order, two or more.
    values : (k,): The values at x.
    weights : (k,): What residuals are multiplied by before they are squared, above 0.
    """
    places, hinges = _list_hinges(tuple(x - x[0]))
    level = weights / np.linalg.norm(weights)
    weighted = weights * values
    weighted -= level * (level @ weighted)
    misfits, fits, n_terms = np.empty(len(places)), np.empty((len(places), len(x))), np.empty(len(places), int)
    for i, hinges_of_place in enumerate(hinges):
        terms = weights[:, np.newaxis] * hinges_of_place
        terms -= np.outer(level, level @ terms)  # The level is free: it is fitted first.
        coefficients, misfit = optimize.nnls(terms, weighted)
        misfits[i], fits[i], n_terms[i] = misfit**2, terms @ coefficients, np.count_nonzero(coefficients) + 1
    return Profile(places + x[0], misfits, fits, n_terms)


@lru_cache(maxsize=64)
def _list_hinges(x: tuple[float, ...]) -> tuple[Array, list[Array]]:
    """List the places (m,) of a minimum, and for each the hinges (k, h) that have their least value, 0, there.

    A hinge is 0 on one side of a knot and rises in a straight line on the other. The knots are the place itself and,
    on either side of it, the points of the grid.
    """
    grid = np.array(x)
    n_parts = max(2, round(_N_PLACES / (len(grid) - 1)))
    fractions = np.arange(n_parts) / n_parts
    places = np.append((grid[:-1, np.newaxis] + np.diff(grid)[:, np.newaxis] * fractions).ravel(), grid[-1])
    hinges = []
    for place in places:
        left_knots = np.append(grid[(grid > grid[0]) & (grid < place)], place)
        right_knots = np.append(place, grid[(grid > place) & (grid < grid[-1])])
        falling = np.maximum(left_knots - grid[:, np.newaxis], 0.0)
        rising = np.maximum(grid[:, np.newaxis] - right_knots, 0.0)
        both = np.concatenate([falling, rising], axis=1)
        hinges.append(both[:, both.any(axis=0)] / (grid[-1] - grid[0]))
    return places, hinges
