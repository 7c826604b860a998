"""Match distilled students with the networks that they are compared with: their baselines and their teachers."""

from __future__ import annotations

import numpy as np
import pandas as pd

from kdtune.analysis.cells import is_distillation_setting, select_data_columns
from kdtune.columns import ID, REPLICATE, TEACHER_ID, TRAINING_COLUMNS
from kdtune.statistics.standard_errors import Array


def match_baselines(
    students: pd.DataFrame, baselines: pd.DataFrame, columns: list[str], measures: list[str]
) -> dict[str, Array]:
    """Return for each student the measures of its baseline in the same replicate; NaN where there is none."""
    shared_columns = [name for name in columns if not is_distillation_setting(name)]
    return _match_by_settings(students, baselines, shared_columns, measures)


def match_teachers(
    students: pd.DataFrame, teachers: pd.DataFrame, columns: list[str], measures: list[str]
) -> dict[str, Array]:
    """Return for each student the measures of its teacher, by id or by the data; NaN where there is none."""
    if ID in students and TEACHER_ID in students and students[TEACHER_ID].notna().any():
        by_id = teachers[[ID, *measures]].drop_duplicates(ID)
        matches = students[[TEACHER_ID]].merge(by_id, how="left", left_on=TEACHER_ID, right_on=ID)
        return to_arrays(matches, measures)
    if any(name.startswith("teacher_") for name in columns):
        # There are several teachers, and no ids that match them with students.
        return _unknown_measures(students, measures)
    return _match_by_settings(students, teachers, select_data_columns(columns), measures)


def _match_by_settings(
    students: pd.DataFrame, networks: pd.DataFrame, shared_columns: list[str], measures: list[str]
) -> dict[str, Array]:
    """Return for each student the mean measures of the networks that share its settings and its replicate."""
    if networks.empty:
        return _unknown_measures(students, measures)
    keys = [name for name in shared_columns if _distinguishes(networks[name], students[name])]
    if networks[REPLICATE].notna().any() or not keys:
        keys.append(REPLICATE)
    means = networks.groupby(keys, dropna=False)[measures].mean().reset_index()
    return to_arrays(students[keys].merge(means, how="left", on=keys), measures)


def _distinguishes(network_values: pd.Series, student_values: pd.Series) -> bool:
    """Return whether networks and students must have the same value of a setting to match.

    They need not if no network has the setting, or if it is a setting of training in which all networks differ from
    all students.
    """
    is_other_training = network_values.name in TRAINING_COLUMNS and not network_values.isin(student_values).any()
    return bool(network_values.notna().any()) and not is_other_training


def _unknown_measures(students: pd.DataFrame, measures: list[str]) -> dict[str, Array]:
    """Return NaN for each measure and student."""
    return {name: np.full(len(students), np.nan) for name in measures}


def to_arrays(frame: pd.DataFrame, measures: list[str]) -> dict[str, Array]:
    """Return the columns of a frame by name, as arrays (rows,); null is NaN."""
    return {name: frame[name].to_numpy(np.float64, na_value=np.nan) for name in measures}
