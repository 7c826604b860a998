"""Read seeds that are whole numbers written in several ways, such as 001 and 1, as the same number."""

from __future__ import annotations

import pandas as pd

from kdtune.foreign.column_names import find_seeds, find_weak_replicates
from kdtune.text import join_names

_WHOLE = r"[+-]?[0-9]{1,18}(?:[.]0*)?"
_SHOWN_PAIRS = 3  # in a note


def join_seed_texts(table: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Make texts one that write the same whole number, in columns that may name the replicate.

    A column stays as it is if a value is no whole number, or none of them is written in two ways.

    Returns
    -------
    The table, and a note on each column that changed.
    """
    notes = []
    for name in [*find_seeds(table.columns), *find_weak_replicates(table.columns)]:
        column = table[name]
        if pd.api.types.is_numeric_dtype(column.dtype):
            continue
        texts = pd.Series(column.dropna().unique()).astype(str)
        if texts.empty or not texts.str.fullmatch(_WHOLE).all():
            continue
        numbers = texts.str.split(".").str[0].astype("int64")
        is_repeated = numbers.duplicated(keep=False)
        if is_repeated.any():
            numbers_by_text = dict(zip(texts, numbers, strict=True))
            whole = column.map(lambda value, known=numbers_by_text: known[str(value)], na_action="ignore")
            table = table.assign(**{name: whole.astype("Int64" if column.isna().any() else "int64")})
            pairs = texts[is_repeated].groupby(numbers[is_repeated]).agg(" and ".join).tolist()
            notes.append(
                f"{name}: {join_names(pairs, conjunction='as well as', max_names=_SHOWN_PAIRS)} are the same number."
            )
    return table, notes
