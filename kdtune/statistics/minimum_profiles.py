"""Say how badly a curve with its minimum at each of many places fits noisy means: the profile of the minimum.

The curves that are tried fall to their minimum and rise beyond it, on either side in a way of their own: as a straight
line or a parabola that levels off further out. A side of either form may be steep or flat, so that kinks and lopsided
curves are among them, and a change of shape is not taken for a move of the minimum. Curves with a flat bottom are not
among them.

What is far above the minimum says little of where it lies, but would decide the fit. Means are therefore capped: a
height h above the lowest mean becomes ``CAP`` (1 - exp(-h / c)), where c is ``CAP`` standard errors, or the height of
the ``MIN_NEAR``-th lowest mean if that is more.

Between two temperatures nothing was measured. A place is therefore as good as the best one within half a step of the
grid. Beyond the ends of the grid all places are as good as the end: a minimum there is "here or beyond" (censored).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from kdtune.statistics.standard_errors import Array

CAP = 8.0  # standard errors above the lowest mean, over which heights lose their weight
MIN_NEAR = 4  # the means that stay near the minimum, however small the noise: three do not show a shape
STEP = 0.25  # doublings of T from one place that is tried to the next
# The sides of the curves: 1 - exp(-(distance / width)^power), with the power and the width in doublings of T.
SIDES = ((1, 0.4), (1, 1.5), (1, 5.0), (1.5, 0.8), (1.5, 3.0), (2, 0.7), (2, 2.0))
ROUNDED_OFF = 0.25  # of a place that half a step of the grid may reach further than whole places do
_SMALLEST = 1e-6  # A column that differs by less from a combination of others adds nothing.
_LARGEST_SHARE = 0.97  # of ``CAP`` that a fit may reach: at ``CAP`` itself the height is infinite
_N_TOGETHER = 400  # curves whose fits are computed at once: more do not fit into the cache

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class MinimumProfiler:
    """All fits at k points: m places of the minimum, beyond which there is one more on either side; D fits in all."""

    places: Array  # (m,): log2 T, evenly spaced from the first point to the last
    reach: npt.NDArray[np.int_]  # (m + 2,): the neighbours within half a step of the grid
    weighting: Array  # (k,): the inverses of the points' relative standard deviations
    axes: tuple[Floats, ...]  # three arrays (k, D): orthonormal columns that span the fits to weighted means
    heights: tuple[Floats, ...]  # two arrays (k, D): from weighted means to the height of either side
    first_fits: npt.NDArray[np.int_]  # (m,): the number of each place's first fit

    def profile(self, capped_means: Array) -> Floats:
        """Return the squared distance (N, m + 2) of capped means (N, k) from the best curve with each place."""
        parts = np.array_split(capped_means, max(1, len(capped_means) // _N_TOGETHER))
        return np.concatenate([self._profile_part(part) for part in parts])

    def fit(self, capped_means: Array, place: int) -> Array:
        """Return the best capped curve (k,) with its minimum at a place, or within reach of it.

        Parameters
        ----------
        capped_means : (k,): The capped means.
        place : The number of the place in a profile, from 0 for "below the grid" to m + 1.
        """
        weighted, explained = self._explain(capped_means[None])
        last = len(self.places) - 1
        low, high = np.clip((place - 1 - self.reach[place], place - 1 + self.reach[place]), 0, last)
        stop = self.first_fits[high + 1] if high < last else explained.shape[1]
        best = int(explained[0, self.first_fits[low] : stop].argmax()) + int(self.first_fits[low])
        fitted = sum(axis[:, best] * float(weighted[0] @ axis[:, best]) for axis in self.axes)
        return np.asarray(fitted / self.weighting, float)

    def _profile_part(self, capped_means: Array) -> Floats:
        weighted, explained = self._explain(capped_means)
        inside = (weighted**2).sum(axis=1)[:, None] - np.maximum.reduceat(explained, self.first_fits, axis=1)
        distances = np.concatenate([inside[:, :1], inside, inside[:, -1:]], axis=1)
        best = distances.copy()
        for shift in range(1, int(self.reach.max()) + 1):
            reaching = np.flatnonzero(self.reach >= shift)
            below, above = reaching[reaching >= shift], reaching[reaching + shift < distances.shape[1]]
            best[:, below] = np.minimum(best[:, below], distances[:, below - shift])
            best[:, above] = np.minimum(best[:, above], distances[:, above + shift])
        return best

    def _explain(self, capped_means: Array) -> tuple[Floats, Floats]:
        """Return weighted means (N, k) and their squared length (N, D) along each fit; -1 where a side would fall."""
        weighted = (capped_means * self.weighting).astype(np.float32)
        explained = np.square(weighted @ self.axes[0])
        for axis in self.axes[1:]:
            along = weighted @ axis
            along *= along
            explained += along
        is_falling = (weighted @ self.heights[0]) < -_SMALLEST
        is_falling |= (weighted @ self.heights[1]) < -_SMALLEST
        explained[is_falling] = -1
        return weighted, explained


def choose_cap(means: Array, standard_error: float) -> float:
    """Return the height c above the lowest of the means (k,) that caps them, in their units.

    Parameters
    ----------
    means : (k,): The means.
    standard_error : The typical standard error of a mean.
    """
    above_lowest = np.sort(means) - means.min()
    # Where there is no noise and all means are equal, any height will do.
    return max(CAP * standard_error, float(above_lowest[MIN_NEAR - 1])) or 1.0


def cap_means(means: Array, heights: Array | float) -> Array:
    """Cap means (..., k) at heights (..., 1), so that what is far above the lowest says little.

    Returns
    -------
    The capped means (..., k), in standard errors: from 0 to ``CAP``.
    """
    return np.asarray(CAP * (1 - np.exp(-(means - means.min(axis=-1, keepdims=True)) / heights)))


def uncap_fit(fitted: Array, means: Array, height: float) -> Array:
    """Return a capped fit (k,) in units of the means (k,); means too high for a fit to say anything stay."""
    lowest = means.min()
    is_near = means - lowest < -height * np.log(1 - _LARGEST_SHARE)
    uncapped = lowest - height * np.log(1 - np.minimum(fitted / CAP, _LARGEST_SHARE))
    return np.asarray(np.where(is_near, uncapped, means))


def make_profiler(x: Array, variances: Array) -> MinimumProfiler:
    """Return the profiler for means at x (k,) with these variances (k,), of which only the ratios count.

    The ratios of standard deviations are rounded to powers of the square root of 2, so that settings with nearly the
    same noise share a profiler.
    """
    ratios = variances / variances.mean() if variances.any() else np.ones(len(x))
    exponents = np.round(-np.log2(np.maximum(ratios, 1 / 64)))
    return _make_profiler(tuple(x.tolist()), tuple((2 ** (exponents / 2)).tolist()))


@lru_cache(maxsize=256)
def _make_profiler(x_values: tuple[float, ...], weighting_values: tuple[float, ...]) -> MinimumProfiler:
    x, weighting = np.array(x_values), np.array(weighting_values)
    n_places = round((x[-1] - x[0]) / STEP) + 1
    places = np.linspace(x[0], x[-1], n_places)
    steps = np.diff(x)[np.clip(np.searchsorted(x, places, side="right") - 1, 0, len(x) - 2)]
    reach = np.ceil(steps / 2 / (places[1] - places[0]) - ROUNDED_OFF).clip(1).astype(int)

    left = _list_sides(places[:, None] - x)  # (m, s, k); the last side is flat
    right = _list_sides(x - places[:, None])
    n_sides = left.shape[1]
    shape = (n_places, n_sides, n_sides, len(x))
    level = np.broadcast_to(weighting / np.linalg.norm(weighting), shape)
    first = _remove(np.broadcast_to(left[:, :, None] * weighting, shape), level)
    first_axis, first_norm = _normalize(first)
    second_column = np.broadcast_to(right[:, None] * weighting, shape)
    without_level = _remove(second_column, level)
    second = _remove(without_level, first_axis)
    second_axis, second_norm = _normalize(second)
    second_height = second_axis / np.where(second_norm > 0, second_norm, 1.0)
    overlap = (without_level * first_axis).sum(axis=-1, keepdims=True)
    first_height = (first_axis - overlap * second_height) / np.where(first_norm > 0, first_norm, 1.0)

    # A side that adds nothing to the rest stands for the flat one, which is there anyway.
    asked_left, asked_right = np.arange(n_sides)[:, None] < n_sides - 1, np.arange(n_sides)[None] < n_sides - 1
    is_new = ((first_norm[..., 0] > 0) | ~asked_left) & ((second_norm[..., 0] > 0) | ~asked_right)
    numbers = np.broadcast_to(np.arange(n_places)[:, None, None], is_new.shape)[is_new]

    def select(values: Array) -> Floats:
        return np.ascontiguousarray(values[is_new].T, np.float32)

    return MinimumProfiler(
        places=places,
        reach=np.concatenate([reach[:1], reach, reach[-1:]]),
        weighting=weighting,
        axes=(select(level), select(first_axis), select(second_axis)),
        heights=(select(first_height), select(second_height)),
        first_fits=np.flatnonzero(np.diff(numbers, prepend=-1)),
    )


def _list_sides(distances: Array) -> Array:
    """Return the sides (m, s, k) of curves at distances (m, k) from the minimum; the last of them is flat."""
    positive = distances.clip(0)
    sides = [1 - np.exp(-((positive / width) ** power)) for power, width in SIDES]
    stacked = np.stack([*sides, np.zeros_like(positive)], axis=1)
    highest = stacked.max(axis=-1, keepdims=True)
    return np.asarray(stacked / np.where(highest > 0, highest, 1.0))


def _remove(columns: Array, axes: Array) -> Array:
    """Return columns (..., k) without their part along axes of length 1 or 0."""
    return np.asarray(columns - (columns * axes).sum(axis=-1, keepdims=True) * axes)


def _normalize(columns: Array) -> tuple[Array, Array]:
    """Return columns (..., k) with length 1, and their lengths (..., 1); both are 0 where columns are next to 0."""
    norms = np.linalg.norm(columns, axis=-1, keepdims=True)
    norms = np.where(norms > _SMALLEST * 100, norms, 0.0)
    return np.where(norms > 0, columns / np.where(norms > 0, norms, 1.0), 0.0), norms
