"""Find out which rows are teachers, baselines and distilled students."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd

from kdtune.columns import BASELINE, MODEL, STUDENT, TEMP
from kdtune.foreign.column_names import find_models
from kdtune.foreign.role_columns import ColumnRoles, find_role_column, read_named_column
from kdtune.foreign.role_remedies import refuse_unknown_roles, refuse_unread_roles
from kdtune.foreign.role_words import ROLE_NOUNS, normalize
from kdtune.text import join_names, pluralize

SETTING_SUFFIX = " (setting)"  # of a setting that is called as something else is called here


class NamedRoles(NamedTuple):
    """A table with the column ``MODEL``."""

    table: pd.DataFrame
    notes: list[str]
    are_stated: bool  # whether a column of the table says the roles; else all rows are distilled students


def name_roles(table: pd.DataFrame, own_names: Mapping[str, str]) -> NamedRoles:
    """Give a table the column ``MODEL`` with its three values; without one, all rows are distilled students.

    A column called ``model`` with other values (names of architectures) is a setting and gets another name.

    Parameters
    ----------
    table : Plain columns.
    own_names : kdtune's name of a column -> the table's own, where they differ.

    Raises
    ------
    RequestError
        If only some of its values are known.
    """
    named = [read_named_column(table, name, own_names) for name in find_models(table.columns)]
    found = next((roles for roles in named if any(roles.roles)), None) or find_role_column(table, named)
    is_unread = MODEL in own_names and (found is None or found.name != MODEL)
    if is_unread and (pd.to_numeric(table[TEMP], errors="coerce") > 0).all():  # else their T tells what to do
        refuse_unread_roles(table, MODEL, own_names[MODEL])
    if found is None or (found.name != MODEL and MODEL in table.columns):
        table, notes = _keep_setting(table, named, own_names.get(MODEL, MODEL), all_are_students=found is None)
    else:
        notes = []
    if found is None:
        return NamedRoles(table.assign(**{MODEL: STUDENT}), notes, are_stated=False)
    own_name = own_names.get(found.name, found.name)
    unknown = [value for value, role in found.pair() if role is None and not pd.isna(value)]
    if unknown:
        known = {value: role for value, role in found.pair() if role is not None}
        refuse_unknown_roles(table, found.name, own_name, unknown, known)
    # A column that only marks teachers or baselines leaves the distilled students blank.
    found = found._replace(roles=[role or STUDENT for role in found.roles])
    if STUDENT not in found.roles and TEMP in table.columns:
        # Most people call distilled students students. What they call a baseline is none, whatever its T.
        is_student = np.array([normalize(value) == BASELINE for value in found.values])
        temperatures = pd.to_numeric(table.loc[is_student[found.codes], TEMP], errors="coerce")
        if temperatures[temperatures > 0].nunique() > 1:
            roles = [STUDENT if is_one else role for is_one, role in zip(is_student, found.roles, strict=True)]
            found = found._replace(roles=roles)
            notes.append(f"Rows with {found.name} 'student' have temperatures: they are taken for distilled students.")
    notes += [_describe_roles(own_name, found), *found.notes]
    column = pd.Series(found.follow_rows(), index=table.index)
    table = table.drop(columns=[found.name, MODEL], errors="ignore").assign(**{MODEL: column})
    return NamedRoles(table, notes, are_stated=True)


def _describe_roles(name: str, found: ColumnRoles) -> str:
    """Say how many rows have each role, and what the table calls it: 75 distilled students ('kd'), 1 teacher."""
    texts = []
    counts = np.bincount(found.codes)
    for role, noun in ROLE_NOUNS.items():
        own_words = {
            "no value" if pd.isna(value) else repr(str(value)): int(count)
            for (value, own_role), count in zip(found.pair(), counts, strict=True)
            if own_role == role
        }
        if own_words:
            texts.append(f"{pluralize(sum(own_words.values()), noun)} ({join_names(list(own_words), max_names=3)})")
    return f"The role of a network is the column {name}; its rows are {join_names(texts)}."


def _keep_setting(
    table: pd.DataFrame, named: list[ColumnRoles], own_name: str, *, all_are_students: bool
) -> tuple[pd.DataFrame, list[str]]:
    """Keep a column called ``model`` that names no role as a setting, and say so."""
    roles = next((roles for roles in named if roles.name == MODEL), None)
    if roles is None:
        return table, []
    values = [str(value) for value in roles.values if not pd.isna(value)]
    listed = ", ".join(values[:4]) or "nothing"
    ending = ", and all rows as distilled students" if all_are_students else ""
    note = f"{own_name} has {listed}: it is read as a setting{ending}."
    return table.rename(columns={MODEL: f"{MODEL}{SETTING_SUFFIX}"}), [note]
