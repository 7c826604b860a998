"""Refuse what a tracker exports of a chart: the curve of each run in a column of its own, and a row for each step."""

from __future__ import annotations

import pandas as pd

from kdtune.errors import RequestError

_ENDS = ("__MIN", "__MAX")  # what Weights & Biases adds to the name of a curve for the ends of its band
_TENSORBOARD = ["Wall time", "Step", "Value"]
_REMEDY = "export the table of runs instead: one row for each run, with its T, its seed and its results"


def refuse_chart(table: pd.DataFrame) -> None:
    """Raise RequestError if a table is the export of a chart of Weights & Biases or TensorBoard."""
    names = [str(name) for name in table.columns]
    curves = [name for name in names if all(f"{name}{end}" in names for end in _ENDS)]
    what = f"{names[0]}, and {curves[0]} with {' and '.join(_ENDS)}" if curves else ", ".join(_TENSORBOARD)
    if curves or names == _TENSORBOARD:
        raise RequestError(f"this is the chart of a tracker ({what}), which has a row for each step; {_REMEDY}")
