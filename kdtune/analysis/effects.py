"""Whether the best temperature moves with a factor, over all cells at once. Knows arrays, no table.

The model is a rule: log2 T = d + e log2(factor), one e for all cells and a d for each block of cells that
differ in the factor alone. The rule's cost is the mean smooth curve at the T that it gives each cell,
summed over the cells; beyond the ends of a grid a curve stays at its end's value, so that an optimum
there is only known to lie there or beyond (censored). e is where the cost, minimal over the d's, has its
minimum; replicates are the unit, and interval and test are those of ``curves.minimum``, for a
replicate's cost along the best d's is one curve of e.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

from kdtune.analysis.curves import Array, Optimum, minimum

SLOPES, LEVELS = 241, 241  # of the rules tried
REACH = 2.0  # the steepest rule crosses the whole grid of temperatures in 1 / REACH of the factor's range


@dataclass(frozen=True)
class Curve:
    """A cell's smooth curves: one a replicate, all at the same points."""

    points: Array  # (n,): log2 T
    values: Array  # (R, n), in units of the cell's noise
    slopes: Array  # (R, n)
    factor: float  # log2 of it
    block: Hashable


@dataclass(frozen=True)
class Effect:
    """Change of log2 T_opt per doubling of a factor."""

    optimum: Optimum
    p_value: float  # of no effect
    check: float  # by the second method
    check_low: float
    check_high: float


def effect(curves: Sequence[Curve], level: float = 0.95) -> Effect | None:
    """None if no two cells differ in the factor alone, or there are fewer than two replicates."""
    blocks = [own for own in _blocks(curves) if len({c.factor for c in own}) > 1]
    if not blocks or len(blocks[0][0].values) < 2:
        return None
    low, high = min(c.points[0] for c in curves), max(c.points[-1] for c in curves)
    spread = max(max(c.factor for c in own) - min(c.factor for c in own) for own in blocks)
    steepest = REACH * (high - low) / spread
    rules = np.linspace(-steepest, steepest, SLOPES)
    costs, scores = (sum(parts) for parts in zip(*(_profile(own, rules, low, high) for own in blocks), strict=True))
    found = minimum(rules, costs, scores, level)
    none = scores[:, SLOPES // 2]
    p_value = float(stats.ttest_1samp(none, 0).pvalue) if none.std() else math.nan
    return Effect(found, p_value, *_by_replicate(blocks, level))


def _blocks(curves: Sequence[Curve]) -> list[list[Curve]]:
    found: dict[Hashable, list[Curve]] = {}
    for one in curves:
        found.setdefault(one.block, []).append(one)
    return list(found.values())


def _profile(block: Sequence[Curve], rules: Array, low: float, high: float) -> tuple[Array, Array]:
    """Costs and their derivatives, (replicates, rules), each rule with the level d that is best for the mean."""
    factors = np.array([one.factor for one in block])
    factors = factors - factors.mean()
    half = (high - low) / 2
    levels = np.linspace(low - half, high + half, LEVELS)
    total = np.zeros((len(rules), len(levels)))
    for one, x in zip(block, factors, strict=True):
        total += np.interp(levels[None, :] + rules[:, None] * x, one.points, one.values.mean(axis=0))
    best = levels[total.argmin(axis=1)]  # (rules,)
    step = levels[1] - levels[0]
    fall, bend = np.zeros(len(rules)), np.zeros(len(rules))
    for one, x in zip(block, factors, strict=True):  # one step of Newton's, between the levels tried
        inside, slope, bent = _mean_slope(one, best + rules * x)
        fall, bend = fall + slope * inside, bend + bent * inside
    best = best - np.divide(fall, bend, out=np.zeros(len(rules)), where=bend > 0).clip(-step, step)
    costs = np.zeros((len(block[0].values), len(rules)))
    slopes, bends = np.empty((len(block), *costs.shape)), np.empty((len(block), len(rules)))
    for i, (one, x) in enumerate(zip(block, factors, strict=True)):
        at = best + rules * x
        inside, _, bent = _mean_slope(one, at)
        costs += [np.interp(at, one.points, own) for own in one.values]
        slopes[i] = np.array([np.interp(at, one.points, own) for own in one.slopes]) * inside
        bends[i] = bent * inside
    # With the rule, d moves by minus the mean factor that is weighted by curvature. What is left does not depend
    # on how well d is known.
    weight = bends.sum(axis=0)
    moves = np.divide(factors @ bends, weight, out=np.zeros(len(rules)), where=weight > 0)
    return costs, (slopes * (factors[:, None, None] - moves)).sum(axis=0)


def _mean_slope(one: Curve, at: Array) -> tuple[npt.NDArray[np.bool_], Array, Array]:
    """Where ``at`` lies on the grid; slope of the mean curve there; curvature, as far as it is a valley's."""
    slope = one.slopes.mean(axis=0)
    inside = (at >= one.points[0]) & (at <= one.points[-1])
    return inside, np.interp(at, one.points, slope), np.interp(at, one.points, np.gradient(slope, one.points)).clip(0)


def _by_replicate(blocks: Sequence[Sequence[Curve]], level: float) -> tuple[float, float, float]:
    """A second method: the slope of each replicate's own optima on the factor, within blocks; t over replicates."""
    above, below = 0.0, 0.0
    for own in blocks:
        factors = np.array([one.factor for one in own])
        optima = np.array([one.points[one.values.argmin(axis=1)] for one in own])  # (cells, R)
        centred = factors - factors.mean()
        above, below = above + centred @ optima, below + centred @ centred
    slopes = np.asarray(above / below)
    half = stats.t.ppf((1 + level) / 2, len(slopes) - 1) * slopes.std(ddof=1) / math.sqrt(len(slopes))
    return float(slopes.mean()), float(slopes.mean() - half), float(slopes.mean() + half)
