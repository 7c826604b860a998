"""Refuse distilled students without a temperature, or with an impossible one, and say what to do."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import NoReturn

import pandas as pd

from kdtune.analysis.option_texts import suggest_filled_rows, suggest_map, suggest_rows, suggest_where
from kdtune.columns import BASELINE, MODEL, RESULT_COLUMNS, SCORE, STATUS, STUDENT, TEACHER, TEMP, TEMP_RANGE
from kdtune.errors import RequestError
from kdtune.foreign.column_names import TRANSFORM_WORDS
from kdtune.foreign.mending import MendingError, quote, write_column_step
from kdtune.foreign.own_names import get_own_name
from kdtune.foreign.role_remedies import choose_role_column, find_separation
from kdtune.foreign.role_words import find_role_in
from kdtune.text import format_number, join_names, pluralize

_SHOWN_COLUMNS = 4  # of a row in a message
_NUMBER = re.compile(r"([0-9]+(?:[.][0-9]+)?)", re.ASCII)
_SIGNED = re.compile(r"[-+][0-9]|[0-9][eE,^/]")  # what is more than a plain number
_MAX_VALUES = 5  # in a condition


def refuse_wrong_values(table: pd.DataFrame, is_wrong: pd.Series, own_names: Mapping[str, str]) -> None:
    """Raise RequestError if a temperature is not a number within ``TEMP_RANGE``.

    Parameters
    ----------
    table : The table with ``TEMP`` as it was.
    is_wrong : The rows of distilled students whose temperature is wrong.
    own_names : kdtune's name of a column -> the table's own, where they differ.
    """
    if not is_wrong.any():
        return
    own_name = own_names.get(TEMP, TEMP)
    counts = table.loc[is_wrong, TEMP].map(repr).value_counts(sort=False)
    values = table.loc[is_wrong, TEMP].drop_duplicates().tolist()
    listed = repr(values[0])
    if len(values) > 1:
        texts = [f"{value} ({pluralize(int(count), 'row')})" for value, count in counts.items()]
        listed = join_names(texts, "or", _MAX_VALUES)
    is_finite = not any(isinstance(value, float) and math.isinf(value) for value in values)
    end = f"Mend them, or name another column of temperatures: --map {TEMP}=NAME."
    if len(values) <= _MAX_VALUES and is_finite and not is_wrong.all():
        end += f" To leave these rows out: {suggest_rows(own_name, values, are_left_out=True)}"
    lowest, highest = TEMP_RANGE
    start = (
        f"{own_name} must be a positive number ({lowest:.6f} to {highest:,.0f}), not {listed}, "
        f"as in {_describe_rows(table, is_wrong, own_names)}. "
    )
    column = f"frame[{quote(own_name)}]"
    texts = [str(value) for value in values]
    is_transform = any(TRANSFORM_WORDS & set(re.findall("[a-z]+", text.lower())) for text in texts)
    if not is_transform and all(len(_NUMBER.findall(text)) == 1 and not _SIGNED.search(text) for text in texts):
        step = write_column_step(own_name, f"{column}.astype(str).str.extract(r{quote(_NUMBER.pattern)}, expand=False)")
        raise MendingError(f"{start}If the number in each text is T, take it with pandas: ", [step], f". {end}")
    roles = {text: find_role_in(text) for text in texts if not _NUMBER.search(text)}
    numbered = [text for text in texts if text not in roles]
    is_told = bool(roles) and set(roles.values()) <= {BASELINE, TEACHER} and not is_transform
    if is_told and all(len(_NUMBER.findall(text)) == 1 and not _SIGNED.search(text) for text in numbered):
        listed = ", ".join(f"{quote(text)}: {quote(role)}" for text, role in roles.items())
        target = choose_role_column(table)
        steps = [
            write_column_step(target, f"{column}.map({{{listed}}}).fillna({quote(STUDENT)})"),
            write_column_step(own_name, f"{column}.astype(str).str.extract(r{quote(_NUMBER.pattern)}, expand=False)"),
        ]
        raise MendingError(f"{start}If the number in each text is T, take it with pandas: ", steps, f". {end}")
    if all(isinstance(value, str) for value in values) and not any(map(_NUMBER.search, texts)) and not is_wrong.all():
        step = write_column_step(own_name, f"pandas.to_numeric({column}, errors={quote('coerce')})")
        start += "If they are words for no temperature, as of teachers and baselines, leave them blank with pandas: "
        raise MendingError(start, [step], f". {end}")
    raise RequestError(f"{start}{end}")


def refuse_blanks(
    table: pd.DataFrame, is_blank: pd.Series, own_names: Mapping[str, str], merged: Sequence[str] = ()
) -> None:
    """Raise RequestError if distilled students have no temperature, or 0.

    Parameters
    ----------
    table : The table with ``MODEL``, and ``TEMP`` as it was.
    is_blank : These rows.
    own_names : kdtune's name of a column -> the table's own, where they differ.
    merged : The columns, T among them, that look like merged cells of a spreadsheet, by kdtune's names.
    """
    if not is_blank.any():
        return
    own_name = own_names.get(TEMP, TEMP)
    message = f"{own_name} is empty or 0 in {_describe_rows(table, is_blank, own_names)}. "
    if is_blank.all():
        raise RequestError(f"{message}Name another column of temperatures: --map {TEMP}=NAME")
    separation = find_separation(table, is_blank, own_names)
    if merged and (separation is None or not separation.names_roles()):
        _refuse_merged(message, merged, own_names)
    message += _describe_useless_map(table, own_names)
    target = choose_role_column(table)
    message += (
        f"If these networks are students that were trained on labels alone, add a column {target} with '{BASELINE}' in "
        f"their rows and '{STUDENT}' in the others; in rows of teachers write '{TEACHER}'. "
    )
    if separation is None:
        values = {True: STUDENT, False: BASELINE}
        message += "If none is a teacher, pandas does it: "
        mapping = ", ".join(f"{key}: {quote(role)}" for key, role in values.items())
        step = f"(pandas.to_numeric(frame[{quote(own_name)}], errors={quote('coerce')}) > 0).map({{{mapping}}})"
        steps = [write_column_step(target, step)]
    else:
        message += f"{separation.describe()}; if that says what they are, pandas does it: "
        steps = [separation.write_step(target)]
    raise MendingError(message, steps, _suggest_leaving_out(table, is_blank, own_name))


def _refuse_merged(start: str, merged: Sequence[str], own_names: Mapping[str, str]) -> NoReturn:
    """Raise RequestError: T stands in the first row of each block only, as in a spreadsheet with merged cells."""
    names = [own_names.get(name, name) for name in merged]
    raise MendingError(
        f"{start}It stands in the first row of each block of rows only: perhaps cells of a spreadsheet were merged. "
        f"Then fill the others with pandas: ",
        [write_column_step(name, f"frame[{quote(name)}].ffill()") for name in names],
        f". If these rows are networks without a temperature instead, add a column {MODEL} with '{BASELINE}' in the "
        f"rows of students that were trained on labels alone, '{TEACHER}' in those of teachers and '{STUDENT}' in the "
        f"others",
    )


def _describe_useless_map(table: pd.DataFrame, own_names: Mapping[str, str]) -> str:
    """Say that the column which the user maps to the roles has none; the empty text if it is not so."""
    name = f"{MODEL} (setting)"
    if MODEL not in own_names or name not in table.columns:
        return ""
    values = [repr(str(value)) for value in table[name].dropna().unique()]
    listed = join_names(values, max_names=_MAX_VALUES)
    own_name = own_names[MODEL]
    return (
        f"{suggest_map(MODEL, own_name)} does not help: {own_name} has {listed}, of which kdtune knows none as a role. "
    )


def _suggest_leaving_out(table: pd.DataFrame, is_blank: pd.Series, own_name: str) -> str:
    """Return the sentence with the condition that removes rows without T; the empty text if it would remove others."""
    is_known = table[TEMP].notna()
    is_number = table[TEMP].dtype.kind in "iuf"
    is_spared = (table[MODEL] != STUDENT) & ~((table[TEMP] > 0) if is_number else is_known)
    if is_spared.any() or is_blank.all():  # A condition would remove teachers and baselines, too, or all rows.
        return ""
    start = ". To leave them out, so that nothing is said of labels alone: "
    if is_number:
        return f"{start}{suggest_where(own_name, '> 0')}"
    if not (is_blank & is_known).any():
        return f"{start}{suggest_filled_rows(own_name)}"
    return ""


def _describe_rows(table: pd.DataFrame, is_described: pd.Series, own_names: Mapping[str, str]) -> str:
    """Describe rows by their number and the first of them, as in "3 rows (the first: width 10, seed 0)"."""
    rows = table[is_described]
    first = rows.iloc[0].dropna()
    # Measures are not as the table has them: an accuracy has become a rate of errors.
    hidden = {TEMP, MODEL, STATUS, SCORE, *RESULT_COLUMNS}
    shown = [name for name in first.index if name not in hidden][:_SHOWN_COLUMNS]
    values = ", ".join(f"{get_own_name(name, own_names)} {format_number(first[name])}" for name in shown)
    count = pluralize(len(rows), "row")
    if not values:
        return count
    return f"{count} ({values})" if len(rows) == 1 else f"{count} (the first: {values})"
