"""Columns of a table whose numbers are written as text: with decimal commas, or with a word among them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from kdtune.inputs.table_rows import TableRows, write_drop
from kdtune.number_styles import PLAIN, NumberStyle, is_null_among_numbers, list_readings, unify_characters

# Digits with any of the marks that people put between them, decimal commas and thousands among them.
_NUMBER = re.compile(r"[+-]?[\d.,' ]*\d[\d.,' ]*([eE][+-]?\d+)?")
_MOSTLY = 0.9  # of the different values of a column
_MANY_NUMBERS = 20  # So many different numbers are no names of categories.


def read_written_numbers(rows: TableRows, notes: list[str]) -> tuple[TableRows, dict[str, NumberStyle]]:
    """Return the rows with numbers in place of texts such as ``3,14`` and ``1.234,5``, and the style of these columns.

    Raises
    ------
    InputError
        If such texts can be read as different numbers, or a column of many numbers has a text among them.
    """
    columns, styles = {}, {}
    for name in rows.frame.columns:
        values = rows.frame[name]
        if pd.api.types.infer_dtype(values, skipna=True) != "string":
            continue
        codes, distinct_values = pd.factorize(values)
        texts = [str(value).strip() for value in distinct_values]
        is_null = np.array([is_null_among_numbers(text) or not text for text in texts])
        words = [unify_characters(text) for text, is_blank in zip(texts, is_null, strict=True) if not is_blank]
        readings = list_readings(words) if words else {}
        if PLAIN in readings:
            # As in a .csv file, points stand before decimals. Whole numbers in quotes may be codes, as of streets.
            has_decimals = any("." in word for word in words)
            readings = {PLAIN: readings[PLAIN]} if has_decimals else {}
        if len(readings) > 1:
            raise rows.make_row_error(
                int(np.argmax(codes == 0)),
                f"column {name!r} has {texts[0]!r} in {{row}}, in which decimals or thousands may follow the mark; "
                f"write thousands without marks, and decimals after a point",
            )
        if readings:
            ((styles[name], numbers),) = readings.items()
            all_numbers = np.full(len(texts) + 1, np.nan)  # The last is for rows without a text.
            all_numbers[:-1][~is_null] = numbers
            columns[name] = all_numbers[codes]
            nulls = "".join(f", {text!r} as a missing value" for text in np.array(texts)[is_null].tolist())
            notes.append(
                f"The texts of the column {name!r} are read as numbers: {words[0]!r} as {numbers[0]:g}{nulls}."
            )
            continue
        code = find_text_among_numbers(texts)
        if code is not None and len(texts) > _MANY_NUMBERS:
            raise rows.make_row_error(
                int(np.argmax(codes == code)),
                f"column {name!r} holds numbers, but text in {{row}}: {texts[code]!r}; write a number or nothing, or "
                f"leave the column out with {write_drop([name])}",
            )
    return (replace(rows, frame=rows.frame.assign(**columns)) if columns else rows), styles


def find_text_among_numbers(texts: Sequence[str]) -> int | None:
    """Return the position of the first text that is no number, if nearly all the others are; None otherwise."""
    is_number = np.array([_NUMBER.fullmatch(text.strip()) is not None for text in texts])
    return int(np.argmin(is_number)) if not is_number.all() and is_number.mean() >= _MOSTLY else None


def is_number_text(text: str) -> bool:
    """Return whether Python reads a text as a number."""
    try:
        float(text)
    except ValueError:
        return False
    return True
