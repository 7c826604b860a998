"""Leave out rows that sum up others: a mean over seeds that stands below them is no further replicate."""

from __future__ import annotations

import pandas as pd

from kdtune.foreign.column_names import find_seeds, find_weak_replicates
from kdtune.text import join_names, pluralize

_SUMMARIES = {"mean", "means", "avg", "average", "median", "total", "sum", "std", "stdev", "sd", "sem", "stderr", "all",
              "overall", "mean over seeds", "mean of seeds", "mittelwert", "moyenne", "media"}  # fmt: skip


def drop_summary_rows(table: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Leave out the rows whose seed is "mean", "average", "std" or the like.

    Returns
    -------
    The table, and a note on each column in which such words stand.
    """
    notes = []
    for name in [*find_seeds(table.columns), *find_weak_replicates(table.columns)]:
        column = table[name]
        if column.dtype.kind != "O":
            continue
        words = {value: str(value).strip().lower() for value in column.dropna().unique()}
        summaries = [value for value, word in words.items() if word in _SUMMARIES]
        if summaries and len(summaries) < len(words):
            is_summary = column.isin(summaries)
            notes.append(
                f"Left out: {pluralize(int(is_summary.sum()), 'row')} that sum up others "
                f"({name} {join_names([str(value) for value in summaries])})."
            )
            table = table[~is_summary].reset_index(drop=True)
            values = table[name]
            if pd.to_numeric(values.dropna(), errors="coerce").notna().all():  # The words had made numbers text.
                table = table.assign(**{name: pd.to_numeric(values)})
    return table, notes
