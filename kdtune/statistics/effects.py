"""Estimate the effect of a factor on the best temperature, in each data set and over all of them.

The model is log2 T_opt = d + e log2(factor). Cells that differ only in the factor form a block, which has its own
intercept d. Blocks on the same data form a part: all of them have one effect e, other parts may have others.

What an effect costs in a part is the squared distance of the part's means from curves whose minima lie on lines with
that effect (``minimum_profiles``, ``temperature_lines``). What it costs by chance is simulated: a parametric bootstrap
from the fitted curves, with the noise as it was estimated (``simulated_curves``). There are three worlds: without any
effect, for the p-value; with one effect for all parts, for its interval; with the effect of each part, for
the parts' own intervals, and for the test whether they differ.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field

import numpy as np

from kdtune.statistics.effect_costs import (
    bound_effects,
    bound_mean_of_parts,
    bound_mean_of_sample,
    compute_p_value,
    compute_quantile,
    find_least_shifted,
    locate_effects,
)
from kdtune.statistics.minimum_profiles import Floats
from kdtune.statistics.simulated_curves import CurveSimulator, NoisyCurve
from kdtune.statistics.spread_between_sets import Spread, estimate_spread
from kdtune.statistics.standard_errors import CONFIDENCE_LEVEL, Array
from kdtune.statistics.temperature_lines import LineSearch, list_lines

N_CANDIDATES = 81  # the number of effects e that are tried
STEEPNESS = 2.0  # The steepest candidate crosses the grid of temperatures in 1 / STEEPNESS of the factor's range.
GATHERING = 3.0  # how much closer together candidates are near 0: their spacing follows the hyperbolic sine
MIN_DRAWS, MAX_DRAWS = 60, 150  # of each world
MAX_CURVES = 12_000  # that are drawn in each world, with ``MIN_DRAWS`` or more of each cell
# True curves have other shapes than those that are fitted, so what is seen may cost more than draws do: by this much
# for each block, in squared standard errors. In simulations of kinked, turning and real curves tests then reject rarely
# enough (benchmarks/promises/effects.py).
SHAPE_ALLOWANCE = 0.22
# Where parts are compared their curves are all fitted, and draws from fits are too smooth.
PARTS_ALLOWANCE, PARTS_FACTOR = 0.5, 1.5
SIGNIFICANCE_LEVEL = 0.05  # of the test whether parts differ, which decides what the effect over all of them is


@dataclass(frozen=True)
class Interval:
    """An effect, as the change of log2 T_opt per doubling of the factor, with its interval, which may be open."""

    estimate: float = math.nan
    low: float = -math.inf
    high: float = math.inf


@dataclass(frozen=True)
class Effect:
    """The change of log2 T_opt per doubling of a factor over all parts."""

    over_parts: Interval  # of these very data: its interval covers the noise of their replicates
    in_sample: Interval  # for data sets like these: its interval covers how they differ, too; unknown with one part
    p_value: float  # of the hypothesis that no part has an effect
    p_heterogeneity: float  # of the hypothesis that all parts have the same effect; NaN with one part
    spread: Spread  # the standard deviation of the effect between parts; NaN with one part
    parts: dict[int, Interval]  # the number of each part that was estimated -> its own effect
    is_mean: bool  # whether the estimate is the mean of different effects, of which each counts the same


@dataclass(frozen=True)
class _Block:
    """The cells that differ only in the factor."""

    cells: list[int]
    part: int  # among the parts that are estimated
    lines: LineSearch


@dataclass(frozen=True)
class _Costs:
    """What effects cost in N cases, above the best effect."""

    of_parts: Floats  # (E, N, P): if each part has its own effect
    of_all: Floats  # (E, N): if all have the same one
    excess: Floats  # (N,): the least cost of one effect for all, above that of an effect for each part


@dataclass(frozen=True)
class _Model:
    """The blocks of a factor, with the effects that are tried."""

    simulator: CurveSimulator
    blocks: list[_Block]
    part_numbers: list[int] = field(default_factory=list)  # of the parts that are estimated, as the caller has them
    candidates: Array = field(default_factory=lambda: np.zeros(0))  # (E,), ascending; the middle one is 0

    @property
    def n_draws(self) -> int:
        """The number of draws in each world."""
        n_cells = sum(len(block.cells) for block in self.blocks)
        return int(np.clip(MAX_CURVES // n_cells, MIN_DRAWS, MAX_DRAWS))

    def compute_costs(self, profiles: Sequence[Floats]) -> _Costs:
        """Return what effects cost, by the profiles (places, N) of the cells."""
        n_cases = profiles[0].shape[1]
        costs = np.zeros((len(self.candidates), n_cases, len(self.part_numbers)), np.float32)
        for block in self.blocks:
            costs[..., block.part] += block.lines.compute_costs([profiles[cell] for cell in block.cells])
        costs -= costs.min(axis=0)
        total = costs.sum(axis=2)
        least = total.min(axis=0)
        return _Costs(costs, total - least, least)

    def simulate(self, effects: Sequence[int], random: np.random.Generator) -> _Costs:
        """Return what effects cost in a world in which each part has the candidate effect with this number."""
        means = self.simulator.profile_means()
        places = [0] * len(means)
        for block in self.blocks:
            found = block.lines.find_places([means[cell] for cell in block.cells], effects[block.part])
            for cell, place in zip(block.cells, found.tolist(), strict=True):
                places[cell] = place
        return self.compute_costs(self.simulator.profile_draws(places, self.n_draws, random))

    def find_nearest(self, effect: float) -> int:
        """Return the number of the candidate that is nearest to an effect."""
        return int(abs(self.candidates - effect).argmin())


def estimate_effect(
    curves: Sequence[NoisyCurve],
    factors: Sequence[float],
    blocks: Sequence[Hashable],
    parts: Sequence[int],
    sets: Sequence[int],
    confidence_level: float = CONFIDENCE_LEVEL,
    seed: int = 0,
) -> Effect | None:
    """Estimate the effect of a factor on log2 T_opt.

    Parameters
    ----------
    curves : The curves of the cells, each of five temperatures or more.
    factors : The log2 of each cell's factor.
    blocks : The name of each cell's block. Cells in one block differ only in the factor, and are in one part.
    parts : The number of each cell's part. Parts without a block in which the factor differs are left out.
    sets : The number of each cell's independent set: replicates of cells in one set may share random draws.
    confidence_level : The confidence level of the intervals, between 0 and 1.
    seed : The seed of the simulations.

    Returns
    -------
    The effect, or None if no two cells differ only in the factor, or there are fewer than two replicates.
    """
    model = _build_model(curves, factors, blocks, parts, sets)
    if model is None:
        return None
    random = np.random.default_rng(seed)
    costs = model.compute_costs(model.simulator.profile_means())
    n_parts = len(model.part_numbers)
    estimate = float(locate_effects(model.candidates, costs.of_all)[0])
    no_effect, nearest = len(model.candidates) // 2, model.find_nearest(estimate)
    still = model.simulate([no_effect] * n_parts, random)
    alike = model.simulate([nearest] * n_parts, random)

    # An interval with the larger of both limits holds 0 wherever the p-value does.
    draws = still.of_all[no_effect], alike.of_all[nearest]
    allowance = SHAPE_ALLOWANCE * len(model.blocks)
    limit = allowance + max(compute_quantile(each, confidence_level) for each in draws)
    bounds = bound_effects(model.candidates, costs.of_all, limit)
    over_parts = Interval(estimate, float(bounds.low[0]), float(bounds.high[0]))
    p_value = compute_p_value(draws[0], float(costs.of_all[no_effect, 0]) - allowance)
    if n_parts > 1:
        worlds = [(still, [no_effect] * n_parts), (alike, [nearest] * n_parts)]
        return _compare_parts(model, costs, over_parts, p_value, worlds, confidence_level, random)
    return Effect(
        over_parts=over_parts,
        in_sample=Interval(),
        p_value=p_value,
        p_heterogeneity=math.nan,
        spread=Spread(math.nan, math.nan, math.nan),
        parts={model.part_numbers[0]: over_parts},
        is_mean=False,
    )


def _compare_parts(
    model: _Model,
    costs: _Costs,
    one_effect: Interval,
    p_value: float,
    worlds: Sequence[tuple[_Costs, list[int]]],
    confidence_level: float,
    random: np.random.Generator,
) -> Effect:
    """Estimate the effects of two parts or more, and compare them.

    Parameters
    ----------
    model : The blocks of the parts.
    costs : What effects cost as the means are.
    one_effect : The effect if all parts have the same one.
    p_value : The p-value of the hypothesis that no part has an effect.
    worlds : What effects cost in other worlds, each with the number of the effect that is true in each part there.
    confidence_level : The confidence level of the intervals, between 0 and 1.
    random : The generator of the draws.
    """
    candidates, of_parts = model.candidates, costs.of_parts[:, 0]
    estimates = locate_effects(candidates, of_parts)
    numbers = [model.find_nearest(effect) for effect in estimates]
    different = model.simulate(numbers, random)
    shifted = PARTS_FACTOR * find_least_shifted(candidates, different.of_parts, numbers)
    p_heterogeneity = compute_p_value(shifted, float(costs.excess[0]) - PARTS_ALLOWANCE)

    limits = [
        max(
            compute_quantile(world.of_parts[true_numbers[part], :, part], confidence_level)
            for world, true_numbers in (*worlds, (different, numbers))
        )
        for part in range(len(numbers))
    ]
    low, high = bound_effects(candidates, of_parts, np.array(limits))
    drawn_effects = locate_effects(candidates, different.of_parts.reshape(len(candidates), -1))
    resolution = float(np.diff(candidates).min()) / 2
    errors = np.maximum(drawn_effects.reshape(-1, len(numbers)).std(axis=0, ddof=1), resolution)
    mean, over_parts = float(estimates.mean()), one_effect
    is_mean = p_heterogeneity < SIGNIFICANCE_LEVEL
    if is_mean:
        ends = bound_mean_of_parts(candidates, of_parts, different.of_parts, candidates[numbers], confidence_level)
        over_parts = Interval(mean, *ends)
    sample_low, sample_high = bound_mean_of_sample(candidates, of_parts, estimates, confidence_level)
    return Effect(
        over_parts=over_parts,
        in_sample=Interval(mean, min(sample_low, over_parts.low), max(sample_high, over_parts.high)),
        p_value=p_value,
        p_heterogeneity=p_heterogeneity,
        spread=estimate_spread(estimates, errors, confidence_level),
        parts={
            number: Interval(float(estimates[i]), float(low[i]), float(high[i]))
            for i, number in enumerate(model.part_numbers)
        },
        is_mean=is_mean,
    )


def _build_model(
    curves: Sequence[NoisyCurve],
    factors: Sequence[float],
    blocks: Sequence[Hashable],
    parts: Sequence[int],
    sets: Sequence[int],
) -> _Model | None:
    """Return the blocks in which the factor differs; None if there are none, or fewer than two replicates."""
    cells_by_block: dict[Hashable, list[int]] = {}
    for cell, block in enumerate(blocks):
        cells_by_block.setdefault(block, []).append(cell)
    compared = [cells for cells in cells_by_block.values() if len({factors[cell] for cell in cells}) > 1]
    if not compared or any(len(curve.y) < 2 for curve in curves):
        return None
    used = sorted(cell for cells in compared for cell in cells)
    positions = {cell: position for position, cell in enumerate(used)}
    simulator = CurveSimulator([curves[cell] for cell in used], [sets[cell] for cell in used])
    part_numbers = sorted({parts[cells[0]] for cells in compared})

    grid_range = max(curves[cell].x[-1] for cell in used) - min(curves[cell].x[0] for cell in used)
    factor_range = max(float(np.ptp([factors[cell] for cell in cells])) for cells in compared)
    steps = np.linspace(-1, 1, N_CANDIDATES)
    candidates = STEEPNESS * grid_range / factor_range * np.sinh(GATHERING * steps) / math.sinh(GATHERING)
    candidates[N_CANDIDATES // 2] = 0.0

    built = []
    searches: dict[tuple[Hashable, ...], LineSearch] = {}  # Blocks with the same factors and grids share their lines.
    for cells in compared:
        block_factors = np.array([factors[cell] for cell in cells])
        block_factors -= (block_factors.max() + block_factors.min()) / 2
        grids = [simulator.profilers[positions[cell]].places for cell in cells]
        key = (*block_factors.round(9).tolist(), *(grid.tobytes() for grid in grids))
        if key not in searches:
            searches[key] = list_lines(grids, block_factors, candidates)
        part = part_numbers.index(parts[cells[0]])
        built.append(_Block([positions[cell] for cell in cells], part, searches[key]))
    return _Model(simulator, built, part_numbers, candidates)
