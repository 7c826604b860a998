"""Say at which temperatures runs have no result, in which states they are, and where pruning makes a T look better."""

from __future__ import annotations

from typing import NamedTuple

import pandas as pd

from kdtune.columns import DONE, FAILED, MODEL, SKIPPED, STATUS, STUDENT, TEMP
from kdtune.text import join_names, pluralize

NO_NUMBER = "without a number"  # the state of a finished run whose measure is missing
_PRUNED = "pruned"
_SHOWN_TEMPERATURES = 6
_MIN_RUNS = 2  # of a temperature, on average: with fewer, as in a random search, there is no share of them
# Without the worst twentieth of its runs, the mean of a T is better by a tenth of a standard deviation.
_MIN_SHARE = 0.05


class UnfinishedRuns(NamedTuple):
    """A table whose ``STATUS`` has the values of kdtune, and what is to be said of the runs without a result."""

    table: pd.DataFrame
    notes: list[str]
    reserve: str


def describe_unfinished_runs(table: pd.DataFrame) -> UnfinishedRuns:
    """Count the rows of distilled students without a result at each temperature, by their states.

    Parameters
    ----------
    table : The table with ``MODEL``, ``TEMP`` and ``STATUS``, which is ``DONE`` or the state of a run without result.
    """
    is_done = table[STATUS] == DONE
    if is_done.all():
        return UnfinishedRuns(table, [], "")
    students = table[(table[MODEL] == STUDENT) & table[TEMP].notna()]
    table = table.assign(**{STATUS: table[STATUS].where(is_done | (table[STATUS] == SKIPPED), FAILED)})
    totals = students[TEMP].value_counts().sort_index()
    if totals.empty or totals.mean() < _MIN_RUNS:
        return UnfinishedRuns(table, [], "")
    missing = students[students[STATUS] != DONE]
    places = []
    for T, states in missing.groupby(TEMP)[STATUS]:
        counts = ", ".join(f"{count} {state}" for state, count in states.value_counts().items())
        places.append(f"{len(states)} of {pluralize(int(totals[T]), 'row')} at T = {T:g} ({counts})")
    notes = [f"Without a result: {join_names(places, max_names=_SHOWN_TEMPERATURES)}."] if places else []
    return UnfinishedRuns(table, notes, _describe_pruning(missing, totals))


def _describe_pruning(missing: pd.DataFrame, totals: pd.Series) -> str:
    """Say at which T more runs were pruned than at others; the empty text if there is no such T."""
    counts = missing[TEMP][missing[STATUS] == _PRUNED].value_counts().reindex(totals.index, fill_value=0)
    shares = counts / totals
    if shares.max() - shares.min() < _MIN_SHARE:
        return ""
    worst = shares[shares > 0].sort_values(ascending=False, kind="stable").index
    places = [f"{counts[T]} of {pluralize(int(totals[T]), 'row')} at T = {T:g}" for T in worst]
    return (
        f"More runs were pruned at some T than at others ({join_names(places, max_names=_SHOWN_TEMPERATURES)}). Pruned "
        f"runs are the bad ones, and they are left out: such a T looks better than it is. Train these runs to the end."
    )
