"""Refuse tables with the mean of several runs in each row: what a seed does cannot be told from them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NoReturn

import pandas as pd

from kdtune.analysis.option_texts import suggest_cell
from kdtune.columns import MODEL, STUDENT
from kdtune.errors import RequestError
from kdtune.foreign.column_names import split_words
from kdtune.foreign.measure_names import is_measure_name

_MEAN_WORDS = {"mean", "avg", "average"}
_SPREAD_WORDS = {"std", "stdev", "stddev", "sd", "sem", "stderr", "se", "ci", "ci95", "var"}
_RUN_WORDS = {"seeds", "runs", "reps", "replicates", "trials", "repeats", "repetitions"}
_COUNT_WORDS = {"n", "num", "number", "count", "of", "no", "nr"}
_MOST = 0.5  # of the rows have several runs
_MAX_RUNS = 100  # that anybody takes the mean of; a larger n counts examples, say
_PLUS_MINUS = re.compile(r"\d\s*%?\s*(±|\+\s*/?\s*-|\$?\\pm\$?)\s*\.?\d")
_REMEDY = (
    "write one row for each run, with its T, its seed and its own result: means of several seeds do not show how much "
    "results vary by chance"
)


def refuse_summed_runs(
    table: pd.DataFrame, own_columns: Iterable[str], run_columns: Sequence[str], own_settings: Sequence[str]
) -> None:
    """Raise RequestError if the columns say that each row is the mean of several runs.

    Parameters
    ----------
    table : One row for each setting and T, without replicates.
    own_columns : All columns as the table itself calls them.
    run_columns : The columns that name a run; what the user names a setting is among them.
    own_settings : The settings among them, as the table itself calls them.
    """
    names = list(own_columns)
    spreads = {name: _find_stem(name, _SPREAD_WORDS) for name in names if _SPREAD_WORDS & set(split_words(name))}
    for name in names:
        stem = _find_stem(name, _MEAN_WORDS)
        pairs = [spread for spread, spread_stem in spreads.items() if spread_stem == stem]
        if pairs and is_measure_name(name) and name not in spreads:
            raise RequestError(f"each row seems to sum up several runs: {name} stands beside {pairs[0]}; {_REMEDY}")
    settings = [name for name in own_settings if name not in spreads and not _counts_runs(name)]
    numeric = [name for name in names if name in table.columns and table[name].dtype.kind in "iuf"]
    for name in numeric:
        if name in spreads and (not spreads[name] or is_measure_name(" ".join(spreads[name]))):
            _refuse(f"{name} is how much their results vary", "" if spreads[name] else name, settings)
    students = table[table[MODEL] == STUDENT]
    for name in numeric:
        counts = students[name]
        if not _counts_runs(name) or not ((counts >= 1) & (counts % 1 == 0)).all() or counts.max() < 2:
            continue
        others = [column for column in run_columns if column != name]
        is_clear = not students.duplicated(others).any() and (counts > 1).mean() > _MOST  # A setting tells runs apart.
        if is_clear and (split_words(name) != ["n"] or (counts.nunique() > 1 and counts.max() <= _MAX_RUNS)):
            _refuse(f"{name} counts them", name, settings)


def _refuse(reason: str, doubtful: str, settings: Sequence[str]) -> NoReturn:
    """Raise RequestError: rows sum up several runs, unless a column with a doubtful name is a setting."""
    remedy = f". If {doubtful} is a setting: {suggest_cell([*settings, doubtful])}" if doubtful else ""
    raise RequestError(f"each row seems to sum up several runs: {reason}; {_REMEDY}{remedy}")


def refuse_spreads(name: str, values: pd.Series) -> None:
    """Raise RequestError if the values of a measure are texts such as "90.04 ± 0.43".

    Parameters
    ----------
    name : The column, as the table itself calls it.
    values : Its values that are not null.
    """
    example = next((value for value in values if isinstance(value, str) and _PLUS_MINUS.search(value)), None)
    if example is not None:
        raise RequestError(f"{name}: each row seems to sum up several runs, as {example!r}; {_REMEDY}")


def _find_stem(name: str, words: set[str]) -> tuple[str, ...]:
    """Return the words of a name without those that say what it sums up."""
    return tuple(word for word in split_words(name) if word not in words)


def _counts_runs(name: str) -> bool:
    """Return whether a name says that a column counts runs, as n_seeds, runs and n do."""
    words = set(split_words(name))
    return words == {"n"} or (bool(words & _RUN_WORDS) and words <= _RUN_WORDS | _COUNT_WORDS)
