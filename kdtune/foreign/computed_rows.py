"""Find rows that sum up others by their values: in each group they are its mean, its standard deviation or the like."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from kdtune.columns import MODEL, TEMP
from kdtune.foreign.percents import strip_percent
from kdtune.foreign.row_keys import Mask

_MAX_ROWS = 20_000  # People sum up by hand what they can read; a longer table takes long to look through.
_MOST = 0.9  # of the groups must have such a row, and of these rows must be the same statistic of their group
_MIN_GROUPS = 2
_MIN_RUNS = 3  # for each different label, else nearly every row has words of its own
_MAX_SEEDS = 100
_EXACT = 10  # times smaller than the deviations is the rounding of a mean, else a run may be as near by chance
_WIDE = 4  # standard deviations from the mean, beyond which no run lies
_MAX_CHANCE = 1e-3  # as for equal rows, in improbable_repeats.py
_NUMBER_MARKS = re.compile(r"[\d\s.,_+-]+")
_NO_VALUE = "(empty)"  # the shape of an empty cell
_NUMBER = ""  # the shape of a number


class Candidates(NamedTuple):
    """The rows of one label that stand once beside several other rows in each group."""

    column: str
    is_candidate: Mask  # (rows,)
    are_beside_numbers: bool  # whether the labels of the other rows are numbers
    statistic: str  # what they are of their groups; the empty text if they are no statistic


def find_computed_rows(table: pd.DataFrame, is_run: Mask, column: str, measures: Sequence[str]) -> list[Candidates]:
    """Return the rows whose label differs in its words from those of the other rows of their group, once in each.

    Parameters
    ----------
    table : Plain columns, with ``TEMP``.
    is_run : Which rows are those of distilled students, (rows,).
    column : The column of labels: names of runs, or seeds.
    measures : The columns with results.
    """
    if len(table) > _MAX_ROWS:
        return []
    shapes = table[column].map(_find_shape).to_numpy(str)
    values, counts = np.unique(shapes[is_run], return_counts=True)
    if not 1 < len(values) <= is_run.sum() / _MIN_RUNS:
        return []
    numbers = {name: strip_percent(table[name]).to_numpy(np.float64, na_value=np.nan) for name in measures}
    main = values[counts.argmax()]
    is_other = is_run & (shapes == main)
    found = []
    for shape in values[values != main]:
        is_candidate = is_run & (shapes == shape)
        group = _number_groups(table, is_other, is_candidate, {column, *numbers})
        if _is_one_of_each(group[is_other], group[is_candidate]):
            statistic = _find_statistic(group, is_other, is_candidate, numbers)
            found.append(Candidates(column, is_candidate, main == _NUMBER and shape != _NO_VALUE, statistic))
    return found


def find_mean_seed(table: pd.DataFrame, column: str, measures: Sequence[str]) -> float | None:
    """Return the number of a seed whose rows are the mean of all other runs in each setting, T and measure.

    Parameters
    ----------
    table : Plain columns, with ``MODEL`` and ``TEMP``.
    column : The column of seeds.
    measures : The columns with results.
    """
    seeds = table[column].dropna().unique()
    numbers = {name: strip_percent(table[name]).to_numpy(np.float64, na_value=np.nan) for name in measures}
    if table[column].dtype.kind not in "if" or not numbers or not _MIN_RUNS < len(seeds) <= _MAX_SEEDS:
        return None
    if len(table) > _MAX_ROWS:
        return None
    for seed in (seeds.max(), seeds.min()):  # Nobody gives a mean a number among those of the runs.
        is_candidate = (table[column] == seed).to_numpy(bool, na_value=False)
        group = _number_groups(table, ~is_candidate, is_candidate, {column, *numbers})
        if len(np.unique(group[is_candidate])) == is_candidate.sum() >= _MIN_RUNS and all(
            _are_means(group, is_candidate, values) for values in numbers.values()
        ):
            return float(seed)
    return None


def _are_means(group: npt.NDArray[np.int64], is_candidate: Mask, values: npt.NDArray[np.float64]) -> bool:
    """Return whether each candidate is the mean of its group, far more exactly than by chance."""
    own = pd.Series(values[is_candidate], index=group[is_candidate]).dropna()
    others = pd.Series(values[~is_candidate], index=group[~is_candidate]).dropna()
    if own.empty or others.empty or not np.isfinite(own).all():
        return False
    tolerance = 0.55 * 10.0 ** -count_decimals(own)
    runs = others.groupby(level=0)
    is_exact = (own - runs.mean().reindex(own.index)).abs() <= tolerance
    return bool(is_exact.all()) and float(runs.std().median()) > _EXACT * tolerance


def _find_shape(value: object) -> str:
    """Return a label without its numbers: "T-s" of "T1-s0", nothing of a seed."""
    return _NO_VALUE if pd.isna(value) else _NUMBER_MARKS.sub("", str(value))  # type: ignore[call-overload]


def _number_groups(
    table: pd.DataFrame, is_other: Mask, is_candidate: Mask, left_out: set[str]
) -> npt.NDArray[np.int64]:
    """Return the number of each row's group: its T, and whatever else each candidate shares with two other rows."""
    keys = [TEMP]
    for name in table.columns:
        if name in (TEMP, MODEL, *left_out):
            continue
        counts = table.loc[is_other, name].value_counts()
        own_values = table.loc[is_candidate, name]
        if own_values.notna().all() and (own_values.map(counts).fillna(0) > 1).all():
            keys.append(name)
    return np.asarray(table.groupby(keys, dropna=False, sort=False).ngroup(), np.int64)


def _is_one_of_each(others: npt.NDArray[np.int64], candidates: npt.NDArray[np.int64]) -> bool:
    """Return whether (nearly) each group has one candidate, and at least two other rows."""
    groups, counts = np.unique(others, return_counts=True)
    is_single = len(np.unique(candidates)) == len(candidates) >= _MIN_GROUPS
    are_known = bool(np.isin(candidates, groups[counts > 1]).all())
    return is_single and are_known and len(candidates) >= _MOST * len(groups)


def _find_statistic(
    group: npt.NDArray[np.int64],
    is_other: Mask,
    is_candidate: Mask,
    numbers: dict[str, npt.NDArray[np.float64]],
) -> str:
    """Return what the candidates are of their groups in one of the measures; the empty text if nothing."""
    for values in numbers.values():
        own = pd.Series(values[is_candidate], index=group[is_candidate]).dropna()
        others = pd.Series(values[is_other], index=group[is_other]).dropna()
        if len(own) < _MIN_GROUPS or others.empty:
            continue
        tolerance = 0.55 * (10.0 ** -count_decimals(own) + 10.0 ** -count_decimals(others))
        means, deviations = others.groupby(level=0).mean(), others.groupby(level=0).std()
        distances = {}
        for name, statistic in compute_statistics(others).items():
            gaps = (own - statistic.reindex(own.index)).abs()
            # How often a further run would be as near by chance: never if runs lie elsewhere, as beside their number.
            is_near = (others - statistic.reindex(others.index)).abs() <= tolerance
            is_among_runs = bool(((means - statistic).abs() <= _WIDE * deviations + tolerance).any())
            chance = tolerance / max(float(deviations.median()), tolerance) if is_among_runs else 0
            is_told = max(float(is_near.mean()), chance) ** len(own) <= _MAX_CHANCE
            if is_told and (gaps <= tolerance).mean() >= _MOST:
                distances[name] = float(gaps.mean())
        if distances:
            return min(distances, key=lambda name: distances[name])
    return ""


def compute_statistics(values: pd.Series) -> dict[str, pd.Series]:
    """Return what people write below the runs of a group: statistics of values that are indexed by their group."""
    runs = values.groupby(level=0)
    deviations, root = runs.std(), np.sqrt(runs.count())
    return {
        "mean": runs.mean(),
        "standard deviation": deviations,
        "standard deviation of the population": runs.std(ddof=0),
        "standard error": deviations / root,
        "95 % interval": 1.96 * deviations / root,
        "median": runs.median(),
        "smallest value": runs.min(),
        "largest value": runs.max(),
        "sum": runs.sum(),
        "number": runs.count(),
    }


def count_decimals(values: pd.Series) -> int:
    """Return how many decimals the numbers have, 6 at most."""
    texts = [f"{value:.6f}".rstrip("0") for value in values.tolist()]
    return max(len(text.split(".")[1]) for text in texts)
