"""Estimate what one temperature for all cells costs: the decision that most users face."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from kdtune.analysis.cell import Cell
from kdtune.analysis.cross_fitted_choice import cross_fit
from kdtune.analysis.result_columns import to_columns
from kdtune.analysis.usable_cells import number_independent_sets
from kdtune.columns import NUM_ERROR
from kdtune.statistics.intervals import mean_over_replicates
from kdtune.statistics.mean_costs import CostRows, MeanCosts, estimate_mean_costs
from kdtune.statistics.standard_errors import Array

COST = "relative_regret"  # the column of ``curves`` from ``compute_relative_regret``


@dataclass(frozen=True)
class FixedTemperatureCost:
    """What one T costs that all cells use: a row of ``fixed``.

    The cost in a cell is by how much the errors on the test split at T are above those at the T that the cell would
    choose for itself, as a share of the latter. Where runs are paired, and there are several replicates, it is
    cross-fitted: each replicate is compared with itself at the T that is best on all others. It may then be below 0:
    choosing for each cell is noisy, and one T for all may do better. All intervals of one kind hold together, over all
    temperatures, in 95 % of tables.
    """

    T: float
    mean: float  # over the cells, which weigh alike
    mean_low: float  # the ends of its interval; NaN where nothing is cross-fitted, as in what follows
    mean_high: float
    median: float  # of the cells' estimated costs
    worst: float  # the cost in the cell that pays most, after costs are shrunk toward the mean by their noise
    worst_low: float  # at least one cell pays as much as this
    worst_high: float  # no cell pays more than this
    tied: int  # the number of cells in which T is statistically tied with the best
    cells: int  # the number of all cells
    cross_fitted_cells: int  # the number of cells that the costs are from; 0 if all were used, without cross-fitting


def estimate_fixed_temperature_costs(
    cells: Sequence[Cell], curves: pd.DataFrame, measure: str, test_measure: str = NUM_ERROR
) -> pd.DataFrame:
    """Return one ``FixedTemperatureCost`` per row, for each T that all cells have.

    The frame is empty if the table lacks the test measure.

    Parameters
    ----------
    cells : The cells.
    curves : Their curves: one row per cell and temperature, from ``join_cell_curves``.
    measure : The measure that T is chosen by.
    test_measure : The measure on the test split that costs are in.
    """
    if COST not in curves:
        return pd.DataFrame()
    naive_costs = curves.groupby("T").agg(
        mean=(COST, "mean"), median=(COST, "median"), tied=("tied", "sum"), cells=("tied", "size")
    )
    naive_costs = naive_costs[naive_costs["cells"] == len(cells)]
    if naive_costs.empty:
        return pd.DataFrame()
    temperatures = naive_costs.index.to_numpy(np.float64)
    rows = _list_costs(cells, temperatures, measure, test_measure)
    costs = _leave_bounds_out(naive_costs) if rows is None else estimate_mean_costs(rows)
    cross_fitted_cells = 0 if rows is None else len(rows.overlaps)
    fixed = [
        FixedTemperatureCost(
            T=float(temperatures[i]),
            mean=float(costs.mean[i]),
            mean_low=float(costs.mean_low[i]),
            mean_high=float(costs.mean_high[i]),
            median=float(costs.median[i]),
            worst=float(costs.worst[i]),
            worst_low=float(costs.worst_low[i]),
            worst_high=float(costs.worst_high[i]),
            tied=int(naive_costs["tied"].iloc[i]),
            cells=len(cells),
            cross_fitted_cells=cross_fitted_cells,
        )
        for i in range(len(temperatures))
    ]
    return pd.DataFrame([to_columns(cost) for cost in fixed])


def compute_relative_regret(cell: Cell, best_index: int, measure: str, test_measure: str) -> Array:
    """Compute the cost (k,) of each T of a cell, as in ``FixedTemperatureCost``; NaN where it has no base above 0.

    Parameters
    ----------
    cell : The cell.
    best_index : The index of the T that all replicates choose; what is not cross-fitted is compared with it.
    measure : The measure that T is chosen by.
    test_measure : The measure on the test split; the cell must have it.
    """
    means = cell.compute_means(test_measure)
    base = float(mean_over_replicates(cross_fit(cell, measure, test_measure).errors))
    if math.isnan(base):
        base = float(means[best_index])
    return means / base - 1 if base > 0 else np.full(len(means), math.nan)


def _list_costs(cells: Sequence[Cell], temperatures: Array, measure: str, test_measure: str) -> CostRows | None:
    """List the costs of temperatures (k,) in each replicate of the cells that are cross-fitted; None if none is."""
    costs, used_cells, used_replicates = [], [], []
    for cell in cells:
        cross_fitted = cross_fit(cell, measure, test_measure)
        base = float(mean_over_replicates(cross_fitted.errors))
        if not base > 0:
            continue
        test, chosen = cell.student_measures[test_measure], cross_fitted.errors_for_intervals
        test = test[:, np.searchsorted(cell.temperatures, temperatures)]
        # A value that is filled in for a missing run has no noise: it says nothing of the cost.
        complete = np.flatnonzero(~np.isnan(test).any(axis=1) & ~np.isnan(chosen))
        if len(complete) < 2:
            continue
        if len(complete) < len(test):
            base = float(cross_fitted.errors[complete].mean())
            if not base > 0:
                continue
            test, chosen = test[complete], chosen[complete] + base - chosen[complete].mean()
        # A cost is a ratio of means. What a replicate adds to its error (the delta method) has the noise of the base.
        ratios = test.mean(axis=0) / base
        costs.append((test - ratios * chosen[:, None]) / base + ratios - 1)
        used_cells.append(cell)
        used_replicates.append([cell.replicates[i] for i in complete])
    if not costs:
        return None
    counts = [len(values) for values in costs]
    set_numbers = number_independent_sets(used_cells)
    names = [(number, name) for number, each in zip(set_numbers, used_replicates, strict=True) for name in each]
    units = {name: index for index, name in enumerate(dict.fromkeys(names))}
    finite_sets = [cell.finite_set for cell in used_cells]
    return CostRows(
        costs=np.concatenate(costs),
        settings=np.repeat(np.arange(len(counts)), counts),
        units=np.array([units[name] for name in names]),
        sets=np.repeat(np.array(set_numbers), counts),
        overlaps=np.array([0.0 if finite_set is None else finite_set.overlap for finite_set in finite_sets]),
    )


def _leave_bounds_out(naive_costs: pd.DataFrame) -> MeanCosts:
    """Return the means and medians of costs that are not cross-fitted, which say nothing of the worst cell."""
    unknown = np.full(len(naive_costs), math.nan)
    return MeanCosts(
        mean=naive_costs["mean"].to_numpy(np.float64),
        mean_low=unknown,
        mean_high=unknown,
        median=naive_costs["median"].to_numpy(np.float64),
        worst=unknown,
        worst_low=unknown,
        worst_high=unknown,
    )
