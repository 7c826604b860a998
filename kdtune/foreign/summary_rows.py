"""Leave out rows that sum up others: a mean over seeds that stands below them is no further replicate."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NoReturn

import numpy as np
import pandas as pd

from kdtune.analysis.option_texts import suggest_rows
from kdtune.columns import MODEL, RESULT_COLUMNS, STATUS, STUDENT, TEMP
from kdtune.errors import RequestError
from kdtune.foreign.column_names import find_seeds, find_weak_replicates
from kdtune.foreign.computed_rows import find_computed_rows, find_mean_seed
from kdtune.foreign.measure_names import is_measure_name
from kdtune.foreign.own_names import get_own_name
from kdtune.foreign.percents import is_numeric
from kdtune.foreign.row_keys import Mask
from kdtune.text import join_names, pluralize

_SHOWN_WORDS = 3  # in a sentence

_SUMMARY = re.compile(
    r"(means?|avg|average|median|total|sum|std|stdev|sd|sem|stderr|all|overall|best|min|max|ensemble|mittelwert|moyenne"
    r"|media|ø|µ|μ)(?![a-z])"
)
_WHOLE = re.compile(r"\s*[+-]?[0-9]+([.]0*)?\s*")


def drop_summary_rows(
    table: pd.DataFrame, own_names: Mapping[str, str] = MappingProxyType({}), measure: str | None = None
) -> tuple[pd.DataFrame, list[str]]:
    """Leave out the rows of distilled students that sum up others.

    They are known by a seed called "mean", "average", "std" or the like, or by their values: once in each group of
    runs stands a row whose label has other words than those of the runs, and it is their mean, their standard deviation
    or another statistic of them. A teacher's or a baseline's seed may be called so: it is compared with all replicates.

    Parameters
    ----------
    table : Plain columns, with ``MODEL`` and ``TEMP``.
    own_names : kdtune's name of a column -> the table's own, where they differ.
    measure : The measure that the user names; None if there is none.

    Returns
    -------
    The table, and a note on each column by which such rows are known.

    Raises
    ------
    RequestError
        If all seeds are numbers but one at each T, and its rows are no statistic: they may be runs or sum up others.
    """
    notes = []
    seeds = [*find_seeds(table.columns), *find_weak_replicates(table.columns)]
    for name in seeds:
        column = table[name]
        if column.dtype.kind != "O":
            continue
        is_student = table[MODEL] == STUDENT
        words = {value: str(value).strip().lower() for value in column[is_student].dropna().unique()}
        others = [value for value, word in words.items() if not _SUMMARY.match(word)]
        summaries = [value for value in words if value not in others]
        if summaries and any(_WHOLE.fullmatch(str(value)) for value in others):
            is_mean = (column.isin(summaries) & is_student).to_numpy(bool)
            notes.append(_describe(is_mean, get_own_name(name, own_names), column))
            table = _to_numbers(table[~is_mean].reset_index(drop=True), [name])
    values = [name for name in table.columns if name in (*RESULT_COLUMNS, measure) or is_measure_name(name)]
    values = [name for name in values if is_numeric(table[name])]
    known = (MODEL, TEMP, STATUS, *values)
    for name in seeds:
        seed = find_mean_seed(table, name, values)
        if seed is not None:
            is_mean = (table[name] == seed).to_numpy(bool)
            notes.append(_describe(is_mean, get_own_name(name, own_names), table[name], "mean"))
            table = table[~is_mean].reset_index(drop=True)
    labels = [name for name in table.columns if table[name].dtype.kind == "O" and name not in known]
    for name in dict.fromkeys([*seeds, *labels]):
        is_run = (table[MODEL] == STUDENT).to_numpy(bool)
        is_computed = np.zeros(len(table), bool)
        for found in find_computed_rows(table, is_run, name, values):
            own_name = get_own_name(name, own_names)
            if found.statistic:
                is_computed |= found.is_candidate
                notes.append(_describe(found.is_candidate, own_name, table[name], found.statistic))
            elif found.are_beside_numbers and name in seeds:
                _refuse(table.loc[found.is_candidate, name], own_name)
        if is_computed.any():
            table = _to_numbers(table[~is_computed].reset_index(drop=True), [name, *values])
    return table, notes


def _describe(is_summary: Mask, own_name: str, labels: pd.Series, statistic: str = "") -> str:
    """Say which rows are left out, and what they are of the others if their values say so."""
    count = int(is_summary.sum())
    words = [str(value) for value in labels[is_summary].dropna().unique()]
    label = f"{own_name} {join_names(words, max_names=_SHOWN_WORDS)}" if words else f"{own_name} empty"
    verb = "sums" if count == 1 else "sum"
    reason = f": {'it is' if count == 1 else 'each is'} the {statistic} of the runs beside it" if statistic else ""
    return f"Left out: {pluralize(count, 'row')} that {verb} up others ({label}){reason}."


def _refuse(labels: pd.Series, own_name: str) -> NoReturn:
    words = list(labels.unique())
    listed = join_names([repr(str(word)) for word in words], max_names=_SHOWN_WORDS)
    raise RequestError(
        f"{own_name} is {listed} in {pluralize(len(labels), 'row')}, one of each T, and a number in the others. If "
        f"these rows sum up others, leave them out: {suggest_rows(own_name, words, are_left_out=True)}. If they are "
        f"runs, write a number there in the table"
    )


def _to_numbers(table: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """Turn columns into numbers that were text only because of words in rows that are left out."""
    for name in names:
        values = table[name]
        if values.dtype.kind == "O" and pd.to_numeric(values.dropna(), errors="coerce").notna().all():
            table = table.assign(**{name: pd.to_numeric(values)})
    return table
