"""Every temperature of a cell against its best one, its baseline and its chosen one: what figures show. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from kdtune.analysis.cell_arrays import Cell
from kdtune.columns import ACCURACY, NUM_ERROR
from kdtune.statistics.intervals import LEVEL, mean_of_known, t_interval
from kdtune.statistics.multiple_comparisons import Comparison
from kdtune.statistics.smooth_minimum import Array, critical_t, residual_variance


def compare_temperatures(
    cell: Cell, place: int, decide: str, against: Comparison, good_enough: list[float]
) -> dict[str, Any]:
    """Columns with a value for each temperature; ``place`` is that of the chosen one.

    ``errors`` and ``excess`` over the least mean are of the split that decides. ``band`` is the half width
    of a 95 % interval for a mean from the noise within replicates, once what all temperatures of a
    replicate share is taken out, that of all temperatures together (Loftus and Masson 1994). On the test
    split: errors and accuracy, mean, lowest and highest, and the baseline's and the teacher's mean;
    ``regret`` over the chosen temperature and ``gain`` over the baseline, both in errors and in pairs, the
    gain with its interval.
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
        "replicates": np.full(len(T), len(y)),
    }
    for measure in (NUM_ERROR, ACCURACY):
        if measure in cell.students:
            known = cell.students[measure][~np.isnan(cell.students[measure]).any(axis=1)]
            for name, reckon in (("", np.mean), ("_low", np.min), ("_high", np.max)):
                found[measure + name] = reckon(known, axis=0) if len(known) else np.full(len(T), np.nan)
            for who, others in (("baseline", cell.baseline), ("teacher", cell.teacher)):
                found[f"{who}_{measure}"] = np.full(len(T), mean_of_known(others[measure]))
    if NUM_ERROR in cell.students:
        test, baseline = cell.students[NUM_ERROR], cell.baseline[NUM_ERROR]
        found["regret"] = mean_of_known(test - test[:, [place]])
        gains = baseline[:, None] - test
        found["gain"] = mean_of_known(gains)
        found["gain_low"], found["gain_high"] = t_interval(gains)
    return found


def join_cell_curves(cells: Sequence[Cell], parts: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """A row a cell and temperature, from the columns of each cell."""
    names = pd.DataFrame([cell.names for cell in cells], index=range(len(cells)))
    named = names.loc[np.repeat(np.arange(len(cells)), [len(part["T"]) for part in parts])].reset_index(drop=True)
    return named.assign(**{name: np.concatenate([part[name] for part in parts]) for name in parts[0]})


def _band(y: Array) -> float:
    count, k = y.shape
    if count < 2 or k < 2:
        return math.nan
    return critical_t(LEVEL, (count - 1) * (k - 1)) * math.sqrt(residual_variance(y) / count)
