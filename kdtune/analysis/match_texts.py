"""Write what sentences about baselines and teachers have in common: names, values, settings and conditions."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from kdtune.analysis.cells import format_setting
from kdtune.analysis.network_pools import Booleans
from kdtune.analysis.option_texts import suggest_rows
from kdtune.analysis.pool_matches import PoolMatches
from kdtune.analysis.value_spellings import Integers
from kdtune.columns import BASELINE
from kdtune.text import join_names, pluralize

_MAX_VALUES = 4  # A sentence lists no more values of a column.


def name_role(matches: PoolMatches) -> str:
    """Return what users call the networks."""
    return "baseline" if matches.role == BASELINE else "teacher"


def name_cells(matches: PoolMatches, is_affected: Booleans) -> str:
    """Name the students of the cells (cells,) that something is said about: how many, and the first."""
    if is_affected.all():
        return "All students"
    first_cell = matches.cells[matches.columns].iloc[int(is_affected.argmax())]
    setting = format_setting(matches.columns, first_cell.tolist()) or "no name"
    count = int(is_affected.sum())
    if count == 1:
        return f"The students of 1 of {len(is_affected):,} settings ({setting})"
    return f"The students of {count:,} of {len(is_affected):,} settings (the first: {setting})"


def name_pools(matches: PoolMatches, pools: Integers) -> str:
    """Name the networks of some of the pools that students are compared with: how many, and the first."""
    n_compared = len(matches.list_compared_pools())
    noun = name_role(matches)
    if n_compared == 1:
        return f"The {noun}"
    if len(pools) == n_compared:
        return f"{'Both' if n_compared == 2 else f'All {n_compared:,}'} {noun}s"
    values = matches.networks[matches.keys].iloc[matches.pools.first_rows[pools[0]]]
    setting = format_setting(matches.keys, values.tolist()) or "the one for all others"
    if len(pools) == 1:
        return f"1 of {n_compared:,} {noun}s ({setting})"
    return f"{len(pools):,} of {n_compared:,} {noun}s (the first: {setting})"


def list_values(values: Iterable[Any]) -> str:
    """List the distinct values of a column, as in "2, 4 and 3 more"; a null is called empty."""
    distinct_values = list(dict.fromkeys(None if pd.isna(value) else value for value in values))
    texts = ["empty" if value is None else _format_value(value) for value in distinct_values]
    if len(texts) <= _MAX_VALUES:
        return ", ".join(texts)
    return join_names(texts, max_names=_MAX_VALUES - 1)


def _format_value(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float | np.floating) else str(value)


def write_selection(matches: PoolMatches, name: str, values: Iterable[Any]) -> str:
    """Write a condition for ``--where`` that leaves one of the values of a column, and the rows that leave it empty."""
    distinct_values = [value for value in dict.fromkeys(values) if not pd.isna(value)]
    student_values = set(matches.cells[name].dropna()) if name in matches.cells else set()
    distinct_values.sort(key=lambda value: value not in student_values)  # The first one stays.
    left_out = distinct_values[1:] or distinct_values
    return suggest_rows(name, left_out, are_left_out=True)


def count_rows(matches: PoolMatches, count: int) -> str:
    """Return a number of rows with the name of their networks: 3 rows of teachers."""
    return f"{pluralize(count, 'row')} of {name_role(matches)}s"
