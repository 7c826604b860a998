"""What a table says: its cells, the temperature chosen on validation, errors beside it. No drawing.

Works on any DataFrame with the columns of ``table``, wherever it came from.
"""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from kdtune import table as t

# A setting of the loss or of the teacher, which a baseline does not have.
_STUDENTS_ONLY = (t.HARD_WEIGHT, "scale_T2")
_ALWAYS = (t.CLASS_SEP, t.P_INFORMATIVE, t.WIDTH)
# Other names for what another column says.
_DERIVED = (t.N_PARAMS, "depth", "n_features", "n_classes", "seed", "teacher_depth")


def done(table: pd.DataFrame) -> pd.DataFrame:
    """The rows with figures."""
    return table[table[t.STATUS] == t.DONE]


def cell_columns(table: pd.DataFrame) -> list[str]:
    """The columns that name a cell: settings that vary over the distilled students, but not T.

    Data quality and width are among them wherever they apply.
    """
    students = table[table[t.MODEL] == t.STUDENT]
    apart = {t.TEMP, *t.RESULTS, *t.CIRCUMSTANCES, *t.NAMES, *_DERIVED}
    settings = [name for name in table.columns if name not in apart]
    varying = [name for name in settings if students[name].nunique(dropna=False) > 1]
    always = [name for name in _ALWAYS if name in table.columns and students[name].notna().any()]
    columns = always + [name for name in varying if name not in always]
    if (
        t.WIDTH in columns
        and "hidden" in columns
        and students.groupby(t.WIDTH, dropna=False)["hidden"].nunique().max() == 1
    ):
        columns.remove("hidden")  # the width says it
    return columns


def data_columns(columns: Sequence[str]) -> list[str]:
    """Those of the cell's columns that describe the data: the panels of a figure."""
    known = (t.DATASET, t.CLASS_SEP, t.P_INFORMATIVE, "n_samples", "n_features", "n_classes", "flip_y",
             "n_clusters_per_class", t.N_TRAIN, t.N_VAL, t.N_TEST)  # fmt: skip
    return [name for name in columns if name in known]


def by_temperature(table: pd.DataFrame, columns: Sequence[str], measure: str) -> pd.DataFrame:
    """Mean, lowest, highest and count of a measure over the replicates, for each cell and T."""
    students = done(table)
    students = students[students[t.MODEL] == t.STUDENT]
    keys = [*columns, t.TEMP]
    grouped = students.groupby(keys, dropna=False)[measure]
    return grouped.agg(mean="mean", low="min", high="max", replicates="count").reset_index()


def chosen(table: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    """For each cell the T with the fewest errors on the validation split, in the mean over replicates.

    Ties go to the lower validation nll, then to the lower T. Nothing here looks at the test split.
    """
    students = done(table)
    students = students[students[t.MODEL] == t.STUDENT]
    means = students.groupby([*columns, t.TEMP], dropna=False)[[t.VAL_NUM_ERROR, t.VAL_NLL]].mean().reset_index()
    ordered = means.sort_values([t.VAL_NUM_ERROR, t.VAL_NLL, t.TEMP])
    if not columns:
        return ordered.head(1)[[t.TEMP]].reset_index(drop=True)
    first = ordered.drop_duplicates(list(columns))
    return first.sort_values(list(columns))[[*columns, t.TEMP]].reset_index(drop=True)


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """One row a cell: errors on the test split of teacher, baseline and the student at the chosen T.

    Columns: those that name the cell, then ``teacher``, ``baseline``, ``T``, ``student`` (mean errors
    over the replicates) and ``replicates``.
    """
    columns = cell_columns(table)
    good = done(table)
    rows = []
    for _, choice in chosen(table, columns).iterrows():
        cell = {name: choice[name] for name in columns}
        students = matching(good[(good[t.MODEL] == t.STUDENT) & (good[t.TEMP] == choice[t.TEMP])], cell)
        teachers = good[good[t.ID].isin(students[t.TEACHER_ID])]
        rows.append(
            {
                **cell,
                "teacher": teachers[t.NUM_ERROR].mean(),
                "baseline": baselines(good, cell)[t.NUM_ERROR].mean(),
                "T": choice[t.TEMP],
                "student": students[t.NUM_ERROR].mean(),
                "replicates": len(students),
            }
        )
    return pd.DataFrame(rows, columns=[*columns, "teacher", "baseline", "T", "student", "replicates"])


def baselines(table: pd.DataFrame, cell: dict[str, object]) -> pd.DataFrame:
    """The cell's students that learn from labels alone: same data and shape, trained as alike as there are."""
    found = table[table[t.MODEL] == t.BASELINE]
    for name, value in cell.items():
        if name in _STUDENTS_ONLY or name.startswith("teacher_"):
            continue
        same = matching(found, {name: value})
        # A training setting that only the distilled have (distill.train) tells baselines apart no further.
        if len(same) or name in data_columns([name]) or name in (t.WIDTH, "hidden"):
            found = same
    return found


def matching(table: pd.DataFrame, cell: dict[str, object]) -> pd.DataFrame:
    """The rows with these values; a null matches nulls."""
    for name, value in cell.items():
        table = table[table[name].isna()] if pd.isna(value) else table[table[name] == value]  # type: ignore[call-overload]
    return table
