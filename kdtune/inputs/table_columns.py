"""The columns of a table as numbers and as text: which is which, what is missing, what is no feature."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from kdtune.inputs.errors import InputError
from kdtune.inputs.number_texts import find_text_among_numbers, is_number_text, read_written_numbers
from kdtune.inputs.row_names import DATE, is_counting_up, is_numbering, list_row_names, make_row_name_error
from kdtune.inputs.table_rows import TableRows, write_drop
from kdtune.number_styles import NumberStyle
from kdtune.text import join_names, pluralize

ColumnKind = Literal["number", "text"]

MAX_CATEGORIES = 10_000  # Each is a feature; with more, a table no longer fits the memory of a small machine.
_MANY_CATEGORIES = 100  # From here on the number of features is worth saying.
_NUMBER_KINDS = {"boolean", "integer", "floating", "mixed-integer-float", "decimal"}
_DATE_KINDS = {"date", "datetime", "datetime64", "timedelta", "timedelta64", "time", "period", "interval"}


@dataclass(frozen=True)
class FeatureColumns:
    """The features of a table as ``store_frame`` takes them.

    Attributes
    ----------
    frame : numeric columns of float64, others of text; missing values are NaN or None.
    categories : the values of each text column.
    has_missing : whether a value is missing.
    styles : how the numbers of a column are written that are text in the user's table.
    """

    frame: pd.DataFrame
    categories: dict[str, tuple[str, ...]]
    has_missing: bool
    styles: dict[str, NumberStyle]


def convert_features(rows: TableRows, impute: str | None, notes: list[str]) -> FeatureColumns:
    """Turn all columns of a table into numbers or text.

    Raises
    ------
    InputError
        If a column holds dates or objects, both numbers and text, an infinite number, a text of its own in each row,
        no value at all, or too few values and ``impute`` is None. It names all such columns.
    """
    columns: dict[str, pd.Series[Any]] = {}
    categories: dict[str, tuple[str, ...]] = {}
    fills: list[str] = []
    rows, styles = read_written_numbers(rows, notes)
    row_names = list_row_names(rows)
    problems = [make_row_name_error(rows, row_names)] if row_names else []
    for name in rows.frame.columns:
        if name in row_names:
            continue
        values = rows.frame[name]
        try:
            n_missing = _check_missing(rows, name, values, impute)
            kind = find_kind(rows, name, values, None)
            if kind == "number":
                columns[name] = _convert_numbers(rows, name, values, notes)
            else:
                columns[name], categories[name] = _convert_text(rows, name, values, notes)
        except InputError as error:
            problems.append(error)
            continue
        if n_missing:
            way = "median" if impute == "median" and kind == "number" else "most frequent value"
            fills.append(f"{name} ({way}, {pluralize(n_missing, 'row')})")
    if problems:
        more = [f"also: {problem}" for problem in problems[1:]]
        raise InputError("; ".join([str(problems[0]), *more]), problems[0].setting)
    if fills:
        notes.append(f"Missing values are filled from the training rows: {join_names(fills, max_names=10)}.")
    elif impute is not None:
        notes.append(f"No value is missing, so `impute: {impute}` changes nothing.")
    # The frame gets its columns at once: to insert one after the other is slow for wide tables.
    return FeatureColumns(pd.DataFrame(columns, copy=False), categories, bool(fills), styles)


def find_kind(rows: TableRows, name: str, values: pd.Series[Any], setting: str | None) -> ColumnKind:
    """Return whether a column holds numbers or text; InputError, of ``setting``, if it is neither."""
    if isinstance(values.dtype, pd.CategoricalDtype):
        return "text"
    if pd.api.types.is_complex_dtype(values.dtype):
        raise InputError(
            f"column {name!r} holds complex numbers; give real and imaginary part as two columns",
            setting or next(iter(rows.first_rows)),
        )
    if pd.api.types.is_numeric_dtype(values.dtype):
        return "number"
    kind = pd.api.types.infer_dtype(values, skipna=True)
    if kind in _NUMBER_KINDS:
        return "number"
    if kind == "string":
        return "text"
    if kind in _DATE_KINDS:
        raise _make_date_error(rows, name, values, setting)
    return _find_mixed_kind(rows, name, values, setting)


def _find_mixed_kind(rows: TableRows, name: str, values: pd.Series[Any], setting: str | None) -> ColumnKind:
    """Return ``number`` for numbers of several types; InputError for anything else."""
    objects = values.to_numpy(dtype=object)
    for row in np.flatnonzero(values.notna().to_numpy()).tolist():
        value = objects[row]
        if isinstance(value, str) and not is_number_text(value):
            raise rows.make_row_error(
                row,
                f"column {name!r} holds numbers, but text in {{row}}: {value!r}; write a number or nothing",
                setting,
            )
        if not isinstance(value, str | int | float | bool | np.number | np.bool_):
            raise rows.make_row_error(
                row,
                f"column {name!r} holds values of type {type(value).__name__} ({{row}}); give numbers or text"
                + ("" if setting is not None else _describe_drop(name, ", or ")),
                setting,
            )
    if any(isinstance(value, str) for value in objects):
        raise InputError(
            f"column {name!r} holds some numbers as text and others as numbers; convert all of them with pd.to_numeric",
            setting or next(iter(rows.first_rows)),
        )
    return "number"


def _check_missing(rows: TableRows, name: str, values: pd.Series[Any], impute: str | None) -> int:
    """Return how many values are missing; InputError if that cannot be mended."""
    is_missing = values.isna().to_numpy()
    if is_missing.all():
        raise InputError(
            f"column {name!r} has no value in any row; leave it out with {write_drop([name])}",
            next(iter(rows.first_rows)),
        )
    if is_missing.any() and impute is None:
        n_missing = int(is_missing.sum())
        more = "" if n_missing == 1 else f" and {pluralize(n_missing - 1, 'more row')}"
        is_text = not pd.api.types.is_numeric_dtype(values.dtype)
        hint = " (in a .csv file, NA, None and the like are no values)" if is_text else ""
        raise rows.make_row_error(
            int(np.argmax(is_missing)),
            f"column {name!r} has no value in {{row}}{more}; `impute: median` or `impute: most_frequent` fills such "
            f"values, {write_drop([name])} leaves the column out{hint}",
        )
    if is_missing[rows.is_training_row].all():
        raise InputError(
            f"column {name!r} has no value in any training row, so there is nothing to fill it from; leave it out with "
            f"{write_drop([name])}",
            next(iter(rows.first_rows)),
        )
    return int(is_missing.sum())


def _convert_numbers(rows: TableRows, name: str, values: pd.Series[Any], notes: list[str]) -> pd.Series[Any]:
    numbers = values.to_numpy(dtype=np.float64, na_value=np.nan)
    if np.isinf(numbers).any():
        raise rows.make_row_error(
            int(np.argmax(np.isinf(numbers))),
            f"column {name!r} holds an infinite number in {{row}}; write a number or nothing",
        )
    habit = "counts the rows" if is_counting_up(rows, numbers) else "has another whole number in each row"
    if is_counting_up(rows, numbers) or is_numbering(rows, numbers):
        notes.append(
            f"The column {name!r} {habit} and is used as a feature; if it is an id, {write_drop([name])} leaves it out."
        )
    return pd.Series(numbers)


def _convert_text(
    rows: TableRows, name: str, values: pd.Series[Any], notes: list[str]
) -> tuple[pd.Series[Any], tuple[str, ...]]:
    """Return text with None where it is missing, and its categories in ascending order."""
    codes, distinct_values = pd.factorize(values)
    texts = np.array([str(value) for value in distinct_values], dtype=object)
    categories = tuple(sorted(set(texts)))
    if all(DATE.fullmatch(text.strip()) for text in categories):
        raise _make_date_error(rows, name, values, None)
    if len(categories) > MAX_CATEGORIES:
        raise InputError(
            f"column {name!r} has {len(categories):,} different values, and each would be a feature, at most "
            f"{MAX_CATEGORIES:,}; group them, or leave the column out with {write_drop([name])}",
            next(iter(rows.first_rows)),
        )
    _note_categories(rows, name, codes, texts, notes)
    filled_texts = np.append(texts, np.array([None], dtype=object))
    return pd.Series(filled_texts[codes], dtype=object), categories


def _note_categories(rows: TableRows, name: str, codes: npt.NDArray[np.intp], texts: Any, notes: list[str]) -> None:
    """Note a column of numbers with a few texts in it, or one that becomes very many features."""
    code = find_text_among_numbers(texts)
    if code is not None:
        row = int(np.argmax(codes == code))
        error = rows.make_row_error(
            row,
            f"The column {name!r} is read as text, one feature for each of its values, because of {texts[code]!r} in "
            f"{{row}}.",
            "",
        )
        notes.append(str(error))
    elif len(texts) >= _MANY_CATEGORIES:
        notes.append(
            f"The column {name!r} has {len(texts):,} different values, each of which becomes a feature; "
            f"{write_drop([name])} leaves it out."
        )


def _make_date_error(rows: TableRows, name: str, values: pd.Series[Any], setting: str | None) -> InputError:
    row = int(np.argmax(values.notna()))
    remedy = "give the class of each row" if setting is not None else _describe_drop(name, "turn it into numbers, or ")
    return rows.make_row_error(
        row, f"column {name!r} holds dates or times, as {str(values.iloc[row])!r} in {{row}}; {remedy}", setting
    )


def _describe_drop(name: str, prefix: str = "") -> str:
    return f"{prefix}leave it out with {write_drop([name])}"
