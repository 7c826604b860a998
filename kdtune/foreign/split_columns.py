"""Refuse tables in which one thing stands in two columns, as where exports with different names were joined."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from kdtune.analysis.option_texts import suggest_map
from kdtune.errors import RequestError
from kdtune.text import join_names, pluralize


def refuse_split_column(table: pd.DataFrame, names: Sequence[str], target: str) -> None:
    """Raise RequestError if several columns have values, but none of the rows has two of these.

    Parameters
    ----------
    table : The rows.
    names : Columns that may mean the same, by the table's own names.
    target : kdtune's name of what they mean.
    """
    is_filled = table[list(names)].notna()
    counts = is_filled.sum()
    if len(names) < 2 or (counts == 0).any() or (is_filled.sum(axis=1) > 1).any():
        return
    first, *others = names
    places = [f"{first} has a value in {pluralize(int(counts[first]), 'row')}"]
    places += [f"{name} in {int(counts[name]):,} others" for name in others]
    parts = "".join(f".fillna(frame.pop({name!r}))" for name in others)
    raise RequestError(
        f"{join_names(places)}: exports with different names seem to be joined. If they mean the same, make one column "
        f"of them with pandas: frame[{first!r}] = frame[{first!r}]{parts}. If only one of them is meant: "
        f"{' or '.join(suggest_map(target, name) for name in names)}"
    )
