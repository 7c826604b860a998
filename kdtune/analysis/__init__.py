"""What a table says. Works on any DataFrame with the columns of ``table``, wherever it came from. No drawing."""

from __future__ import annotations

from kdtune.analysis.cells import (
    baseline_of,
    baselines,
    by_temperature,
    cell_columns,
    chosen,
    data_columns,
    distilled,
    done,
    matching,
    summary,
    teachers,
)

__all__ = [
    "baseline_of",
    "baselines",
    "by_temperature",
    "cell_columns",
    "chosen",
    "data_columns",
    "distilled",
    "done",
    "matching",
    "summary",
    "teachers",
]
