"""Estimate the effect of a factor on the best temperature from all cells together.

The model is log2 T_opt = d + e log2(factor). All cells share the effect e. Cells that differ only in the factor form
a block; each block has its own intercept d.

The cost of an effect e is the mean smooth curve of each cell at the T that the model predicts, summed over the cells,
with the intercepts that minimize the sum. The estimate of e minimizes the cost. Beyond the ends of its grid a curve is
level, so a minimum at an end counts as "there or beyond" (a censored value).

Replicates are the units of interval and test: the cost of one replicate, along the best intercepts, is one curve over
e, and ``smooth_minimum.find_minimum`` finds the minimum of their mean.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from kdtune.statistics.levelled_curves import LEVELLING_WIDTH, LevelledCurves
from kdtune.statistics.smooth_minimum import Minimum, find_minimum
from kdtune.statistics.standard_errors import CONFIDENCE_LEVEL, ROUNDING, Array, margin_of_error, sum_of_means

N_CANDIDATES = 241  # the number of effects e that are tried
INTERCEPT_STEP = 8  # the points of the axis from one intercept d that is tried to the next
STEEPNESS = 2.0  # The steepest candidate crosses the grid of temperatures in 1 / STEEPNESS of the factor's range.


@dataclass(frozen=True)
class Effect:
    """The change of log2 T_opt per doubling of a factor."""

    estimate: Minimum  # the estimated change with its interval
    p_value: float  # the p-value of the hypothesis that there is no effect
    check: float  # the estimate by a second method
    check_low: float  # the ends of its interval
    check_high: float


@dataclass(frozen=True)
class _Block:
    """The C cells that differ only in the factor, with their curves at n evenly spaced points of one axis."""

    factors: Array  # (C,): log2 of the factor, minus its mean over the block
    sets: list[int]  # (C,): the number of the independent set that each cell belongs to
    values: Array  # (R, C, n)
    slopes: Array  # (R, C, n); 0 at both ends
    curvatures: Array  # (C, n): curvature of the mean curve; 0 where it is negative, and at both ends
    optima: Array  # (R, C): the log2 T at which each replicate's own curve is lowest
    uncertainty: float  # the greatest uncertainty of its cells


def estimate_effect(
    axis: Array,
    curves: Sequence[LevelledCurves],
    factors: Sequence[float],
    blocks: Sequence[Hashable],
    sets: Sequence[int],
    confidence_level: float = CONFIDENCE_LEVEL,
) -> Effect | None:
    """Estimate the effect of a factor on log2 T_opt.

    Parameters
    ----------
    axis : (n,): The axis of log2 T that all curves share, from ``place_on_one_axis``.
    curves : The curves of each cell, from ``place_on_one_axis``.
    factors : The log2 of each cell's factor.
    blocks : The name of each cell's block. Cells in one block differ only in the factor.
    sets : The number of each cell's set, from 0 on. Replicates of cells in one set are paired, those of cells in
        different sets are independent.
    confidence_level : The confidence level of the intervals, between 0 and 1.

    Returns
    -------
    The effect, or None if no two cells differ only in the factor, or there are fewer than two replicates.
    """
    step = axis[1] - axis[0]
    compared_blocks = _build_blocks(curves, factors, blocks, sets, step)
    n_replicates = len(curves[0].values) if curves else 0
    if not compared_blocks or n_replicates < 2:
        return None

    low, high = axis[0] + LEVELLING_WIDTH, axis[-1] - LEVELLING_WIDTH
    factor_range = max(block.factors.max() - block.factors.min() for block in compared_blocks)
    max_effect = STEEPNESS * (high - low) / factor_range
    candidates = np.linspace(-max_effect, max_effect, N_CANDIDATES)
    costs = np.zeros((max(sets) + 1, n_replicates, N_CANDIDATES))
    scores = np.zeros_like(costs)
    for block in compared_blocks:
        cell_costs, cell_scores = _profile_costs(block, candidates, step)
        np.add.at(costs, block.sets, cell_costs)
        np.add.at(scores, block.sets, cell_scores)

    mean_costs = costs.mean(axis=1).sum(axis=0)
    # Where all optima lie beyond their grids, many candidates cost the same: the smallest of these effects is reported.
    cheapest_effects = candidates[mean_costs <= mean_costs.min() + ROUNDING * abs(mean_costs).max()]
    smallest_effect = float(cheapest_effects[abs(cheapest_effects).argmin()])
    minimum = find_minimum(candidates, costs, scores, confidence_level)
    uncertainty = max(block.uncertainty for block in compared_blocks) / factor_range
    estimate = Minimum(smallest_effect, minimum.low - uncertainty, minimum.high + uncertainty)

    # The hypothesis of no effect is tested in two ways, as in the interval: whether no effect costs as little as the
    # best candidate, and whether the slope of the cost is 0 at no effect. Near a minimum the second test is the more
    # powerful. Where no effect puts all optima beyond the ends of their grids, the cost is level and only the first
    # test has any power.
    no_effect, cheapest = N_CANDIDATES // 2, int(mean_costs.argmin())
    excess_costs = costs[..., [no_effect]] - costs[..., [cheapest]]
    p_value = min(_test_zero_mean(excess_costs), _test_zero_mean(scores[..., [no_effect]]))
    check, check_low, check_high = _regress_optima_on_factor(compared_blocks, confidence_level)
    return Effect(estimate, p_value, check, check_low, check_high)


def _test_zero_mean(scores: Array) -> float:
    """Compute the p-value of the t-test that the means of scores (sets, R, 1) sum to zero."""
    result = sum_of_means(scores)
    total, standard_error, dof = result.total[0], result.standard_error[0], result.dof[0]
    rounding = ROUNDING * abs(scores).max()
    if standard_error <= rounding:  # replicates without noise
        return float(abs(total) <= rounding)
    return float(2 * stats.t.sf(abs(total) / standard_error, dof))


def _build_blocks(
    curves: Sequence[LevelledCurves],
    factors: Sequence[float],
    blocks: Sequence[Hashable],
    sets: Sequence[int],
    step: float,
) -> list[_Block]:
    """Build the blocks in which the factor differs."""
    indices_by_block: dict[Hashable, list[int]] = {}
    for index, block in enumerate(blocks):
        indices_by_block.setdefault(block, []).append(index)
    built_blocks = []
    for indices in indices_by_block.values():
        block_factors = [factors[i] for i in indices]
        if len(set(block_factors)) > 1:
            block_curves, block_sets = [curves[i] for i in indices], [sets[i] for i in indices]
            built_blocks.append(_build_block(block_curves, np.array(block_factors), block_sets, step))
    return built_blocks


def _build_block(curves: Sequence[LevelledCurves], factors: Array, sets: list[int], step: float) -> _Block:
    slopes = np.stack([curve.slopes for curve in curves], axis=1)
    curvatures = np.gradient(slopes.mean(axis=0), step, axis=1).clip(0)
    curvatures[:, [0, -1]] = 0
    return _Block(
        factors=factors - factors.mean(),
        sets=sets,
        values=np.stack([curve.values for curve in curves], axis=1),
        slopes=slopes,
        curvatures=curvatures,
        optima=np.stack([curve.optima for curve in curves], axis=1),
        uncertainty=max(curve.uncertainty for curve in curves),
    )


def _profile_costs(block: _Block, candidates: Array, step: float) -> tuple[Array, Array]:
    """Compute the cost of each candidate effect, at the intercept that is best for the mean, and its derivative.

    Positions on the axis are counted in points, which are ``step`` apart.

    Returns
    -------
    The costs and the scores (derivatives of the costs by the effect), each (C, R, candidates).
    """
    shifts = block.factors[:, None] * candidates / step  # (C, candidates)
    intercepts = _find_best_intercepts(block.values.mean(axis=0), shifts)  # (candidates,)
    slope = _interpolate_each(block.slopes.mean(axis=0), intercepts + shifts).sum(axis=0)
    curvature = _interpolate_each(block.curvatures, intercepts + shifts).sum(axis=0)
    # One step of Newton's method finds the best intercept between those tried.
    newton_steps = np.divide(slope, curvature, out=np.zeros(len(candidates)), where=curvature > 0) / step
    positions = intercepts - newton_steps.clip(-INTERCEPT_STEP, INTERCEPT_STEP) + shifts
    slopes = _interpolate_each(block.slopes, positions)
    curvatures = _interpolate_each(block.curvatures, positions)
    # With the effect, the intercept moves by minus the mean factor, weighted by curvature. The score that remains
    # does not depend on how well the intercept is known.
    weight = curvatures.sum(axis=0)
    weighted_factor = block.factors @ curvatures
    mean_factor = np.divide(weighted_factor, weight, out=np.zeros(len(candidates)), where=weight > 0)
    scores = slopes * (block.factors[:, None] - mean_factor)
    costs = _interpolate_each(block.values, positions)
    return costs.swapaxes(0, 1), scores.swapaxes(0, 1)


def _find_best_intercepts(means: Array, shifts: Array) -> Array:
    """Find for each candidate the intercept, among those tried, that minimizes the sum of the cells' mean curves.

    The intercepts that are tried are ``INTERCEPT_STEP`` points apart. The values of a shifted curve at all of them are
    therefore every ``INTERCEPT_STEP``-th point in a window of the padded curve.

    Parameters
    ----------
    means : (C, n): The mean curve of each cell.
    shifts : (C, candidates): The shift of each cell's curve by each candidate, in points.

    Returns
    -------
    (candidates,): The intercepts, in points from the first point of the axis.
    """
    n_points = means.shape[1]
    half = (n_points - 1) // 2  # The intercepts reach half the length of the axis beyond either end.
    shifts = shifts.round().astype(int)
    padding = half + abs(shifts).max()
    padded_means = np.pad(means, ((0, 0), (padding, padding)), mode="edge")
    sums = np.zeros((shifts.shape[1], 4 * half // INTERCEPT_STEP + 1))
    for curve, first_windows in zip(padded_means, shifts + padding - half, strict=True):
        windows = np.lib.stride_tricks.sliding_window_view(curve, 4 * half + 1)
        sums += windows[:, ::INTERCEPT_STEP][first_windows]
    intercepts: Array = sums.argmin(axis=1) * float(INTERCEPT_STEP) - half
    return intercepts


def _interpolate_each(curves: Array, positions: Array) -> Array:
    """Interpolate curves (..., C, n) linearly, each at its own positions (C, m); curves are level beyond their ends."""
    last_point = curves.shape[-1] - 1
    positions = positions.clip(0, last_point)
    lower_points = np.minimum(positions.astype(int), last_point - 1)
    index = np.broadcast_to(lower_points, (*curves.shape[:-1], positions.shape[-1]))
    below = np.take_along_axis(curves, index, axis=-1)
    above = np.take_along_axis(curves, index + 1, axis=-1)
    interpolated: Array = below + (positions - lower_points) * (above - below)
    return interpolated


def _regress_optima_on_factor(blocks: Sequence[_Block], confidence_level: float) -> tuple[float, float, float]:
    """Estimate the effect by a second method: regress each replicate's own optima on the factor, within blocks.

    Returns
    -------
    The mean of the replicates' slopes and the two ends of its t-interval.
    """
    n_sets = max(max(block.sets) for block in blocks) + 1
    products = np.zeros((n_sets, len(blocks[0].optima), 1))
    for block in blocks:
        np.add.at(products, block.sets, (block.optima * block.factors).T[..., None])
    slope = sum_of_means(products / sum(block.factors @ block.factors for block in blocks))
    margin = margin_of_error(slope.standard_error, slope.dof, confidence_level)
    return float(slope.total[0]), float((slope.total - margin)[0]), float((slope.total + margin)[0])
