"""Fit curves that fall to a minimum at a given place and rise beyond it, for every place at once.

A curve with its minimum at m is a level plus, on either side of m, a sum of the first three powers of the distance from
m with coefficients of 0 or more. It may be steep on one side and flat on the other, may have a kink at m, and fall or
rise throughout if m is an end of the grid. What it is not: wavy, or flat far from m after it was steep.

Each fit is a least-squares problem with nonnegative coefficients. Its solution is the best of the unrestricted fits to
subsets of the terms whose coefficients are none below 0 (the conditions of Karush, Kuhn and Tucker), and there are at
most 64 subsets: all of them are prepared once for each grid as linear maps.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from kdtune.statistics.standard_errors import Array

POWERS = (1, 2, 3)
_N_PLACES = 44  # about so many places of a minimum are tried, two or more in each step of the grid
_MAX_CONDITION = 1e-7  # columns that are closer to dependent than this are no terms of their own


@dataclass(frozen=True)
class TurningFits:
    """Fits of turning curves to k values: n subsets of terms for m places of the minimum."""

    places: Array  # (m,): in ascending order, from the first x to the last
    place_of_subset: npt.NDArray[np.int_]  # (n,), ascending
    coefficient_maps: Array  # (c, k): from weighted values to the coefficients of all subsets, one after the other
    first_rows: npt.NDArray[np.int_]  # (n,): the first row of each subset in coefficient_maps; one of 0 stands first
    bases: Array  # (n, p, k): orthonormal rows that span the fits of each subset; rows of 0 fill up
    weights: Array  # (k,): what values are multiplied by before they are fitted


@dataclass(frozen=True)
class Profile:
    """How well curves with their minimum at each of m places fit k values."""

    places: Array  # (m,)
    misfits: Array  # (m,): the weighted sum of squared residuals
    fits: Array  # (m, k): the fitted values, weighted
    n_terms: npt.NDArray[np.int_]  # (m,): the number of terms of each fit, with the level


@lru_cache(maxsize=256)
def prepare_turning_fits(x: tuple[float, ...], weights: tuple[float, ...]) -> TurningFits:
    """Prepare the fits for values at x (k,), two or more in ascending order, with weights (k,) above 0."""
    grid, scale = np.array(x), np.array(weights)
    k = len(grid)
    n_parts = max(2, round(_N_PLACES / (k - 1)))
    fractions = np.arange(n_parts) / n_parts
    places = np.append((grid[:-1, np.newaxis] + np.diff(grid)[:, np.newaxis] * fractions).ravel(), grid[-1])
    terms = _list_terms(grid, places) * scale[:, np.newaxis]  # (m, k, 6)
    lengths = np.linalg.norm(terms, axis=1, keepdims=True)
    terms = np.divide(terms, lengths, out=np.zeros_like(terms), where=lengths > 0)
    level = scale / np.linalg.norm(scale)
    n_terms, maps, bases, owners = terms.shape[2], [], [], []
    for size in range(n_terms + 1):
        for subset in itertools.combinations(range(n_terms), size):
            columns = np.concatenate([np.tile(level[:, None], (len(places), 1, 1)), terms[:, :, subset]], axis=2)
            if size + 1 > k:
                continue
            base, triangle = np.linalg.qr(columns)
            diagonal = abs(np.diagonal(triangle, axis1=1, axis2=2))
            is_usable = (diagonal > _MAX_CONDITION).all(axis=1)
            coefficients = np.linalg.solve(triangle[is_usable], np.swapaxes(base[is_usable], 1, 2))[:, 1:]
            filled = np.zeros((len(coefficients), min(k, n_terms + 1), k))
            filled[:, : size + 1] = np.swapaxes(base[is_usable], 1, 2)
            owners.append(np.flatnonzero(is_usable))
            bases.append(filled)
            maps.extend(np.concatenate([np.zeros((len(coefficients), 1, k)), coefficients], axis=1))
    place_of_subset = np.concatenate(owners)
    order = np.argsort(place_of_subset, kind="stable")
    maps = [maps[i] for i in order]
    return TurningFits(
        places=places,
        place_of_subset=place_of_subset[order],
        coefficient_maps=np.concatenate(maps),
        first_rows=np.cumsum([0, *(len(rows) for rows in maps[:-1])]),
        bases=np.concatenate(bases)[order],
        weights=scale,
    )


def _list_terms(grid: Array, places: Array) -> Array:
    """Return the terms (m, k, 6) of curves with their minimum at each place, at the points of the grid."""
    distances = (grid - places[:, np.newaxis]) / (grid[-1] - grid[0])  # (m, k)
    sides = [np.maximum(-distances, 0.0), np.maximum(distances, 0.0)]
    return np.stack([side**power for side in sides for power in POWERS], axis=2)


def fit_turning_curves(fits: TurningFits, values: Array) -> Profile:
    """Fit a turning curve to values (k,) for each place of its minimum."""
    weighted = values * fits.weights
    coefficients = fits.coefficient_maps @ weighted
    tolerance = 1e-9 * float(abs(weighted).max())
    is_feasible = np.minimum.reduceat(coefficients, fits.first_rows) >= -tolerance
    bases = fits.bases[is_feasible]
    places = fits.place_of_subset[is_feasible]  # The level alone is feasible, so each place has a subset.
    scores = bases @ weighted  # (subsets, p)
    explained = (scores**2).sum(axis=1)
    order = np.lexsort((explained, places))
    best = order[np.append(np.flatnonzero(np.diff(places[order])), len(order) - 1)]  # the last of each place
    fitted = (bases[best] * scores[best, :, np.newaxis]).sum(axis=1)
    return Profile(
        places=fits.places,
        misfits=((weighted - fitted) ** 2).sum(axis=1),
        fits=fitted,
        n_terms=(abs(bases[best]).max(axis=2) > 0).sum(axis=1),
    )
