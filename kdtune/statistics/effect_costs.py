"""Turn what effects cost into estimates, intervals and p-values, by what they cost in simulations.

A cost is a squared distance in standard errors, above that of the best candidate: 0 at the best. It has no known
distribution, since the minimum of a curve is no regular parameter. Its distribution is therefore simulated, and
described by a gamma distribution with the mean and the variance of the draws, which needs fewer of them than the
share of draws beyond.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import stats

from kdtune.statistics.standard_errors import Array, critical_t

TIED = 0.05  # Costs that differ by less, in squared standard errors, are the same.
LIMITS = (0.0, 0.1, 0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 9.0, 13.0, 20.0, 40.0)  # that the mean's bounds may take


class Bounds(NamedTuple):
    """The ends of M intervals of effects; an end without a bound is infinite."""

    low: Array  # (M,)
    high: Array  # (M,)


def bound_effects(candidates: Array, costs: npt.NDArray[np.floating], limits: float | Array) -> Bounds:
    """Return the intervals of the effects that cost no more than a limit.

    Parameters
    ----------
    candidates : (E,): The effects, ascending.
    costs : (E, M): What they cost in M cases.
    limits : The limits (M,), or one for all.
    """
    limits = np.broadcast_to(np.asarray(limits, float), costs.shape[1:])
    is_cheap = costs <= limits + 1e-6
    low = _find_crossing(candidates, costs, is_cheap, limits)
    high = -_find_crossing(-candidates[::-1], costs[::-1], is_cheap[::-1], limits)
    return Bounds(low, high)


def _find_crossing(
    candidates: Array, costs: npt.NDArray[np.floating], is_cheap: npt.NDArray[np.bool_], limits: Array
) -> Array:
    """Return where (M,) costs first fall to their limits, between two candidates; -inf if they begin below."""
    first = is_cheap.argmax(axis=0)
    before = np.maximum(first - 1, 0)
    columns = np.arange(costs.shape[1])
    above, below = costs[before, columns], costs[first, columns]
    steps = np.maximum(above - below, 1e-9)
    shares = np.where(first > 0, (above - limits) / steps, 0.0).clip(0, 1)
    crossings = candidates[before] + shares * (candidates[first] - candidates[before])
    return np.where(first > 0, crossings, -np.inf)


def locate_effects(candidates: Array, costs: npt.NDArray[np.floating]) -> Array:
    """Return the cheapest effect (M,) of M cases with costs (E, M).

    It is the middle of those that cost the same. Where these reach the steepest candidate, so that nothing bounds them,
    it is the smallest of them.
    """
    low, high = bound_effects(candidates, costs, TIED)
    smallest = np.where(low > 0, low, np.where(high < 0, high, 0.0))
    is_bounded = np.isfinite(low) & np.isfinite(high)
    middle = (np.where(is_bounded, low, 0.0) + np.where(is_bounded, high, 0.0)) / 2
    return np.where(is_bounded, middle, smallest)


def compute_p_value(draws: npt.NDArray[np.floating], cost: float) -> float:
    """Return the probability of a cost or a higher one, by the gamma distribution that is fitted to draws (N,)."""
    mean, variance = float(draws.mean()), float(draws.var())
    if mean <= TIED or variance == 0:
        mean, variance = max(mean, TIED), max(variance, TIED**2)
    return float(stats.gamma.sf(max(cost, 0.0), mean**2 / variance, scale=variance / mean))


def compute_quantile(draws: npt.NDArray[np.floating], confidence_level: float) -> float:
    """Return the quantile of the gamma distribution that is fitted to draws (N,)."""
    mean, variance = max(float(draws.mean()), TIED), max(float(draws.var()), TIED**2)
    return float(stats.gamma.ppf(confidence_level, mean**2 / variance, scale=variance / mean))


def find_least_shifted(candidates: Array, costs: npt.NDArray[np.floating], numbers: Sequence[int]) -> Array:
    """Return the least cost (N,) of effects that are all shifted by the same amount from the true ones.

    It is what one effect for all parts would cost if they had the same: the shift stands for the effect that is not
    known.

    Parameters
    ----------
    candidates : (E,): The effects, ascending.
    costs : (E, N, P): What they cost in N draws.
    numbers : The number of each part's true effect.
    """
    last = len(candidates) - 1
    shifts = candidates - candidates[last // 2]
    total = np.zeros((len(shifts), costs.shape[1]))
    for part, number in enumerate(numbers):
        positions = np.interp(candidates[number] + shifts, candidates, np.arange(last + 1))
        below = np.minimum(positions.astype(int), last - 1)
        shares = (positions - below)[:, None]
        total += (1 - shares) * costs[below, :, part] + shares * costs[below + 1, :, part]
    least: Array = total.min(axis=0)
    return least


def bound_mean_of_parts(
    candidates: Array,
    costs: npt.NDArray[np.floating],
    drawn_costs: npt.NDArray[np.floating],
    true_effects: Array,
    confidence_level: float,
) -> tuple[float, float]:
    """Return the interval of the mean effect of these very parts.

    It reaches from the mean of the parts' lower bounds to that of their upper bounds, all at one limit of the cost:
    the least at which the interval holds the mean of the true effects in as many draws as the confidence level says.

    Parameters
    ----------
    candidates : (E,): The effects, ascending.
    costs : (E, P): What they cost in P parts.
    drawn_costs : (E, N, P): What they cost in N draws.
    true_effects : (P,): The effects that are true in the draws.
    confidence_level : The confidence level of the interval, between 0 and 1.
    """
    n_draws, n_parts = drawn_costs.shape[1:]
    flat_costs = drawn_costs.reshape(len(candidates), -1)
    limit = LIMITS[-1]
    for limit in LIMITS:
        ends = bound_effects(candidates, flat_costs, limit)
        lows, highs = (each.reshape(n_draws, n_parts).mean(axis=1) for each in ends)
        is_held = (lows <= true_effects.mean()) & (true_effects.mean() <= highs)
        if is_held.mean() >= confidence_level:
            break
    low, high = bound_effects(candidates, costs, limit)
    return float(low.mean()), float(high.mean())


def bound_mean_of_sample(
    candidates: Array, costs: npt.NDArray[np.floating], estimates: Array, confidence_level: float
) -> tuple[float, float]:
    """Return the interval of the mean effect of parts like these, of which these P are a sample.

    It is the t-interval of the mean, beyond the effects that fit each part as well as its best one.

    Parameters
    ----------
    candidates : (E,): The effects, ascending.
    costs : (E, P): What they cost in each part.
    estimates : (P,): The estimate of each part.
    confidence_level : The confidence level of the interval, between 0 and 1.
    """
    low, high = bound_effects(candidates, costs, TIED)
    n_parts = len(estimates)
    margin = critical_t(confidence_level, n_parts - 1) * float(estimates.std(ddof=1)) / np.sqrt(n_parts)
    return float(low.mean() - margin), float(high.mean() + margin)
