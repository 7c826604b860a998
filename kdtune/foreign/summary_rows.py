"""Leave out rows that sum up others: a mean over seeds that stands below them is no further replicate."""

from __future__ import annotations

import re

import pandas as pd

from kdtune.columns import MODEL, STUDENT
from kdtune.foreign.column_names import find_seeds, find_weak_replicates
from kdtune.text import join_names, pluralize

_SUMMARY = re.compile(
    r"(means?|avg|average|median|total|sum|std|stdev|sd|sem|stderr|all|overall|best|min|max|ensemble|mittelwert|moyenne"
    r"|media|ø|µ|μ)(?![a-z])"
)
_WHOLE = re.compile(r"\s*[+-]?[0-9]+([.]0*)?\s*")


def drop_summary_rows(table: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Leave out the rows of distilled students whose seed is "mean", "average", "std" or the like.

    A teacher's or a baseline's seed may be called so: it is compared with all replicates.

    Returns
    -------
    The table, and a note on each column in which such words stand.
    """
    notes = []
    for name in [*find_seeds(table.columns), *find_weak_replicates(table.columns)]:
        column = table[name]
        if column.dtype.kind != "O":
            continue
        is_student = table[MODEL] == STUDENT
        words = {value: str(value).strip().lower() for value in column[is_student].dropna().unique()}
        others = [value for value, word in words.items() if not _SUMMARY.match(word)]
        summaries = [value for value in words if value not in others]
        if summaries and others and all(_WHOLE.fullmatch(str(value)) for value in others):
            is_summary = column.isin(summaries) & is_student
            notes.append(
                f"Left out: {pluralize(int(is_summary.sum()), 'row')} that sum up others "
                f"({name} {join_names([str(value) for value in summaries])})."
            )
            table = table[~is_summary].reset_index(drop=True)
            values = table[name]
            if pd.to_numeric(values.dropna(), errors="coerce").notna().all():  # The words had made numbers text.
                table = table.assign(**{name: pd.to_numeric(values)})
    return table, notes
