"""Means of replicates and ratios of them, with their intervals; missing replicates are NaN."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from kdtune.statistics.smooth_minimum import Array, critical_t

LEVEL = 0.95


def cross_fit(decide: Array, test: Array) -> Array:
    """Test errors (replicates,) of each replicate at the T that is best on all others; NaN for one replicate."""
    count = len(decide)
    if count < 2:
        return np.full(count, math.nan)
    others = (decide.sum(axis=0) - decide) / (count - 1)
    found: Array = test[np.arange(count), others.argmin(axis=1)]
    return found


def t_interval(values: Array) -> tuple[Any, Any]:
    """Student's t for the mean of values (replicates, ...), those that are there; infinite for fewer than two."""
    values = _known(values)
    if len(values) < 2:
        nothing = np.full(values.shape[1:], math.inf if len(values) else math.nan)[()]
        return -nothing, nothing
    half = critical_t(LEVEL, len(values) - 1) * values.std(axis=0, ddof=1) / math.sqrt(len(values))
    mean = values.mean(axis=0)
    return mean - half, mean + half


def fieller_interval(part: Array, whole: Array) -> tuple[float, float, float]:
    """The ratio of the means of paired values (replicates,) with its interval: Fieller (1954), JRSS B 16.

    NaN where the mean of ``whole`` cannot be told from 0, or lies below it: there is no share of no gap.
    """
    both = ~(np.isnan(part) | np.isnan(whole))
    part, whole = part[both], whole[both]
    count = len(part)
    if count < 2:
        return math.nan, math.nan, math.nan
    (aa, ab), (_, bb) = np.cov(part, whole) * critical_t(LEVEL, count - 1) ** 2 / count
    a, b = part.mean(), whole.mean()
    # The ratios r with (a - r b)^2 <= aa - 2 r ab + r^2 bb.
    first, second, third = b**2 - bb, a * b - ab, a**2 - aa
    if first <= 0 or b <= 0:
        return math.nan, math.nan, math.nan
    root = math.sqrt(max(0.0, second**2 - first * third))
    return float(a / b), float((second - root) / first), float((second + root) / first)


def mean_of_known(values: Array) -> Any:
    """Over replicates (replicates, ...), those that are there; NaN for none."""
    values = _known(values)
    return values.mean(axis=0) if len(values) else np.full(values.shape[1:], math.nan)[()]


def _known(values: Array) -> Array:
    """Of values (replicates, ...) the replicates of which none is NaN."""
    missing = np.isnan(values)
    return values[~missing.reshape(len(values), -1).any(axis=1)] if missing.any() else values
