"""Estimate whether the best temperature moves with a factor, over all cells at once.

The model is log2 T = d + e log2(factor), with one effect e for all cells and an intercept d for each block of
cells that differ in the factor alone. The cost of an effect is the mean smooth curve of each cell at the T that
the model gives it, summed over the cells, with the d's that make it least. Beyond the ends of its grid a curve
levels off, so that an optimum there is only known to lie there or beyond (censored). The estimate of e is where
the cost is least. Replicates are the unit; interval and test are those of ``smooth_minimum.find_minimum``, for
the cost of one replicate along the best d's is one curve of e.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from kdtune.statistics.levelled_curves import LEVELLING_WIDTH, LevelledCurves
from kdtune.statistics.smooth_minimum import Minimum, find_minimum
from kdtune.statistics.standard_errors import ROUNDING, Array, margin_of_error, sum_of_means

N_CANDIDATES = 241  # effects e that are tried
INTERCEPT_STEP = 8  # points of the axis from one intercept d that is tried to the next
STEEPNESS = 2.0  # the steepest candidate crosses the whole grid of temperatures in 1 / STEEPNESS of the factor's range


@dataclass(frozen=True)
class Effect:
    """The change of log2 T_opt per doubling of a factor."""

    estimate: Minimum
    p_value: float  # of no effect
    check: float  # the estimate by a second method
    check_low: float
    check_high: float


@dataclass(frozen=True)
class _Block:
    """Cells that differ in the factor alone, on one axis of evenly spaced points."""

    factors: Array  # (C,): log2 of the factor, centred
    sets: list[int]  # (C,): to which independent set each cell belongs
    values: Array  # (R, C, n)
    slopes: Array  # (R, C, n); 0 at both ends
    curvatures: Array  # (C, n): of the mean curve; 0 where it is no valley's, and at both ends
    optima: Array  # (R, C): where each replicate's own curve is lowest
    uncertainty: float  # the greatest of its cells


def estimate_effect(
    axis: Array,
    curves: Sequence[LevelledCurves],
    factors: Sequence[float],
    blocks: Sequence[Hashable],
    sets: Sequence[int],
    confidence_level: float = 0.95,
) -> Effect | None:
    """Estimate the effect of a factor on log2 T_opt.

    Parameters
    ----------
    axis, curves : the cells' curves, from ``place_on_one_axis``.
    factors : log2 of each cell's factor.
    blocks : names the block of each cell; cells in one block differ in the factor alone.
    sets : from 0 on; the replicates of cells in different sets are independent, those in one are paired.

    Returns
    -------
    None if no two cells differ in the factor alone, or there are fewer than two replicates.
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
    # Where all optima lie beyond their grids, many candidates cost the same: the smallest effect is reported.
    cheapest_effects = candidates[mean_costs <= mean_costs.min() + ROUNDING * abs(mean_costs).max()]
    smallest_effect = float(cheapest_effects[abs(cheapest_effects).argmin()])
    minimum = find_minimum(candidates, costs, scores, confidence_level)
    uncertainty = max(block.uncertainty for block in compared_blocks) / factor_range
    estimate = Minimum(smallest_effect, minimum.low - uncertainty, minimum.high + uncertainty)

    # As in the interval, two tests: that no effect costs no more than the best candidate does, and that the cost
    # neither falls nor rises at no effect. Around a minimum the second is the more powerful; where no effect puts
    # all optima beyond the ends of their grids, only the first sees anything.
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
    """Compute the cost of each candidate effect, with the intercept that is best for the mean, and its derivative.

    Positions on the axis are counted in points, of which each is ``step`` wide.

    Returns
    -------
    Costs and scores (derivatives by the effect), each (C, R, candidates).
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
    """Find for each candidate the intercept with the least sum of the cells' mean curves, to ``INTERCEPT_STEP``.

    The tried intercepts are evenly spaced, so that the values of one shifted curve at all of them are every
    ``INTERCEPT_STEP``-th of its points from one on: a window of the padded curve.

    Parameters
    ----------
    means : (C, n): the mean curves.
    shifts : (C, candidates): in points.

    Returns
    -------
    (candidates,): intercepts in points from the first of the axis.
    """
    n_points = means.shape[1]
    half = (n_points - 1) // 2  # intercepts reach half the axis beyond either end
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
    """Interpolate curves (..., C, n) linearly, each at its own positions (C, m); level beyond their ends."""
    last_point = curves.shape[-1] - 1
    positions = positions.clip(0, last_point)
    lower_points = np.minimum(positions.astype(int), last_point - 1)
    index = np.broadcast_to(lower_points, (*curves.shape[:-1], positions.shape[-1]))
    below = np.take_along_axis(curves, index, axis=-1)
    above = np.take_along_axis(curves, index + 1, axis=-1)
    interpolated: Array = below + (positions - lower_points) * (above - below)
    return interpolated


def _regress_optima_on_factor(blocks: Sequence[_Block], confidence_level: float) -> tuple[float, float, float]:
    """Estimate the effect by a second method: the slope of each replicate's own optima on the factor, within blocks.

    Returns
    -------
    The mean slope and the ends of its t-interval.
    """
    n_sets = max(max(block.sets) for block in blocks) + 1
    products = np.zeros((n_sets, len(blocks[0].optima), 1))
    for block in blocks:
        np.add.at(products, block.sets, (block.optima * block.factors).T[..., None])
    slope = sum_of_means(products / sum(block.factors @ block.factors for block in blocks))
    margin = margin_of_error(slope.standard_error, slope.dof, confidence_level)
    return float(slope.total[0]), float((slope.total - margin)[0]), float((slope.total + margin)[0])
