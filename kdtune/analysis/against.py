"""Every temperature of a cell against its best one, its baseline and its chosen one: what figures show. Pure."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from scipy import stats

from kdtune import table as t
from kdtune.analysis.best import Comparison
from kdtune.analysis.curves import Array, residual_variance
from kdtune.analysis.held_out import LEVEL, interval
from kdtune.analysis.layout import Cell


def rows(cell: Cell, place: int, decide: str, against: Comparison, good_enough: list[float]) -> list[dict[str, Any]]:
    """A row a temperature; ``place`` is that of the chosen one.

    ``errors`` and ``excess`` over the least mean are of the split that decides. ``band`` is the half width
    of a 95 % interval for a mean from the noise within replicates, once what all temperatures of a
    replicate share is taken out (Morey 2008). On the test split: ``test_errors``, ``regret`` over the
    chosen temperature and ``gain`` over the baseline, both in pairs, the gain with its interval.
    """
    y, T = cell.students[decide], cell.temperatures
    mean = y.mean(axis=0)
    found: dict[str, Any] = {
        "T": T,
        "errors": mean,
        "excess": mean - mean.min(),
        "band": np.full(len(T), _band(y)),
        "tied": against.tied,
        "good_enough": np.isin(T, good_enough),
    }
    if t.NUM_ERROR in cell.students:
        test, baseline = cell.students[t.NUM_ERROR], cell.baseline[t.NUM_ERROR]
        found |= {"test_errors": test.mean(axis=0), "regret": test.mean(axis=0) - test[:, place].mean()}
        gains = baseline[:, None] - test
        there = ~np.isnan(baseline)
        found["gain"] = gains[there].mean(axis=0) if there.any() else np.full(len(T), np.nan)
        found["gain_low"], found["gain_high"] = np.array([interval(column) for column in gains.T]).T
        found["baseline"] = np.full(len(T), baseline[there].mean() if there.any() else np.nan)
    return [{**cell.names, **{name: column[i] for name, column in found.items()}} for i in range(len(T))]


def _band(y: Array) -> float:
    count, k = y.shape
    if count < 2 or k < 2:
        return math.nan
    return float(stats.t.ppf((1 + LEVEL) / 2, (count - 1) * (k - 1)) * math.sqrt(residual_variance(y) / count))
