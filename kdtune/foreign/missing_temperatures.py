"""Say what to do about a table without a column of T: it is wide, has a transform of T, or calls T by another name."""

from __future__ import annotations

import re
from typing import NoReturn

import pandas as pd

from kdtune.analysis.option_texts import suggest_map
from kdtune.columns import TEMP
from kdtune.errors import RequestError
from kdtune.foreign.column_names import MACHINE_WORDS, TRANSFORM_WORDS, describe_columns, split_words
from kdtune.foreign.wide_tables import refuse_wide_temperatures


def refuse_missing_temperature(table: pd.DataFrame) -> NoReturn:
    """Raise RequestError: no column is called as the temperature is."""
    refuse_wide_temperatures(table)
    names = list(table.columns)
    similar = [name for name in names if {"t", "temp", "temperature", "tau"} & set(split_words(name))]
    transforms = [name for name in similar if _is_transform(name)]
    if transforms:
        verb = "seems to be a transform" if len(transforms) == 1 else "seem to be transforms"
        raise RequestError(
            f"the table has no column {TEMP!r}; {describe_columns(transforms, 4)} {verb} of it: "
            f"add a column {TEMP} with T itself"
        )
    similar = [name for name in similar if not MACHINE_WORDS & set(split_words(name))]
    if similar:
        raise RequestError(
            f"the table has no column {TEMP!r}; {describe_columns(similar, 4)} may be a transform of it, or of another "
            f"network: add a column {TEMP} with T itself, or if this is T: {suggest_map(TEMP, similar[0])}"
        )
    raise RequestError(
        f"the table has no column {TEMP!r}; name the one with the temperatures: --map {TEMP}=NAME; "
        f"it has {describe_columns(names)}"
    )


def _is_transform(name: str) -> bool:
    """Return whether a name says that it is a function of T: it has a word such as log, or a formula."""
    words = set(split_words(name))
    return bool(TRANSFORM_WORDS & words) or bool(re.search(r"[*^+²√]|\bT\s*/|\b[0-9]", name))
