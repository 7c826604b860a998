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
    finished = table[t.STATUS] == t.DONE
    return table if finished.all() else table[finished]


def distilled(table: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    """The distilled students with figures, and of them some columns."""
    return table.loc[(table[t.MODEL] == t.STUDENT) & (table[t.STATUS] == t.DONE), list(columns)]


def cell_columns(table: pd.DataFrame) -> list[str]:
    """The columns that name a cell: settings that vary over the distilled students, but not T.

    Data quality and width are among them wherever they apply.
    """
    is_student = table[t.MODEL] == t.STUDENT
    apart = {t.TEMP, *t.RESULTS, *t.CIRCUMSTANCES, *t.NAMES, *_DERIVED}
    settings = [name for name in table.columns if name not in apart]
    varying = [name for name in settings if _varies(table[name]) and _varies(table[name][is_student])]
    always = [name for name in _ALWAYS if name in table.columns and table[name][is_student].notna().any()]
    columns = always + [name for name in varying if name not in always]
    if (
        t.WIDTH in columns
        and "hidden" in columns
        and table.loc[is_student, ["hidden", t.WIDTH]].groupby(t.WIDTH, dropna=False)["hidden"].nunique().max() == 1
    ):
        columns.remove("hidden")  # the width says it
    return columns


def _varies(column: pd.Series) -> bool:
    """Whether it has more than one value, null being one."""
    if column.empty or pd.isna(column.iloc[0]):
        return bool(column.notna().any())
    return not bool((column == column.iloc[0]).fillna(False).all())


def data_columns(columns: Sequence[str]) -> list[str]:
    """Those of the cell's columns that describe the data: the panels of a figure."""
    known = (t.DATASET, t.CLASS_SEP, t.P_INFORMATIVE, "n_samples", "n_features", "n_classes", "flip_y",
             "n_clusters_per_class", t.N_TRAIN, t.N_VAL, t.N_TEST)  # fmt: skip
    return [name for name in columns if name in known]


def by_temperature(table: pd.DataFrame, columns: Sequence[str], measure: str) -> pd.DataFrame:
    """Mean, lowest, highest and count of a measure over the replicates, for each cell and T."""
    keys = [*columns, t.TEMP]
    students = distilled(table, [*keys, measure])
    grouped = students.groupby(keys, dropna=False)[measure]
    return grouped.agg(mean="mean", low="min", high="max", replicates="count").reset_index()


def chosen(table: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    """For each cell the T with the fewest errors on the validation split, in the mean over replicates.

    Ties go to the lower validation nll, then to the lower T. Nothing here looks at the test split.
    """
    keys, measures = [*columns, t.TEMP], [t.VAL_NUM_ERROR, t.VAL_NLL]
    means = distilled(table, keys + measures).groupby(keys, dropna=False)[measures].mean().reset_index()
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
    choices = chosen(table, columns)
    keys = [*columns, t.TEMP]
    students = distilled(table, [*keys, t.TEACHER_ID, t.NUM_ERROR]).merge(choices, on=keys)
    taught = teachers(good, students, columns)
    plain = baselines(good, columns, t.NUM_ERROR)
    found = choices.rename(columns={t.TEMP: "T"})
    found["teacher"] = _of_each(choices, taught, columns, "mean")
    found["baseline"] = [baseline_of(plain, dict(zip(columns, cell, strict=True))) for cell in _rows(choices, columns)]
    found["student"] = _of_each(choices, students, columns, "mean")
    found["replicates"] = _of_each(choices, students, columns, "count")
    return found[[*columns, "teacher", "baseline", "T", "student", "replicates"]]


def _of_each(cells: pd.DataFrame, table: pd.DataFrame, columns: Sequence[str], how: str) -> list[float]:
    """Mean or count of the errors of each cell's rows."""
    if not columns:
        return [table[t.NUM_ERROR].agg(how)] * len(cells)
    found = table.groupby(list(columns), dropna=False)[t.NUM_ERROR].agg(how).rename("found").reset_index()
    return cells[columns].merge(found, how="left", on=list(columns))["found"].tolist()


def _rows(table: pd.DataFrame, columns: Sequence[str]) -> list[tuple[object, ...]]:
    return list(table[list(columns)].itertuples(index=False, name=None)) if columns else [()] * len(table)


def teachers(table: pd.DataFrame, students: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    """The teachers of each group of students, each once: the columns that name the group, and the results."""
    taught = students[[*columns, t.TEACHER_ID]].drop_duplicates()
    results = table[table[t.MODEL] == t.TEACHER][[t.ID, *(name for name in t.RESULTS if name in table)]]
    return taught.merge(results, left_on=t.TEACHER_ID, right_on=t.ID)


def baselines(table: pd.DataFrame, columns: Sequence[str], measure: str) -> pd.DataFrame:
    """Students that learn from labels alone: of each cell, ``sum`` and ``count`` of a measure."""
    plain = table.loc[(table[t.MODEL] == t.BASELINE) & (table[t.STATUS] == t.DONE), [*columns, measure]]
    if not columns:
        return plain[measure].agg(["sum", "count"]).to_frame().T
    return plain.groupby(list(columns), dropna=False)[measure].agg(["sum", "count"]).reset_index()


def baseline_of(found: pd.DataFrame, cell: dict[str, object]) -> float:
    """The mean of a cell's baselines, among all ``baselines``: same data and shape, trained as alike as there are."""
    for name, value in cell.items():
        if name in _STUDENTS_ONLY or name.startswith("teacher_"):
            continue
        same = matching(found, {name: value})
        # A training setting that only the distilled have (distill.train) tells baselines apart no further.
        if len(same) or name in data_columns([name]) or name in (t.WIDTH, "hidden"):
            found = same
    return float(found["sum"].sum() / found["count"].sum()) if found["count"].sum() else float("nan")


def matching(table: pd.DataFrame, cell: dict[str, object]) -> pd.DataFrame:
    """The rows with these values; a null matches nulls."""
    for name, value in cell.items():
        table = table[table[name].isna()] if pd.isna(value) else table[table[name] == value]  # type: ignore[call-overload]
    return table
