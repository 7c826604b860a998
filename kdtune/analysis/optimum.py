"""Where the best temperature of one cell lies, on the split that decides. Pure."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from kdtune.analysis.cell_arrays import FEW_REPLICATES, Cell
from kdtune.columns import N_PARAMS, VAL_NLL, VAL_NUM_ERROR
from kdtune.statistics import multiple_comparisons as best
from kdtune.statistics import smooth_minimum as curves

EDGE, FLAT, FEW, INCOMPLETE = "edge", "flat", "few replicates", "incomplete"
LARGE, COPIES = "larger than its teacher", "replicates are copies"


def find_lowest_mean(cell: Cell, decide: str) -> int:
    """The T of the least mean; ties go to the lower validation nll, then to the lower T."""
    mean = cell.students[decide].mean(axis=0)
    tied = np.flatnonzero(mean == mean.min())
    if decide == VAL_NUM_ERROR and len(tied) > 1 and VAL_NLL in cell.students:
        nll = cell.students[VAL_NLL][:, tied].mean(axis=0)
        tied = tied[nll == np.nanmin(nll)] if not np.isnan(nll).all() else tied
    return int(tied[0])


def smooth_curves(cell: Cell, measure: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A cell's smooth curves over log2 T: points (n,), values and slopes (R, n)."""
    y = cell.students[measure]
    one = curves.choose_smoother(tuple(np.log2(cell.temperatures)), [y])
    return one.points, y @ one.values.T, y @ one.slopes.T


def describe_optimum(cell: Cell, place: int, decide: str, compared: best.Comparison, margin: float) -> dict[str, Any]:
    """The columns of its row of ``t_opt``; ``place`` is that of the least mean."""
    y, T = cell.students[decide], cell.temperatures
    x = np.log2(T)
    found = curves.Optimum(x[0], -math.inf, math.inf)
    if len(T) > 1:
        found = curves.widen_to_grid(curves.find_minimum(*smooth_curves(cell, decide)), x, place, compared.tied)
    row: dict[str, Any] = {"T_opt": T[place]}
    for name, value in (("continuous", found.at), ("low", found.low), ("high", found.high)):
        on_grid = np.flatnonzero(x == value)  # 2 to the power of log2(5) is not quite 5
        row[f"T_opt_{name}"] = T[on_grid[0]] if len(on_grid) else 2.0**value
    row["tied"] = T[compared.tied].tolist()
    least = y.mean(axis=0)[place]
    row["good_enough"] = T[compared.upper <= margin * least].tolist() if len(T) > 1 else []
    flags = {
        EDGE: place in (0, len(T) - 1) or found.at in (x[0], x[-1]),
        FLAT: len(y) > 1 and len(T) > 1 and bool(compared.tied.all()),
        FEW: len(y) < FEW_REPLICATES,
        LARGE: N_PARAMS in cell.students and bool((cell.teacher[N_PARAMS] < cell.students[N_PARAMS].T).any()),
        INCOMPLETE: bool(cell.left_out),
        COPIES: len(y) > 1 and len(T) > 1 and curves.residual_variance(y) == 0,
    }
    row["flags"] = [name for name, true in flags.items() if true]
    return row | {"left_out": cell.left_out, "replicates": len(y), "temperatures": len(T)}
