"""Find out which rows are teachers, baselines and distilled students."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from kdtune.analysis.column_values import list_first_values
from kdtune.analysis.option_texts import suggest_rows
from kdtune.columns import BASELINE, MODEL, STUDENT, TEACHER, TEMP
from kdtune.errors import RequestError
from kdtune.foreign.column_names import find_model
from kdtune.text import join_names

SETTING_SUFFIX = " (setting)"  # of a setting that is called as something else is called here
_ROLES = {
    TEACHER: TEACHER, "teachers": TEACHER,
    BASELINE: BASELINE, "baseline": BASELINE, "scratch": BASELINE, "vanilla": BASELINE, "student baseline": BASELINE,
    "baseline student": BASELINE, "student scratch": BASELINE, "hard labels": BASELINE, "labels only": BASELINE,
    "labels": BASELINE, "no distillation": BASELINE, "no kd": BASELINE, "undistilled": BASELINE,
    "distilled student": STUDENT, "distilled": STUDENT, "distill": STUDENT, "distillation": STUDENT, "kd": STUDENT,
    "kd student": STUDENT, "student kd": STUDENT, "distilled students": STUDENT, "student distilled": STUDENT,
}  # fmt: skip


def name_roles(table: pd.DataFrame, own_names: Mapping[str, str]) -> tuple[pd.DataFrame, list[str]]:
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
    name = find_model(table.columns) or _find_roles(table)
    if name is None:
        return table.assign(**{MODEL: STUDENT}), []
    words = {value: _normalize(value) for value in table[name].unique()}
    known = {value: _ROLES[text] for value, text in words.items() if text in _ROLES}
    blank_values = [value for value in words if pd.isna(value)]
    unknown = [str(value) for value in words if value not in known and not pd.isna(value)]
    if not known:
        return _take_for_setting(table, name, unknown)
    if unknown:
        own_name = own_names.get(name, name)
        raise RequestError(
            f"{own_name} has {join_names(list(map(repr, unknown)), max_names=5)}, which kdtune does not know as the "
            f"role of a network. Write {TEACHER}, {BASELINE} (trained on labels alone) or {STUDENT} instead, or read "
            f"the other rows only: {suggest_rows(own_name, known)}"
        )
    notes = []
    roles = table[name].map(known)
    if blank_values:
        # A column that only marks teachers or baselines leaves the distilled students blank.
        roles = roles.where(table[name].notna(), STUDENT)
        if table[name].isna().any():
            notes.append(f"Rows without a value in {name} are distilled students.")
    if STUDENT not in set(roles) and TEMP in table.columns:
        # Most people call distilled students students. What they call a baseline is none, whatever its T.
        is_student = table[name].map(words) == BASELINE
        temperatures = pd.to_numeric(table.loc[is_student, TEMP], errors="coerce")
        if temperatures[temperatures > 0].nunique() > 1:
            roles = roles.where(~is_student, STUDENT)
            notes.append(f"Rows with {name} 'student' have temperatures: they are taken for distilled students.")
    if name != MODEL:
        notes.append(f"{name} says which rows are teachers, baselines and distilled students.")
    return table.drop(columns=[name, MODEL], errors="ignore").assign(**{MODEL: roles}), notes


def _find_roles(table: pd.DataFrame) -> str | None:
    """Return the only column whose values are all roles, distilled students and others; None if there is none."""
    found = []
    for name in table.columns:
        if table[name].dtype.kind != "O":
            continue
        first_values = list_first_values(table[name]).unique()
        if not all(_normalize(value) in _ROLES for value in first_values):
            continue
        texts = {_normalize(value) for value in table[name].dropna().unique()}
        roles = {_ROLES.get(text) for text in texts}
        if STUDENT in roles and len(roles) > 1 and None not in roles:
            found.append(name)
    return found[0] if len(found) == 1 else None


def _normalize(value: object) -> str:
    return str(value).strip().lower().replace("_", " ").replace("-", " ")


def _take_for_setting(table: pd.DataFrame, name: str, values: list[str]) -> tuple[pd.DataFrame, list[str]]:
    notes = []
    if name == MODEL:
        table = table.rename(columns={MODEL: f"{MODEL}{SETTING_SUFFIX}"})
        listed = ", ".join(values[:4]) or "nothing"
        notes.append(f"model has {listed}: it is read as a setting, and all rows as distilled students.")
    return table.assign(**{MODEL: STUDENT}), notes
