"""Collect an answer's curves over T as figures show them: a panel for each data set, a curve for each student."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from kdtune.analysis.answer import Answer
from kdtune.analysis.cells import group_rows, select_data_columns
from kdtune.plots import layout, style
from kdtune.plots.style import CurveStyle

DATA, STUDENT = "data", "student"


@dataclass(frozen=True)
class StudentCurves:
    """Curves over T by data set and student, both in words.

    Attributes
    ----------
    points : one row per data set, student and T, with the columns ``data``, ``student``, ``T`` and the values of T.
    data_sets : the data sets in the order of their settings.
    panels : the data sets in rows and columns of panels, as many as a figure has; None where there is no panel.
    styles : how each student is drawn, in the order of their settings.
    temperatures : those of all curves, ascending.
    """

    points: pd.DataFrame
    data_sets: list[str]
    panels: list[list[str | None]]
    styles: dict[str, CurveStyle]
    temperatures: list[float]

    def iterate_students(self, data_set: str) -> Iterator[tuple[str, pd.DataFrame]]:
        """Yield each student of a data set with the points of its curve, by ascending T."""
        for student, points in self.points[self.points[DATA] == data_set].groupby(STUDENT, sort=False):
            yield str(student), points


def collect_curves(answer: Answer, values: pd.DataFrame) -> StudentCurves:
    """Collect the values of each temperature by data set and student.

    Parameters
    ----------
    answer : The answer, which names data sets and students.
    values : The values that a figure shows, one row for each row of ``answer.curves``.
    """
    data_columns = select_data_columns(answer.cell_columns)
    student_columns = [column for column in answer.cell_columns if column not in data_columns]
    data_keys = [key for key, _ in group_rows(answer.t_opt, data_columns)]
    data_labels = style.label_settings(data_columns, data_keys)
    student_labels = style.label_students(answer.t_opt, student_columns)
    points = pd.DataFrame(
        {
            DATA: _label_rows(answer.curves, data_columns, list(data_labels.values())),
            STUDENT: _label_rows(answer.curves, student_columns, list(student_labels.values())),
            "T": answer.curves["T"],
        }
    ).join(values)
    panels = layout.arrange_panels(answer.t_opt, data_columns)
    return StudentCurves(
        points=points,
        data_sets=list(data_labels.values()),
        panels=[[None if key is None else data_labels[key] for key in row] for row in panels],
        styles=style.assign_student_styles(list(student_labels.values())),
        temperatures=sorted(points["T"].unique()),
    )


def _label_rows(frame: pd.DataFrame, columns: Sequence[str], labels: list[str]) -> npt.NDArray[np.object_]:
    """Return the label of each row's values in these columns, given those of all values in ascending order."""
    if not columns:
        return np.full(len(frame), labels[0], dtype=object)
    return np.array(labels, dtype=object)[frame.groupby(list(columns), dropna=False, sort=True).ngroup()]
