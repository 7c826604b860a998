"""Find out which rows are teachers, baselines and distilled students."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from kdtune.analysis.column_values import list_first_values
from kdtune.analysis.option_texts import suggest_rows
from kdtune.columns import BASELINE, MODEL, STUDENT, TEACHER, TEMP
from kdtune.errors import RequestError
from kdtune.foreign.column_names import find_model
from kdtune.text import join_names, pluralize

SETTING_SUFFIX = " (setting)"  # of a setting that is called as something else is called here
_ROLES = {
    TEACHER: TEACHER, "teachers": TEACHER,
    BASELINE: BASELINE, "baseline": BASELINE, "scratch": BASELINE, "vanilla": BASELINE, "student baseline": BASELINE,
    "baseline student": BASELINE, "student scratch": BASELINE, "hard labels": BASELINE, "labels only": BASELINE,
    "labels": BASELINE, "no distillation": BASELINE, "no kd": BASELINE, "undistilled": BASELINE,
    "distilled student": STUDENT, "distilled": STUDENT, "distill": STUDENT, "distillation": STUDENT, "kd": STUDENT,
    "kd student": STUDENT, "student kd": STUDENT, "distilled students": STUDENT, "student distilled": STUDENT,
}  # fmt: skip
_NOUNS = {STUDENT: "distilled student", BASELINE: "baseline", TEACHER: "teacher"}


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
    codes, values = pd.factorize(table[name], use_na_sentinel=False)
    words = [_normalize(value) for value in values]
    known = [value for value, word in zip(values, words, strict=True) if word in _ROLES]
    unknown = [str(value) for value in values if value not in known and not pd.isna(value)]
    if not known:
        return _take_for_setting(table, name, unknown)
    if unknown:
        own_name = own_names.get(name, name)
        has_students = any(_ROLES[_normalize(value)] == STUDENT for value in known)
        others = f", or read the other rows only: {suggest_rows(own_name, known)}" if has_students else ""
        raise RequestError(
            f"{own_name} has {join_names(list(map(repr, unknown)), max_names=5)}, which kdtune does not know as the "
            f"role of a network. Write {TEACHER}, {BASELINE} (trained on labels alone) or {STUDENT} instead{others}"
        )
    # A column that only marks teachers or baselines leaves the distilled students blank.
    roles = [_ROLES.get(word, STUDENT) for word in words]
    notes = []
    if STUDENT not in roles and TEMP in table.columns:
        # Most people call distilled students students. What they call a baseline is none, whatever its T.
        is_student = np.array([word == BASELINE for word in words])
        temperatures = pd.to_numeric(table.loc[is_student[codes], TEMP], errors="coerce")
        if temperatures[temperatures > 0].nunique() > 1:
            roles = [STUDENT if is_one else role for is_one, role in zip(is_student, roles, strict=True)]
            notes.append(f"Rows with {name} 'student' have temperatures: they are taken for distilled students.")
    notes.append(_describe_roles(own_names.get(name, name), values, roles, np.bincount(codes)))
    column = pd.Series(np.array(roles, object)[codes], index=table.index)
    return table.drop(columns=[name, MODEL], errors="ignore").assign(**{MODEL: column}), notes


def _describe_roles(name: str, values: Iterable[Any], roles: list[str], counts: npt.NDArray[np.int64]) -> str:
    """Say how many rows have each role, and what the table calls it: 75 distilled students ('kd'), 1 teacher."""
    texts = []
    for role, noun in _NOUNS.items():
        own_words = {
            "no value" if pd.isna(value) else repr(str(value)): int(count)
            for value, own_role, count in zip(values, roles, counts, strict=True)
            if own_role == role
        }
        if own_words:
            texts.append(f"{pluralize(sum(own_words.values()), noun)} ({join_names(list(own_words), max_names=3)})")
    return f"The role of a network is the column {name}; its rows are {join_names(texts)}."


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
