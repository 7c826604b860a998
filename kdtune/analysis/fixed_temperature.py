"""What one temperature for all cells costs: the decision that most users face. Pure."""

from __future__ import annotations

import pandas as pd

from kdtune.columns import NUM_ERROR


def cost_of_one_temperature(curves: pd.DataFrame, count: int) -> pd.DataFrame:
    """A row a temperature, from a row a cell and temperature (``against.frame``) of so many cells.

    ``median`` and ``worst`` over the cells are of the test errors at that T above those at the cell's own T, as a
    share of the latter. ``tied`` counts the cells in which that T cannot be told apart from the best, of ``cells``:
    all of them, for a T that some cells lack has no row.
    """
    if "regret" not in curves:
        return pd.DataFrame()
    found = (
        curves.assign(share=compute_relative_regret(curves))
        .groupby("T")
        .agg(median=("share", "median"), worst=("share", "max"), tied=("tied", "sum"), cells=("tied", "size"))
        .reset_index()
    )
    return found[found["cells"] == count].reset_index(drop=True)


def compute_relative_regret(curves: pd.DataFrame) -> pd.Series:
    """Test errors above those at the cell's own T, as a share of them; NaN where those are none."""
    own = curves[NUM_ERROR] - curves["regret"]
    return curves["regret"] / own.where(own > 0)
