"""Group an answer's curves over T as figures show them: a panel for each data set, a curve for each student."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from kdtune.analysis.answer import Answer
from kdtune.analysis.cells import group_rows, select_data_columns
from kdtune.plots import style
from kdtune.plots.style import CurveStyle, Key


@dataclass(frozen=True)
class StudentCurves:
    """Curves over T by data set and student, and how each student is drawn."""

    data_columns: list[str]  # of the cell, that name a data set
    student_columns: list[str]  # of the cell, that name a student
    curves: dict[Key, dict[Key, pd.DataFrame]]  # by data set and student: one row per T, columns of ``Answer.curves``
    styles: dict[Key, CurveStyle]  # by student
    labels: dict[Key, str]  # by student
    temperatures: list[float]  # of all curves, ascending

    def label_data(self, data_key: Key) -> str:
        """Return a label for a data set."""
        return style.label_setting(self.data_columns, data_key)

    def label_data_in_lines(self, data_key: Key) -> str:
        """Return a label for a data set with one line per column."""
        labels = [
            style.label_setting([column], (value,)) for column, value in zip(self.data_columns, data_key, strict=True)
        ]
        return "\n".join(label for label in labels if label)


def group_curves(answer: Answer) -> StudentCurves:
    """Group an answer's curves by data set and student."""
    data_columns = select_data_columns(answer.cell_columns)
    student_columns = [column for column in answer.cell_columns if column not in data_columns]
    curves = {
        data_key: dict(group_rows(data_rows, student_columns))
        for data_key, data_rows in group_rows(answer.curves, data_columns)
    }
    student_keys = [key for key, _ in group_rows(answer.curves, student_columns)]
    return StudentCurves(
        data_columns=data_columns,
        student_columns=student_columns,
        curves=curves,
        styles=style.assign_student_styles(student_keys),
        labels=style.label_students(answer.t_opt, student_columns),
        temperatures=sorted(answer.curves["T"].unique()),
    )
