"""Whether the best temperature moves with a factor, over all cells at once. Knows arrays, no table.

The model is a rule: log2 T = d + e log2(factor), one e for all cells and a d for each block of cells that
differ in the factor alone. The rule's cost is the mean smooth curve at the T that it gives each cell,
summed over the cells; beyond the ends of its grid a curve levels off, so that an optimum there is only
known to lie there or beyond (censored). e is where the cost, minimal over the d's, has its
minimum; replicates are the unit, and interval and test are those of ``curves.minimum``, for a
replicate's cost along the best d's is one curve of e.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import stats

from kdtune.statistics.smooth_minimum import (
    POINTS,
    ROUNDING,
    Array,
    Optimum,
    find_minimum,
    margin_of_error,
    sum_of_means,
)

RULES = 241  # that are tried
EVERY = 8  # points of the axis from one level that is tried to the next
# Doublings beyond the ends of its grid over which a curve's slope goes to zero: no rule hangs on a kink there.
LEVELS_OFF = 0.25
REACH = 2.0  # the steepest rule crosses the whole grid of temperatures in 1 / REACH of the factor's range


@dataclass(frozen=True)
class Curve:
    """A cell's smooth curves: one a replicate, all at the same points."""

    points: Array  # (n,): log2 T
    values: Array  # (R, n), in units of the cell's noise
    slopes: Array  # (R, n)
    grid: Array  # (k,): log2 T that were tried


@dataclass(frozen=True)
class Levelled:
    """The same on the axis that all cells share, level beyond the ends of the cell's own grid."""

    values: Array  # (R, n)
    slopes: Array  # (R, n); 0 at both ends
    optima: Array  # (R,): where each replicate's own curve is least, within its grid
    doubt: float  # about the optimum of the mean, beside its noise: ``_doubt``


@dataclass(frozen=True)
class Effect:
    """Change of log2 T_opt per doubling of a factor."""

    optimum: Optimum
    p_value: float  # of no effect
    check: float  # by the second method
    check_low: float
    check_high: float


@dataclass(frozen=True)
class _Block:
    """Cells that differ in the factor alone, on one axis of evenly spaced points."""

    factors: Array  # (C,), centred
    sets: list[int]  # (C,): to which independent set each cell belongs
    values: Array  # (R, C, n)
    slopes: Array  # (R, C, n); 0 at both ends
    bends: Array  # (C, n): curvature of the mean, as far as it is a valley's; 0 at both ends
    optima: Array  # (R, C): where each replicate's own curve is least
    doubt: float  # the greatest of its cells


def place_on_one_axis(curves: Sequence[Curve]) -> tuple[Array, list[Levelled]]:
    """An axis that reaches beyond all curves, (n,) evenly spaced points, and the curves on it."""
    low, high = min(c.points[0] for c in curves), max(c.points[-1] for c in curves)
    axis = np.linspace(low - LEVELS_OFF, high + LEVELS_OFF, POINTS)
    return axis, [_levelled(one, axis) for one in curves]


def estimate_effect(
    axis: Array,
    curves: Sequence[Levelled],
    factors: Sequence[float],
    blocks: Sequence[Hashable],
    sets: Sequence[int],
    level: float = 0.95,
) -> Effect | None:
    """None if no two cells differ in the factor alone, or there are fewer than two replicates.

    Parameters
    ----------
    axis, curves : of the cells, from ``on_one_axis``.
    factors : log2 of each cell's.
    blocks : cells in one block differ in the factor alone.
    sets : from 0 on; the replicates of cells in different sets are independent, those in one are paired.
    """
    together = _together(curves, factors, blocks, sets, axis)
    count = len(curves[0].values) if curves else 0
    if not together or count < 2:
        return None
    low, high = axis[0] + LEVELS_OFF, axis[-1] - LEVELS_OFF
    spread = max(block.factors.max() - block.factors.min() for block in together)
    steepest = REACH * (high - low) / spread
    rules = np.linspace(-steepest, steepest, RULES)
    costs, scores = np.zeros((2, max(sets) + 1, count, RULES))
    for block in together:
        for total, each in zip((costs, scores), _profile(block, rules, axis[1] - axis[0]), strict=True):
            np.add.at(total, block.sets, each)
    mean, none = costs.mean(axis=1).sum(axis=0), RULES // 2
    alike = rules[mean <= mean.min() + ROUNDING * abs(mean).max()]  # where all optima lie beyond their grids, many
    found = replace(find_minimum(rules, costs, scores, level), at=float(alike[abs(alike).argmin()]))
    doubt = max(block.doubt for block in together) / spread
    found = replace(found, low=found.low - doubt, high=found.high + doubt)
    # As in the interval: no effect costs more than the best rule does, or it falls or rises there. Around a minimum the
    # second sees more; where no effect puts all optima beyond the ends of their grids, only the first sees anything.
    more = costs[..., [none]] - costs[..., [int(mean.argmin())]]
    p_value = min(_p_value(more), _p_value(scores[..., [none]]))
    return Effect(found, p_value, *_by_replicate(together, level))


def _p_value(scores: Array) -> float:
    """Of the t-test that the means of scores (sets, R, 1) sum to zero."""
    (mean,), (error,), (freedom,) = sum_of_means(scores)
    if error <= ROUNDING * abs(scores).max():  # replicates without noise
        return float(abs(mean) <= ROUNDING * abs(scores).max())
    return float(2 * stats.t.sf(abs(mean) / error, freedom))


def _together(
    curves: Sequence[Levelled],
    factors: Sequence[float],
    blocks: Sequence[Hashable],
    sets: Sequence[int],
    axis: Array,
) -> list[_Block]:
    """The blocks in which the factor differs."""
    found: dict[Hashable, list[int]] = {}
    for place, block in enumerate(blocks):
        found.setdefault(block, []).append(place)
    return [
        _block([curves[i] for i in own], np.array([factors[i] for i in own]), [sets[i] for i in own], axis[1] - axis[0])
        for own in found.values()
        if len({factors[i] for i in own}) > 1
    ]


def _block(own: Sequence[Levelled], factors: Array, sets: Sequence[int], step: float) -> _Block:
    values, slopes, optima = (
        np.stack([getattr(c, name) for c in own], axis=1) for name in ("values", "slopes", "optima")
    )
    bends = np.gradient(slopes.mean(axis=0), step, axis=1).clip(0)
    bends[:, [0, -1]] = 0
    doubt = max(c.doubt for c in own)
    return _Block(factors - factors.mean(), list(sets), values, slopes, bends, optima, doubt)


def _levelled(one: Curve, axis: Array) -> Levelled:
    """Beyond the ends of its grid the slope goes to zero, linearly, and stays."""
    low, high = one.points[0], one.points[-1]
    inside = axis.clip(low, high)
    beyond = (axis - inside).clip(-LEVELS_OFF, LEVELS_OFF)
    slopes = _on(inside, one.points, one.slopes)
    values = _on(inside, one.points, one.values) + slopes * (beyond - beyond * abs(beyond) / (2 * LEVELS_OFF))
    slopes = slopes * (1 - abs(beyond) / LEVELS_OFF)
    slopes[:, [0, -1]] = 0
    return Levelled(values, slopes, one.points[one.values.argmin(axis=1)], _doubt(one))


def _doubt(one: Curve) -> float:
    """The last step of the grid if the mean curve is least within it, else 0.

    Toward its ends a smooth curve loses its bend, which draws a minimum there to the end: by how much is not known,
    but by less than the step. (Without this, an interval of the effect missed it in a fifth of tables such as that.)
    """
    at, grid = one.points[one.values.mean(axis=0).argmin()], one.grid
    if at < grid[1]:
        return float(grid[1] - grid[0])
    return float(grid[-1] - grid[-2]) if at > grid[-2] else 0.0


def _on(axis: Array, points: Array, ys: Array) -> Array:
    """Curves (R, n) at other places: linear between points, which are evenly spaced."""
    places = (axis - points[0]) / (points[1] - points[0])
    whole = places.astype(int).clip(0, len(points) - 2)
    part = places - whole
    between: Array = ys[:, whole] * (1 - part) + ys[:, whole + 1] * part
    return between


def _profile(block: _Block, rules: Array, step: float) -> tuple[Array, Array]:
    """Each cell's costs and their derivatives, (C, R, rules), each rule with the level d that is best for the mean.

    Places on the axis are reckoned in points, of which each is ``step`` wide.
    """
    shifts = block.factors[:, None] * rules / step  # (C, rules)
    best = _best_levels(block.values.mean(axis=0), shifts)  # (rules,)
    mean_slopes = block.slopes.mean(axis=0)
    fall, bend = (_at(curves, best + shifts).sum(axis=0) for curves in (mean_slopes, block.bends))
    newton = np.divide(fall, bend, out=np.zeros(len(rules)), where=bend > 0) / step  # between the levels tried
    at = best - newton.clip(-EVERY, EVERY) + shifts
    slopes, bends = _at(block.slopes, at), _at(block.bends, at)
    # With the rule, d moves by minus the mean factor that is weighted by curvature. What is left does not depend
    # on how well d is known.
    weight = bends.sum(axis=0)
    moves = np.divide(block.factors @ bends, weight, out=np.zeros(len(rules)), where=weight > 0)
    scores = slopes * (block.factors[:, None] - moves)
    return _at(block.values, at).swapaxes(0, 1), scores.swapaxes(0, 1)


def _best_levels(means: Array, shifts: Array) -> Array:
    """For each rule the place of the level at which the cells' mean curves (C, n), shifted (C, rules), sum to least.

    To whole points. Over the levels that are tried a shifted curve is every so many of its points, from one on.
    """
    n = means.shape[1]
    half, shifts = (n - 1) // 2, shifts.round().astype(int)  # levels reach half the axis beyond either end
    before = half + abs(shifts).max()
    padded = np.pad(means, ((0, 0), (before, before)), mode="edge")
    total = np.zeros((shifts.shape[1], 4 * half // EVERY + 1))
    for curve, first in zip(padded, shifts + before - half, strict=True):
        total += np.lib.stride_tricks.sliding_window_view(curve, 4 * half + 1)[:, ::EVERY][first]
    best: Array = total.argmin(axis=1) * float(EVERY) - half
    return best


def _at(curves: Array, places: Array) -> Array:
    """Curves (..., C, n) at places (C, rules) between their points; beyond their ends the ends' values."""
    last = curves.shape[-1] - 1
    places = places.clip(0, last)
    whole = np.minimum(places.astype(int), last - 1)
    index = np.broadcast_to(whole, (*curves.shape[:-1], places.shape[-1]))
    below, above = (np.take_along_axis(curves, index + i, axis=-1) for i in (0, 1))
    between: Array = below + (places - whole) * (above - below)
    return between


def _by_replicate(blocks: Sequence[_Block], level: float) -> tuple[float, float, float]:
    """A second method: the slope of each replicate's own optima on the factor, within blocks, with its t-interval."""
    above = np.zeros((max(max(block.sets) for block in blocks) + 1, len(blocks[0].optima), 1))
    for block in blocks:
        np.add.at(above, block.sets, (block.optima * block.factors).T[..., None])
    mean, error, freedom = sum_of_means(above / sum(block.factors @ block.factors for block in blocks))
    half = margin_of_error(error, freedom, level)
    return float(mean[0]), float((mean - half)[0]), float((mean + half)[0])
