"""Refuse distilled students without a temperature, or with an impossible one, and say what to do."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

import pandas as pd

from kdtune.analysis.option_texts import suggest_filled_rows, suggest_rows, suggest_where
from kdtune.columns import BASELINE, MODEL, RESULT_COLUMNS, SCORE, STATUS, STUDENT, TEMP, TEMP_RANGE
from kdtune.errors import RequestError
from kdtune.foreign.column_names import find_temperatures
from kdtune.foreign.own_names import get_own_name
from kdtune.text import format_number, pluralize

_SHOWN_COLUMNS = 4  # of a row in a message
_LABELED = re.compile(r"(?P<label>[^0-9.+-]+)(?P<number>[0-9]+(\.[0-9]+)?)", re.ASCII)
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
    values = table.loc[is_wrong, TEMP].drop_duplicates().tolist()
    label = _find_label(values, own_name)
    remedies = [f"Mend them, or name another column of temperatures: --map {TEMP}=NAME."]
    if label is not None:
        remedies = [f"Remove {label!r} from the column {own_name}."]
    is_finite = not any(isinstance(value, float) and math.isinf(value) for value in values)
    if len(values) <= _MAX_VALUES and is_finite and not is_wrong.all():
        remedies.append(f"To leave these rows out: {suggest_rows(own_name, values, are_left_out=True)}")
    lowest, highest = TEMP_RANGE
    raise RequestError(
        f"{own_name} must be a positive number ({lowest:.6f} to {highest:,.0f}), not {values[0]!r}, "
        f"as in {_describe_rows(table, is_wrong, own_names)}. {' '.join(remedies)}"
    )


def refuse_blanks(table: pd.DataFrame, is_blank: pd.Series, own_names: Mapping[str, str]) -> None:
    """Raise RequestError if distilled students have no temperature, or 0.

    Parameters
    ----------
    table : The table with ``MODEL``, and ``TEMP`` as it was.
    is_blank : These rows.
    own_names : kdtune's name of a column -> the table's own, where they differ.
    """
    if not is_blank.any():
        return
    own_name = own_names.get(TEMP, TEMP)
    message = (
        f"{own_name} is empty or 0 in {_describe_rows(table, is_blank, own_names)}. If these networks were trained on "
        f"labels alone, add a column {MODEL} with '{BASELINE}' in their rows and '{STUDENT}' in the others."
    )
    is_known = table[TEMP].notna()
    is_number = table[TEMP].dtype.kind in "iuf"
    is_spared = (table[MODEL] != STUDENT) & ~((table[TEMP] > 0) if is_number else is_known)
    if is_spared.any() or is_blank.all():  # A condition would remove teachers and baselines, too, or all rows.
        raise RequestError(message)
    if is_number:
        raise RequestError(f"{message} To leave them out: {suggest_where(own_name, '> 0')}")
    if not (is_blank & is_known).any():
        raise RequestError(f"{message} To leave them out: {suggest_filled_rows(own_name)}")
    raise RequestError(message)


def _find_label(values: list[object], own_name: str) -> str | None:
    """Return the text that stands before the number in each value and says that this is T, as in "T=4"."""
    found = [_LABELED.fullmatch(str(value)) for value in values]
    labels = {match["label"] for match in found if match is not None and float(match["number"]) > 0}
    if len(labels) != 1 or not all(match is not None and float(match["number"]) > 0 for match in found):
        return None
    (label,) = labels
    return label if find_temperatures([label.strip(" =:_-")]) or label.strip(" =:_-") == own_name else None


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
