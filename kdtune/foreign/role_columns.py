"""Read the roles of networks from columns: those that are called so, and others whose values say them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from kdtune.analysis.column_values import list_first_values
from kdtune.columns import BASELINE, MODEL, STUDENT, TEACHER, TEMP
from kdtune.foreign.role_words import (
    ROLE_NOUNS,
    WEAK_WORDS,
    find_role_in,
    normalize,
    read_role,
    read_truth,
    read_truths,
)

_MIN_WITH_T = 0.9  # of the rows of students, where T tells the roles: some runs break off before they note it


class ColumnRoles(NamedTuple):
    """The roles that a column gives."""

    name: str
    values: list[Any]  # the different values of the column
    codes: npt.NDArray[np.int64]  # for each row the position of its value
    roles: list[str | None]  # of each value; None if it is unknown
    notes: list[str]

    def follow_rows(self) -> npt.NDArray[np.object_]:
        """Return the role of each row."""
        return np.array(self.roles, object)[self.codes]

    def pair(self) -> Iterator[tuple[Any, str | None]]:
        """Return each different value with its role."""
        return zip(self.values, self.roles, strict=True)


def read_named_column(table: pd.DataFrame, name: str, own_names: Mapping[str, str]) -> ColumnRoles:
    """Return the roles in a column that by its name says them, or that the user maps; it may have none."""
    own_name = own_names.get(name, name)
    roles = _read_words(table, name)
    if MODEL not in own_names and not says_temperatures(table, _keep_weak(roles)):
        roles = roles._replace(roles=[None if normalize(v) in WEAK_WORDS else r for v, r in roles.pair()])
    if any(roles.roles):
        return _complete_words(roles, own_name)
    # Whoever maps a column of truths knows its meaning: T tells which of both is meant, whatever it is called.
    aliases = [own_name, "kd", "is_baseline"] if MODEL in own_names else [own_name]
    others = [_read_truths(table, name, own_name, alias) for alias in aliases]
    others.append(_complete_words(roles, own_name))
    return next((other for other in others if other is not None and says_temperatures(table, other)), roles)


def find_role_column(table: pd.DataFrame, named: list[ColumnRoles]) -> ColumnRoles | None:
    """Return the roles of the only column of another name that has distilled students and others; None if none does.

    Several columns that say the same of all rows are one. Truths, texts that hold more than a role, and words that may
    mean something else too, count where they say the same as T.
    """
    names = [name for name in table.columns if name not in (TEMP, *(roles.name for roles in named))]
    exact = list(_iterate_exact(table, names))
    if exact:
        return _choose_one(exact)
    truths = [_read_truths(table, name, name, name) for name in names]
    stated = [roles for roles in truths if roles is not None and says_temperatures(table, roles)]
    if not stated:
        texts = [_complete_words(_read_words(table, name), name) for name in names if _has_role_words(table[name])]
        stated = [roles for roles in texts if None not in roles.roles and says_temperatures(table, roles)]
    return _choose_one(stated)


def _iterate_exact(table: pd.DataFrame, names: list[str]) -> Iterator[ColumnRoles]:
    """Yield the roles of the columns whose values are all words for roles, distilled students and others."""
    for name in names:
        if table[name].dtype.kind != "O" or not all(map(read_role, list_first_values(table[name]).unique())):
            continue
        roles = _read_words(table, name)
        known = {role for value, role in roles.pair() if not pd.isna(value)}
        if STUDENT in known and len(known) > 1 and None not in known:
            has_weak = any(normalize(value) in WEAK_WORDS for value in roles.values)
            if not has_weak or says_temperatures(table, _keep_weak(roles)):
                yield roles


def _choose_one(found: list[ColumnRoles]) -> ColumnRoles | None:
    """Return the first column if all say the same of each row."""
    if not found or any((found[0].follow_rows() != other.follow_rows()).any() for other in found[1:]):
        return None
    return found[0]


def _read_words(table: pd.DataFrame, name: str) -> ColumnRoles:
    codes, values = pd.factorize(table[name], use_na_sentinel=False)
    return ColumnRoles(name, list(values), codes, [read_role(value) for value in values], [])


def _read_truths(table: pd.DataFrame, name: str, own_name: str, alias: str) -> ColumnRoles | None:
    """Return the roles that a column of truths gives, as one called ``alias`` says them; None if it gives none."""
    if any(read_truth(value) is None for value in list_first_values(table[name]).unique()):
        return None
    codes, values = pd.factorize(table[name], use_na_sentinel=False)
    truths = [value for value in values if not pd.isna(value)]
    roles = read_truths(alias, truths)
    if roles is None:
        return None
    by_value = dict(zip(map(str, truths), roles, strict=True))
    note = f"{own_name} says the same as T: the rows of its baselines have none."
    return ColumnRoles(name, list(values), codes, [by_value.get(str(value)) for value in values], [note])


def _has_role_words(column: pd.Series) -> bool:
    """Return whether the first values of a column of text hold words for roles."""
    return column.dtype.kind == "O" and all(map(find_role_in, list_first_values(column).unique()))


def _complete_words(roles: ColumnRoles, own_name: str) -> ColumnRoles:
    """Read texts that hold one word for a role, and no other text has that role: "CE baseline" beside "KD"."""
    found = [role or find_role_in(value) for value, role in roles.pair()]
    new_roles, notes = list(roles.roles), list(roles.notes)
    for position, role in enumerate(found):
        if roles.roles[position] is None and role is not None and found.count(role) == 1:
            new_roles[position] = role
            notes.append(f"{str(roles.values[position])!r} in {own_name} is read as a {ROLE_NOUNS[role]}.")
    return roles._replace(roles=new_roles, notes=notes)


def _keep_weak(roles: ColumnRoles) -> ColumnRoles:
    """Return the roles without those of clear words for baselines, whose rows may have any T."""
    is_kept = [normalize(value) in WEAK_WORDS or role == STUDENT for value, role in roles.pair()]
    return roles._replace(roles=[role if keep else None for role, keep in zip(roles.roles, is_kept, strict=True)])


def says_temperatures(table: pd.DataFrame, roles: ColumnRoles) -> bool:
    """Return whether the rows of distilled students have a T, and those of others none; each kind has rows."""
    if TEMP not in table.columns or table[TEMP].dtype.kind == "b":
        return False
    has_T = (table[TEMP].notna() & (pd.to_numeric(table[TEMP], errors="coerce") != 0)).to_numpy()
    of_rows = roles.follow_rows()
    is_student = of_rows == STUDENT
    is_other = (of_rows == BASELINE) | (of_rows == TEACHER)
    if not is_student.any() or not is_other.any():
        return False
    return not has_T[is_other].any() and has_T[is_student].mean() >= _MIN_WITH_T
