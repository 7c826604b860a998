"""Say which runs a scheduler stopped early: they are called done, though they were trained for fewer steps."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from kdtune.analysis.option_texts import suggest_rows
from kdtune.columns import DONE, MODEL, REPLICATE, STATUS, STUDENT, TEMP
from kdtune.foreign.column_names import is_epoch_name, is_planned_name, split_words
from kdtune.text import join_names, pluralize

# What else stands in the name of a counter of steps; "best_epoch" and "stopped_epoch" vary by nature.
_COMPANIONS = {"trained", "completed", "done", "run", "ran", "total", "last", "final", "since", "restore", "num", "n"}
_FEW_VALUES = 10  # a scheduler stops runs at few steps
_MIN_COMPLETE = 0.1  # else, with many values, runs end when they like to (by patience), and none is incomplete
_SHOWN_TEMPERATURES = 6


def describe_early_stops(table: pd.DataFrame, run_columns: Sequence[str]) -> list[str]:
    """Say in which column of steps some finished students have fewer than the most of their setting.

    Parameters
    ----------
    table : One row per run, with ``MODEL``, ``STATUS`` and ``TEMP``.
    run_columns : The columns that name a run: its setting, T and replicate. None of them counts steps.
    """
    counters = [
        name
        for name in table.columns
        if _counts_steps(split_words(name)) and name not in run_columns and not is_planned_name(name)
    ]
    counters = [name for name in counters if table[name].dtype.kind in "iuf"]
    if not counters:
        return []
    students = table[(table[MODEL] == STUDENT) & (table[STATUS] == DONE)]
    settings = [name for name in run_columns if name not in (MODEL, TEMP, REPLICATE)]
    for name in counters:
        steps = students[name].astype(float)
        if steps.nunique() < 2 or _is_planned(students, name):
            continue
        most = steps.groupby([students[key] for key in settings], dropna=False).transform("max") if settings else None
        most = pd.Series(steps.max(), index=steps.index) if most is None else most
        is_short = steps < most
        is_natural = steps.nunique() > _FEW_VALUES and (~is_short).mean() < _MIN_COMPLETE
        if is_short.any() and not is_natural:
            return [_describe(name, students[TEMP][is_short], sorted(most.dropna().unique()), set(steps[is_short]))]
    return []


def _counts_steps(words: list[str]) -> bool:
    """Return whether a name, in words, counts how far a run came."""
    steps = [word.removesuffix("s").removeprefix("time") for word in words if word not in _COMPANIONS]
    return bool(steps) and is_epoch_name(steps)


def _is_planned(students: pd.DataFrame, name: str) -> bool:
    """Return whether each value has as many runs at each T: it numbers repetitions, or someone planned it."""
    counts = students.groupby([name, TEMP]).size()
    return counts.nunique() == 1 and len(counts) == students[name].nunique() * students[TEMP].nunique()


def _describe(name: str, temperatures: pd.Series, most: list[float], short: set[float]) -> str:
    counts = temperatures.value_counts().sort_index()
    places = [f"{count} at T {T:g}" for T, count in counts.items()]
    remedy = f"To keep only complete ones, add {suggest_rows(name, most)}."
    if set(most) & short or len(most) > _FEW_VALUES:  # What is all in one setting is little in another one.
        remedy = "To keep only complete ones, remove the others from the table."
    goal = f"{most[0]:.15g}" if len(most) == 1 else "other rows of their setting"
    verb = "has" if len(temperatures) == 1 else "have"
    return (
        f"{name}: {pluralize(len(temperatures), 'row')} {verb} fewer than {goal} "
        f"({join_names(places, max_names=_SHOWN_TEMPERATURES)}), as runs have that a scheduler stopped early. They "
        f"count as finished, so that a T at which more runs were stopped looks worse than it is. {remedy}"
    )
