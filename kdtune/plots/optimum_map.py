"""Draw a map of the best temperatures: a row for each data set, a column for each student."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator

from kdtune.analysis.answer import Answer
from kdtune.analysis.cells import group_rows, select_data_columns
from kdtune.analysis.optimum import FLAT, LARGER_THAN_TEACHER
from kdtune.analysis.temperature_texts import format_interval, format_temperature
from kdtune.plots import layout, style

MAX_STUDENTS = 24
MAX_COLUMNS = 12  # With more students these are the rows, where there are fewer data sets.
COLUMN_INCHES, ROW_INCHES = 1.0, 0.42
LABEL_INCHES, LETTER_INCHES = 0.14, 0.063  # the height of a line of a label, and the width of a letter
MAX_COLUMN_LETTERS = 18  # on a line of a column's label
DARK_SHARE = 0.55  # Below this share of the range of colours a field is so dark that its text is white.


@dataclass(frozen=True)
class OptimumMap:
    """The best temperatures of an answer as a matrix, and the labels of its rows and columns.

    Attributes
    ----------
    T_opt : (data sets, students): the temperature that the table calls best, NaN where there is no setting.
    texts : (data sets, students): that temperature, and its 95 % interval below it, in words; empty where there is no
        setting.
    data_labels, student_labels : of the rows and the columns.
    temperatures : of all settings, ascending.
    criterion : what the best temperature has, in words.
    n_data_sets, n_students : of the answer, of which no more than MAX_SMALL_PANELS and MAX_STUDENTS are shown.
    """

    T_opt: npt.NDArray[np.float64]
    texts: npt.NDArray[np.object_]
    data_labels: list[str]
    student_labels: list[str]
    temperatures: list[float]
    criterion: str
    n_data_sets: int
    n_students: int


def prepare_map(answer: Answer) -> OptimumMap:
    """Arrange the best temperatures by data set and student."""
    data_columns = select_data_columns(answer.cell_columns)
    student_columns = [column for column in answer.cell_columns if column not in data_columns]
    t_opt = answer.t_opt.reset_index(drop=True)  # Its rows are those of ``answer.cells``.
    data_keys = [key for key, _ in group_rows(t_opt, data_columns)]
    data_labels = style.label_settings(data_columns, data_keys)
    student_labels = style.label_students(t_opt, student_columns)
    row_of_data = {key: row for row, key in enumerate(data_keys[: layout.MAX_SMALL_PANELS])}
    column_of_student = {key: column for column, key in enumerate(list(student_labels)[:MAX_STUDENTS])}
    T_opt = np.full((len(row_of_data), len(column_of_student)), np.nan)
    texts = np.full(T_opt.shape, "", dtype=object)
    for data_key, data_rows in group_rows(t_opt, data_columns):
        if data_key not in row_of_data:
            continue
        for student_key, rows in group_rows(data_rows, student_columns):
            if student_key in column_of_student:
                place = row_of_data[data_key], column_of_student[student_key]
                T_opt[place] = rows["T_opt"].iloc[0]
                texts[place] = _describe(rows.iloc[0], answer.cells[rows.index[0]].temperatures.tolist())
    return OptimumMap(
        T_opt=T_opt,
        texts=texts,
        data_labels=[data_labels[key] for key in row_of_data],
        student_labels=[style.shorten_label(student_labels[key]) for key in column_of_student],
        temperatures=[float(T) for T in sorted(answer.curves["T"].unique())],
        criterion=answer.criterion,
        n_data_sets=len(data_keys),
        n_students=len(student_labels),
    )


def _describe(optimum: Any, grid: list[float]) -> str:
    """Write a setting's best temperature, and below it its interval, or that no temperature is clearly better."""
    interval = format_interval(optimum["T_opt_low"], optimum["T_opt_high"], grid)
    return (
        f"{format_temperature(optimum['T_opt'], grid)}\n{'no clear winner' if FLAT in optimum['flags'] else interval}"
    )


def draw_map(optimum_map: OptimumMap) -> Figure:
    """Draw a field for each setting, coloured and labelled by its best temperature."""
    temperatures = optimum_map.temperatures
    T_opt, texts = optimum_map.T_opt, optimum_map.texts
    row_labels, column_labels = optimum_map.data_labels, optimum_map.student_labels
    if len(row_labels) < len(column_labels) > MAX_COLUMNS:  # Many students stand below each other.
        T_opt, texts, row_labels, column_labels = T_opt.T, texts.T, column_labels, row_labels
        row_labels = [label.replace("\n", " ") for label in row_labels]
    column_labels = [_wrap_column_label(label) for label in column_labels]
    n_rows, n_columns = T_opt.shape
    label_inches = LETTER_INCHES * max(len(label) for label in row_labels)
    n_lines = max(label.count("\n") + 1 for label in column_labels)
    with mpl.rc_context(style.RC_PARAMS | {"axes.grid": False}):
        width, height = COLUMN_INCHES * n_columns + label_inches + 1.4, ROW_INCHES * n_rows + LABEL_INCHES * n_lines + 1
        figure = layout.make_figure(width, height, min_height=0)
        axes = figure.subplots()
        norm = LogNorm(temperatures[0], temperatures[-1] if len(temperatures) > 1 else 2 * temperatures[0])
        image = axes.imshow(T_opt, norm=norm, cmap="cividis", aspect="auto")
        for row, column in np.argwhere(~np.isnan(T_opt)):
            is_dark = float(norm(T_opt[row, column])) < DARK_SHARE
            T_text, interval = texts[row, column].split("\n")
            text: Any = {"ha": "center", "color": "white" if is_dark else "black"}
            axes.text(column, row, T_text, va="bottom", fontsize=9, fontweight="bold", **text)
            axes.text(column, row + 0.06, interval, va="top", fontsize=7, **text)
        axes.set_xticks(range(n_columns), column_labels, fontsize=7)
        axes.set_yticks(range(n_rows), row_labels, fontsize=7)
        if not any(row_labels):
            axes.set_yticks([])
        axes.set_xticks(np.arange(0.5, n_columns - 1), minor=True)
        axes.set_yticks(np.arange(0.5, n_rows - 1), minor=True)
        axes.grid(visible=True, which="minor", color="white", linewidth=1.5)
        axes.tick_params(which="minor", length=0)
        bar = figure.colorbar(image, ax=axes, label="best T")
        # Neighbouring labels have at least so much room on the bar.
        min_ratio = (temperatures[-1] / temperatures[0]) ** (LABEL_INCHES / (ROW_INCHES * n_rows))
        bar.ax.yaxis.set_major_locator(FixedLocator(layout.thin_out(temperatures, min_ratio)))
        bar.ax.yaxis.set_minor_locator(NullLocator())
        bar.ax.yaxis.set_major_formatter(layout.format_plain_numbers())
        layout.note_omitted(figure, len(optimum_map.data_labels), optimum_map.n_data_sets)
        layout.note_omitted(figure, len(optimum_map.student_labels), optimum_map.n_students, "students")
        title = f"the best T, with {optimum_map.criterion};\nbelow it, its 95 % confidence interval"
        figure.suptitle(title, fontsize=9)
    return figure


def _wrap_column_label(label: str) -> str:
    """Break a student's label into lines as narrow as a column."""
    return style.wrap_label(label.replace(LARGER_THAN_TEACHER, "larger than\nits teacher"), MAX_COLUMN_LETTERS)
