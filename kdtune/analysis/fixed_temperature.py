"""Estimate what one temperature for all cells costs: the decision that most users face."""

from __future__ import annotations

import pandas as pd

from kdtune.columns import NUM_ERROR


def estimate_fixed_temperature_costs(curves: pd.DataFrame, n_cells: int, test_measure: str = NUM_ERROR) -> pd.DataFrame:
    """Return one row per temperature that all cells have; an empty frame if the table lacks the test measure.

    Parameters
    ----------
    curves : One row per cell and temperature, from ``join_cell_curves``.
    n_cells : The number of cells.
    test_measure : The column of errors on the test split, or of the measure that T was chosen by.

    Returns
    -------
    Frame with the columns ``T``; ``median`` and ``worst``, over the cells, of the test errors at T above those at the
    cell's own best T, as shares of the latter; ``tied``, the number of cells in which T is statistically tied with
    the best; and ``cells``, the number of all cells.
    """
    if "regret" not in curves:
        return pd.DataFrame()
    costs = (
        curves.assign(share=compute_relative_regret(curves, test_measure))
        .groupby("T")
        .agg(median=("share", "median"), worst=("share", "max"), tied=("tied", "sum"), cells=("tied", "size"))
        .reset_index()
    )
    return costs[costs["cells"] == n_cells].reset_index(drop=True)


def compute_relative_regret(curves: pd.DataFrame, test_measure: str = NUM_ERROR) -> pd.Series:
    """Return test errors above those at the cell's best T, as a share of the latter; NaN where those are 0."""
    errors_at_best = curves[test_measure] - curves["regret"]
    return curves["regret"] / errors_at_best.where(errors_at_best > 0)
