"""Refuse logs without a column of epochs: rows of one T and seed, whose results go one way from first to last."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from kdtune.columns import DONE, MODEL, REPLICATE, RESULT_COLUMNS, SCORE, STATUS, STUDENT, TEMP
from kdtune.foreign.bookkeeping import holds_seconds, is_iso_date
from kdtune.foreign.mending import MendingError
from kdtune.foreign.own_names import get_own_name
from kdtune.text import pluralize

_MIN_ROWS = 3  # of most runs: two may be a run and its repetition with better code
_MIN_RUNS = 5  # By chance the results of as many go one way in 1 of 16 tables, and those tables are refused anyway.
_MOST = 0.9  # of the runs must go the same way
_MIN_CORRELATION = 0.5  # of places and ranks, in most runs: the noise of late epochs hides a part of the fall


def refuse_unnumbered_log(
    table: pd.DataFrame,
    run_columns: Sequence[str],
    labels: Sequence[str],
    own_columns: Collection[str],
    own_names: Mapping[str, str],
) -> None:
    """Raise RequestError if runs have several rows each, whose results rise or fall as those of a training do.

    The rows of one run are ordered by a column of times if there is one, else as they stand in the table. Repetitions
    of a run have results in no order.

    Parameters
    ----------
    table : The whole table, with several rows for some runs that have a replicate.
    run_columns : The columns that name a run: its setting, T and replicate.
    labels : The columns that may hold times.
    own_columns : All columns as the table itself calls them.
    own_names : kdtune's name of a column -> the table's own, where they differ.
    """
    students = table[(table[MODEL] == STUDENT) & (table[STATUS] == DONE)]
    if REPLICATE not in run_columns or not students.duplicated(run_columns).any():
        return
    runs = students.groupby(list(run_columns), dropna=False, sort=False).ngroup()
    if runs.value_counts().median() < _MIN_ROWS or runs.nunique() < _MIN_RUNS:
        return
    if students.groupby(REPLICATE)[TEMP].nunique().median() < 2:
        return  # The replicate pairs nothing, and names no run.
    measures = [name for name in (*RESULT_COLUMNS, SCORE) if name in students.columns]
    results = students[measures].dropna(axis=1, how="all").iloc[:, 0]
    distinguishing = [name for name in labels if _tells_apart(students[name], runs)]
    time = next((name for name in distinguishing if _holds_times(students[name])), None)
    if time is None and any(students[name].nunique() <= len(students) / 2 for name in distinguishing):
        return  # It may be a setting, whose values have each a result of their own: another message says so.
    places = pd.Series(np.arange(len(students)), index=students.index) if time is None else students[time].rank()
    if not _goes_one_way(runs, places, results):
        return
    own_keys = [get_own_name(name, own_names) for name in run_columns if name != MODEL or MODEL in own_columns]
    if not set(own_keys) <= set(own_columns):
        return  # Several columns name the replicate together.
    order = "in the order of the rows" if time is None else f"in the order of {time}"
    sort = "" if time is None else f".sort_values({time!r})"
    raise MendingError(
        f"the table has several rows per run ({len(students):,} rows of {pluralize(runs.nunique(), 'run')}), and their "
        f"results go one way {order}, as those of epochs do; keep the last row of each run with pandas: ",
        [f"frame = frame{sort}.groupby({own_keys!r}, dropna=False).tail(1)"],
        f"; if the rows are replicates, give each its own {own_keys[-1]}",
    )


def _tells_apart(column: pd.Series, runs: pd.Series) -> bool:
    """Return whether a column has a value in each row, and different ones in each run."""
    return bool(column.notna().all()) and not pd.DataFrame({"run": runs, "label": column}).duplicated().any()


def _holds_times(column: pd.Series) -> bool:
    """Return whether a column holds dates that sort as text does, or numbers nearly all of which differ."""
    if column.dtype.kind in "iufM":
        n_values = column.nunique()
        return column.dtype.kind == "M" or n_values > len(column) / 2 or holds_seconds(column, n_values)
    return bool(column.map(is_iso_date).all())


def _goes_one_way(runs: pd.Series, places: pd.Series, results: pd.Series) -> bool:
    """Return whether results rise, or fall, with their places in nearly all runs."""
    correlations = _correlate_ranks(runs, places, results)
    correlations = correlations[np.isfinite(correlations)]
    if len(correlations) < _MIN_RUNS:
        return False
    direction = np.sign(np.median(correlations))
    is_clear = abs(float(np.median(correlations))) >= _MIN_CORRELATION
    return bool(is_clear and (direction * correlations > 0).mean() >= _MOST)


def _correlate_ranks(runs: pd.Series, places: pd.Series, results: pd.Series) -> npt.NDArray[np.float64]:
    """Return Spearman's correlation of places and results in each run, (runs,); NaN where all results are equal."""
    ranks = pd.DataFrame({"x": places.groupby(runs).rank(), "y": results.astype(float).groupby(runs).rank()})
    ranks = ranks.dropna()
    centered = ranks - ranks.groupby(runs.loc[ranks.index]).transform("mean")
    products = pd.DataFrame({"xy": centered["x"] * centered["y"], "xx": centered["x"] ** 2, "yy": centered["y"] ** 2})
    sums = products.groupby(runs.loc[ranks.index]).sum()
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(sums["xy"] / np.sqrt(sums["xx"] * sums["yy"]), np.float64)
