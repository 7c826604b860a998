"""Refuse tables with the mean of several runs in each row: what a seed does cannot be told from them."""

from __future__ import annotations

import re
from collections.abc import Iterable

import pandas as pd

from kdtune.columns import MODEL, STUDENT
from kdtune.errors import RequestError
from kdtune.foreign.column_names import split_words
from kdtune.foreign.measure_names import is_measure_name

_MEAN_WORDS = {"mean", "avg", "average"}
_SPREAD_WORDS = {"std", "stdev", "stddev", "sd", "sem", "stderr", "se", "ci", "ci95", "var"}
_RUN_WORDS = {"seeds", "runs", "reps", "replicates", "trials", "repeats", "repetitions"}
_COUNT_WORDS = {"n", "num", "number", "count", "of", "no", "nr"}
_PLUS_MINUS = re.compile(r"\d\s*%?\s*(±|\+\s*/?\s*-|\$?\\pm\$?)\s*\.?\d")
_REMEDY = (
    "write one row for each run, with its T, its seed and its own result: means of several seeds do not show how much "
    "results vary by chance"
)


def refuse_summed_runs(table: pd.DataFrame, own_columns: Iterable[str]) -> None:
    """Raise RequestError if the columns say that each row is the mean of several runs.

    Parameters
    ----------
    table : One row for each setting and T, without replicates.
    own_columns : All columns as the table itself calls them.
    """
    names = list(own_columns)
    spreads = {name: _find_stem(name, _SPREAD_WORDS) for name in names if _SPREAD_WORDS & set(split_words(name))}
    for name in names:
        stem = _find_stem(name, _MEAN_WORDS)
        pairs = [spread for spread, spread_stem in spreads.items() if spread_stem == stem]
        if pairs and is_measure_name(name) and name not in spreads:
            raise RequestError(f"each row seems to sum up several runs: {name} stands beside {pairs[0]}; {_REMEDY}")
    for name in names:
        if not _counts_runs(name) or name not in table.columns or table[name].dtype.kind not in "iuf":
            continue
        if (table.loc[table[MODEL] == STUDENT, name] > 1).all():
            raise RequestError(f"each row seems to sum up several runs: {name} counts them; {_REMEDY}")


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
    words = set(split_words(name))
    return bool(words & _RUN_WORDS) and words <= _RUN_WORDS | _COUNT_WORDS and bool(words & _COUNT_WORDS)
