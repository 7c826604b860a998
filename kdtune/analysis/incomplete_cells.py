"""Find the columns that split cells into parts with few temperatures, and name the settings that would mend it.

A table from elsewhere may have a column that changes from run to run, such as the machine. Taken for a setting, it
leaves each cell with some of the temperatures. Without it the cells have all of them, and still no two runs with the
same T and replicate, as they would have without a real setting.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from kdtune.analysis.cell import Cell
from kdtune.analysis.cells import group_rows, is_known_setting, is_main_column
from kdtune.analysis.option_texts import suggest_cell
from kdtune.analysis.paired_runs import MIN_REPLICATES
from kdtune.columns import DATA_SEED, DONE, ID, MODEL, REPLICATE, STATUS, STUDENT, STUDENT_SEED, TEACHER_ID, TEMP
from kdtune.text import join_names, pluralize

# The columns that together say that a sweep of kdtune made the table: its settings are known, gaps are failures.
_SWEEP_COLUMNS = {ID, TEACHER_ID, DATA_SEED, STUDENT_SEED}
ENOUGH = 0.95  # of the best completeness or balance: a little less is due to runs that failed
MOST = 2 / 3  # of the temperatures: balanced cells with more than these merely have failed runs
# The balance of cells that were planned so. The share of failed runs lowers it with replicates, hardly without.
BALANCED_PAIRED, BALANCED_UNPAIRED = 0.85, 0.95


class _Split(NamedTuple):
    """The columns that name cells, in two parts."""

    splitting_columns: list[str]  # those that split cells
    remaining_columns: list[str]
    is_certain: bool  # whether no design of an experiment looks so, as do temperatures of their own for each data set


def describe_incomplete_cells(table: pd.DataFrame, columns: Sequence[str], cells: Sequence[Cell], measure: str) -> str:
    """Say which columns leave at least half of the cells with few temperatures, and what mends it; empty if none does.

    Parameters
    ----------
    table : One row per network.
    columns : The columns that name a cell.
    cells : All cells.
    measure : The measure that T is chosen by.
    """
    students = table[(table[MODEL] == STUDENT) & (table[STATUS] == DONE)]
    n_temperatures = students[TEMP].nunique()
    n_complete = [_count_complete_temperatures(cell, measure) for cell in cells]
    n_incomplete = sum(count < n_temperatures for count in n_complete)
    if set(table.columns) >= _SWEEP_COLUMNS or n_incomplete < max(1, len(cells) / 2):
        return ""
    split = _find_split(students, columns)
    if not split.splitting_columns or _is_unfinished(students, split):
        return ""
    grids = {values: rows[TEMP].nunique() for values, rows in group_rows(students, split.remaining_columns)}
    counts = []
    for cell, count in zip(cells, n_complete, strict=True):
        n_possible = grids.get(tuple(cell.settings[name] for name in split.remaining_columns), 0)
        if count < n_possible:
            counts.append((count, n_possible))
    shares = [count / n_possible for count, n_possible in counts]
    if len(counts) < len(cells) / 2 or (not split.is_certain and np.mean(shares) > MOST):
        return ""
    return f"{_describe_split(split, counts, len(cells))} {_describe_remedy(split)}"


def _count_complete_temperatures(cell: Cell, measure: str) -> int:
    """Count the temperatures that are left when those and the replicates that lack most runs are taken away.

    A replicate is taken before a temperature, as long as some are left and the temperature has half of its runs.
    """
    is_gap = np.isnan(cell.student_measures[measure])
    if not cell.is_paired:
        return len(cell.temperatures)
    while is_gap.any():
        replicate_gaps, temperature_gaps = is_gap.mean(axis=1), is_gap.mean(axis=0)
        has_few_replicates = len(is_gap) <= MIN_REPLICATES
        is_mostly_missing = temperature_gaps.max() > 0.5
        if is_mostly_missing or (has_few_replicates and temperature_gaps.max() >= replicate_gaps.max()):
            is_gap = np.delete(is_gap, temperature_gaps.argmax(), axis=1)
        else:
            is_gap = np.delete(is_gap, replicate_gaps.argmax(), axis=0)
    return is_gap.shape[1] if len(is_gap) else 0


def _find_split(students: pd.DataFrame, columns: Sequence[str]) -> _Split:
    """Find the fewest columns without which the cells are (nearly) as complete as they can be."""
    names = [*columns, TEMP, *([REPLICATE] if students[REPLICATE].notna().any() else [])]
    codes = students[names].apply(lambda column: pd.factorize(column, use_na_sentinel=False)[0])
    remaining_columns = _select_settings(codes, columns)
    splitting_columns = [name for name in columns if name not in remaining_columns]
    balance = _measure_balance(codes, columns)
    n_temperatures = codes[TEMP].groupby(_number_cells(codes, columns)).transform("nunique")
    is_certain = balance < (BALANCED_PAIRED if REPLICATE in codes else BALANCED_UNPAIRED) or n_temperatures.median() < 2
    if not is_certain:
        has_known_settings = all(is_known_setting(name) for name in splitting_columns)
        if has_known_settings or _measure_balance(codes, remaining_columns) < ENOUGH * balance:
            return _Split([], list(columns), is_certain)
    return _Split(splitting_columns, remaining_columns, is_certain)


def _is_unfinished(students: pd.DataFrame, split: _Split) -> bool:
    """Return whether cells have the temperatures that were run first: each cell those of any smaller one, and more.

    Replicates settle it before: cells that differ in a real setting have equal ones.
    """
    if students[REPLICATE].notna().any():
        return False
    n_nested = n_others = 0
    for _, rows in group_rows(students, split.remaining_columns):
        grids = sorted((set(part[TEMP]) for _, part in group_rows(rows, split.splitting_columns)), key=len)
        is_nested = all(smaller <= larger for smaller, larger in pairwise(grids))
        n_nested += is_nested
        n_others += not is_nested
    return n_nested > n_others


def _measure_balance(codes: pd.DataFrame, columns: Sequence[str]) -> float:
    """Return how evenly the runs of cells are spread over their temperatures: 1 in a complete design."""
    n_temperatures = codes[TEMP].groupby(_number_cells(codes, columns)).transform("nunique")
    return _measure_completeness(codes, columns) / float(n_temperatures.mean())


def _select_settings(codes: pd.DataFrame, columns: Sequence[str]) -> list[str]:
    """Return the columns that do not split cells.

    First the columns, except the main ones, are removed one by one, always that without which cells are most complete,
    until two runs would have the same T and replicate. Then those come back with which cells are still complete, again
    the most complete first. Of equal columns those with the name of a setting stay, then the first ones.

    Parameters
    ----------
    codes : One row per run; equal numbers in a column stand for equal values.
    columns : The columns that name a cell.
    """
    ranked_columns = sorted(columns, key=lambda name: not is_known_setting(name))
    selected = list(columns)
    best = _measure_completeness(codes, selected)
    while removable := [name for name in reversed(ranked_columns) if name in selected and not is_main_column(name)]:
        completeness = {name: _measure_completeness(codes, [*(set(selected) - {name})]) for name in removable}
        name = max(removable, key=completeness.__getitem__)  # the first one of equal ones
        if math.isinf(completeness[name]):
            break
        selected.remove(name)
        best = max(best, completeness[name])
    while removed := [name for name in ranked_columns if name not in selected]:
        completeness = {name: _measure_completeness(codes, [*selected, name]) for name in removed}
        name = max(removed, key=completeness.__getitem__)
        if completeness[name] < ENOUGH * best:
            break
        selected.append(name)
    return [name for name in columns if name in selected]


def _measure_completeness(codes: pd.DataFrame, columns: Sequence[str]) -> float:
    """Return the mean over all runs of the number of temperatures with which a run can be compared.

    With replicates these are the temperatures of its replicate in its cell. Without any it is the effective number of
    temperatures of its cell, the inverse of Simpson's index: 1 / sum of (share of runs at a temperature)^2. It is minus
    infinity if two runs of a cell have the same T and replicate.
    """
    cells = _number_cells(codes, columns)
    if REPLICATE in codes:
        runs = pd.DataFrame({"cell": cells, REPLICATE: codes[REPLICATE], TEMP: codes[TEMP]})
        if runs.duplicated().any():
            return -math.inf
        sizes = runs.groupby(["cell", REPLICATE]).size().to_numpy()
        return float((sizes**2).sum() / len(codes))
    counts = codes.groupby([cells, codes[TEMP]]).size()
    n_runs = counts.groupby(level=0).sum()
    effective_numbers = n_runs**2 / (counts**2).groupby(level=0).sum()
    return float((n_runs * effective_numbers).sum() / len(codes))


def _number_cells(codes: pd.DataFrame, columns: Sequence[str]) -> npt.NDArray[np.integer]:
    """Return the number of the cell of each run."""
    if not columns:
        return np.zeros(len(codes), int)
    return codes.groupby(list(columns), sort=False).ngroup().to_numpy()


def _describe_split(split: _Split, counts: list[tuple[int, int]], n_cells: int) -> str:
    """Describe how many temperatures incomplete cells have, and what splits them.

    Parameters
    ----------
    counts : The number of temperatures of each incomplete cell, and how many it would have without the split.
    n_cells : The number of all cells.
    """
    fewest, most, possible = min(counts)[0], max(counts)[0], max(n_possible for _, n_possible in counts)
    subject = f"{len(counts):,} of {pluralize(n_cells, 'setting')} {'has' if len(counts) == 1 else 'have'}"
    if len(counts) == n_cells > 1:
        subject = "Both settings have" if n_cells == 2 else f"All {n_cells:,} settings have"
    numbers = f"{fewest}" if fewest == most else f"{fewest} to {most}"
    temperatures = f"only {numbers} of the {possible} temperatures"
    if most == 0:
        temperatures = f"none of the {possible} temperatures complete"
    names = join_names(split.splitting_columns)
    culprit = f"the column {names} splits" if len(split.splitting_columns) == 1 else f"the columns {names} split"
    if split.is_certain:
        return f"{subject} {temperatures}, because {culprit} them."
    return f"{subject} {temperatures}: {culprit} them, perhaps on purpose."


def _describe_remedy(split: _Split) -> str:
    """Say what to type if the columns that split cells are no settings."""
    is_single = len(split.splitting_columns) == 1
    condition = "If it is no setting" if is_single else "If they are no settings"
    remedy = "name those that are" if split.remaining_columns else "all runs have the same settings"
    return f"{condition}, {remedy}: {suggest_cell(split.remaining_columns)}."


def describe_missing_cells(table: pd.DataFrame, measure: str) -> str:
    """Say why no setting can be analyzed."""
    finished = table[(table[MODEL] == STUDENT) & (table[STATUS] == DONE)]
    if finished[measure].isna().all():
        return f"no finished distilled student has a number in {measure}"
    return (
        "no setting can be analyzed: in each of them so many runs are missing that no replicate has all temperatures "
        "that are left; train the missing runs, or take other replicates"
    )
