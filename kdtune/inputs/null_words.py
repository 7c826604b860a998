"""Words in columns of text that pandas reads as no value, such as NA and None: they may be values of their own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from pathlib import Path

import pandas as pd

from kdtune.inputs.storage import find_in_memory
from kdtune.inputs.table_files import find_separator
from kdtune.text import join_names, pluralize

MAX_WORDS = 3  # in a note


def note_null_words(path: Path, frame: pd.DataFrame, left_out: Collection[str], notes: list[str]) -> None:
    """Note how many cells of each column of text say a word that was read as no value, and the remedy.

    Parameters
    ----------
    path, frame : a file of a table, and what was read from it.
    left_out : columns that are no features.
    notes : sentences for the user are appended to it.
    """
    if path.suffix.lower() == ".parquet" or find_in_memory(str(path)) is not None:
        return  # Only in text files does a word stand for no value.
    names = [name for name in frame.columns if name not in left_out and _is_text_with_gaps(frame[name])]
    if not names:
        return
    cells = pd.read_csv(
        path,
        sep=find_separator(path),
        encoding="utf-8-sig",
        skipinitialspace=True,
        dtype=str,
        keep_default_na=False,
        usecols=lambda name: name.strip() in names,
    ).rename(columns=str.strip)
    for name in names:
        words = Counter(cells.loc[frame[name].isna(), name].str.strip())
        del words[""]
        if words:
            listed = join_names(list(words), max_names=MAX_WORDS)
            verb = "says" if words.total() == 1 else "say"
            note = (
                f"{pluralize(words.total(), 'cell')} of {name} {verb} {listed}, which is read as a missing value and "
                f"filled; where that is a value of its own, write another word for it."
            )
            notes += [note] * (note not in notes)  # A grid over ``impute`` reads the table twice.


def _is_text_with_gaps(values: pd.Series) -> bool:
    is_number = pd.api.types.is_numeric_dtype(values.dtype) or pd.api.types.is_bool_dtype(values.dtype)
    return not is_number and bool(values.isna().any()) and not bool(values.isna().all())
