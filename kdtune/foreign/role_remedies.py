"""Say how the rows of teachers and baselines are marked: by which column of the table, and what makes the roles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, NoReturn

import pandas as pd

from kdtune.analysis.option_texts import suggest_rows
from kdtune.columns import BASELINE, MODEL, REPLICATE, RESULT_COLUMNS, SCORE, STATUS, STUDENT, TEACHER, TEMP
from kdtune.errors import RequestError
from kdtune.foreign.column_names import split_words
from kdtune.foreign.mending import MendingError, quote, write_column_step
from kdtune.foreign.role_words import find_role_in, read_role, read_truth, read_truths
from kdtune.text import join_names

_MAX_VALUES = 6  # different values of a column that tells the roles of rows
_ROLE_COLUMN = "role"  # what a column of roles is called where ``model`` is taken


class Separation(NamedTuple):
    """A column whose values in rows without T are others than those in rows with one."""

    name: str
    without: list[Any]  # its values in the rows without T; None for no value
    others: list[Any]

    def describe(self) -> str:
        """Say which values stand where, as in "method has 'CE' in these rows and 'KD' in the others"."""
        without, others = (join_names([_write(value) for value in values]) for values in (self.without, self.others))
        return f"{self.name} has {without} in these rows and {others} in the others"

    def names_roles(self) -> bool:
        """Return whether its values or its name are words for roles."""
        doubt, is_no_truth, _ = _rank(self)
        return not doubt or not is_no_truth

    def write_step(self, target: str) -> str:
        """Write the step of pandas that makes the roles of this column."""
        roles = {value: guess_role(self.name, value) for value in self.without}
        roles |= dict.fromkeys(self.others, STUDENT)
        blank = next((role for value, role in roles.items() if value is None), None)
        listed = ", ".join(f"{quote(value)}: {quote(role)}" for value, role in roles.items() if value is not None)
        ending = "" if blank is None else f".fillna({quote(blank)})"
        return write_column_step(target, f"frame[{quote(self.name)}].map({{{listed}}}){ending}")


def find_separation(table: pd.DataFrame, is_blank: pd.Series, own_names: Mapping[str, str]) -> Separation | None:
    """Return the column that separates the rows without T from the others; of several, the one that names roles best.

    Parameters
    ----------
    table : The table with kdtune's names of columns.
    is_blank : The rows without T. Rows of teachers and baselines that are known are not among them.
    own_names : kdtune's name of a column -> the table's own, where they differ.
    """
    hidden = {TEMP, MODEL, STATUS, SCORE, REPLICATE, *RESULT_COLUMNS}
    found = []
    for name in table.columns:
        column = table[name]
        if name in hidden:
            continue
        without, others = _list_values(column[is_blank]), _list_values(column[~is_blank])
        is_clear = 0 < len(without) <= _MAX_VALUES and 0 < len(others) <= _MAX_VALUES
        if is_clear and not {str(value) for value in without} & {str(value) for value in others}:
            plain_name = name.removesuffix(" (setting)")
            found.append(Separation(own_names.get(plain_name, plain_name), without, others))
    return min(found, key=_rank, default=None)


def guess_role(name: str, value: Any) -> str:
    """Return the role of a network without T: a teacher if its value says so, else a baseline."""
    if find_role_in(value) == TEACHER or "teacher" in str(value).lower():
        return TEACHER
    return TEACHER if "teacher" in name.lower() and read_truth(value) else BASELINE


def choose_role_column(table: pd.DataFrame) -> str:
    """Return what a new column of roles is called: ``model``, or ``role`` where the table has a column ``model``."""
    return _ROLE_COLUMN if any(name.startswith(f"{MODEL} (") for name in table.columns) else MODEL


def refuse_unknown_roles(
    table: pd.DataFrame, name: str, own_name: str, unknown: Sequence[Any], role_by_value: Mapping[Any, str]
) -> NoReturn:
    """Raise RequestError: some values of the column of roles are unknown.

    Parameters
    ----------
    table : The table.
    name, own_name : The column of roles, and what the table calls it.
    unknown : Its values of unknown meaning.
    role_by_value : The role of each other value.
    """
    listed = join_names([repr(str(value)) for value in unknown], max_names=5)
    start = (
        f"{own_name} has {listed}, which kdtune does not know as the role of a network. Write {TEACHER}, {BASELINE} "
        f"(trained on labels alone) or {STUDENT} instead"
    )
    others = ""
    if STUDENT in role_by_value.values():
        others = f", or read the other rows only: {suggest_rows(own_name, role_by_value)}"
    is_unknown = table[name].isin(list(unknown))
    has_T = TEMP in table.columns and bool((table.loc[is_unknown, TEMP].notna()).any())
    if has_T or len(unknown) > _MAX_VALUES:
        raise MendingError(f"{start}{others}", [])
    new_words = ", ".join(f"{quote(value)}: {quote(guess_role(own_name, value))}" for value in unknown)
    step = write_column_step(own_name, f"frame[{quote(own_name)}].replace({{{new_words}}})")
    start += f"{others}. They have no T: if this says what they are, mend the table with pandas: "
    raise MendingError(start, [step])


def guess_roles(table: pd.DataFrame, name: str) -> dict[Any, str]:
    """Return what the values of a column seem to say of networks; nothing if none of them has a word for a role.

    Parameters
    ----------
    table : The table with ``TEMP``.
    name : A column, whose values may hold words for roles among others, as "train_teacher" does.
    """
    values = list(table[name].dropna().unique()[: _MAX_VALUES + 1]) if table[name].dtype.kind == "O" else []
    roles = {value: find_role_in(value) for value in values}
    if len(values) > _MAX_VALUES or not {BASELINE, TEACHER} & set(roles.values()):
        return {}
    temperatures = table.groupby(name)[TEMP].nunique()
    for value, role in roles.items():
        if role is None and not {"student", "students"} & set(split_words(str(value))) and temperatures[value] < 2:
            return {}
    return {value: role or STUDENT for value, role in roles.items()}


def refuse_unread_roles(table: pd.DataFrame, name: str, own_name: str) -> NoReturn:
    """Raise RequestError: none of the values of a column that the user maps to the roles is known as one."""
    values = table[name].dropna().unique()
    listed = join_names([repr(str(value)) for value in values], max_names=5) if len(values) else "no value"
    start = (
        f"--map {MODEL}={own_name}: kdtune cannot tell which role each value says ({listed}). Write {TEACHER}, "
        f"{BASELINE} (trained on labels alone) or {STUDENT} instead"
    )
    roles = guess_roles(table, name) or (dict.fromkeys(values, STUDENT) if 0 < len(values) <= _MAX_VALUES else {})
    if not roles:
        raise RequestError(start)
    raise MendingError(
        f"{start}, with pandas, each role where it belongs: ", [write_roles_step(table, own_name, roles)]
    )


def write_roles_step(table: pd.DataFrame, own_name: str, roles: Mapping[Any, str]) -> str:
    """Write the step of pandas that makes roles of the values of a column."""
    listed = ", ".join(f"{quote(value)}: {quote(role)}" for value, role in roles.items())
    return write_column_step(choose_role_column(table), f"frame[{quote(own_name)}].map({{{listed}}})")


def _rank(separation: Separation) -> tuple[bool, bool, int]:
    """Return how doubtful it is that a column names roles: by its words, its name and the number of its values."""
    values = [value for value in (*separation.without, *separation.others) if value is not None]
    names_roles = any(read_role(value) or find_role_in(value) for value in values)
    is_truth = read_truths(separation.name, values) is not None
    return not names_roles, not is_truth, len(values)


def _list_values(column: pd.Series) -> list[Any]:
    """Return the different values of a column, None for missing ones; of many the first ones."""
    return [None if pd.isna(value) else value for value in column.unique()[: _MAX_VALUES + 1]]


def _write(value: Any) -> str:
    return "no value" if value is None else repr(value.item() if hasattr(value, "item") else value)
