"""Draw a map of the best temperatures on the grid: a row for each data set, a column for each student."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle
from matplotlib.ticker import FixedLocator, NullLocator

from kdtune.analysis.answer import Answer
from kdtune.analysis.cells import group_rows, select_data_columns
from kdtune.analysis.optimum import EDGE, FLAT
from kdtune.plots import layout, style

FLAT_HATCH, EDGE_HATCH = "////", "...."


@dataclass(frozen=True)
class OptimumMap:
    """The best temperatures of an answer as a matrix, and the labels of its rows and columns."""

    T_opt: np.ndarray[Any, Any]  # (data sets, students), NaN where there is no cell
    hatches: dict[tuple[int, int], str]  # of each cell, by row and column
    data_labels: list[str]
    student_labels: list[str]
    n_data_sets: int  # of the answer, of which no more than MAX_SMALL_PANELS are shown
    n_students: int


def plot_optimum_map(answer: Answer) -> Figure:
    """Plot the best grid temperature of every cell: that with the fewest errors, or the best of another measure.

    Cells are hatched where all temperatures are tied, and where the best one lies at an end of the grid.
    """
    optimum_map = prepare_map(answer.t_opt, answer.cell_columns)
    temperatures = sorted(answer.curves["T"].unique())
    n_rows, n_columns = optimum_map.T_opt.shape
    with mpl.rc_context(style.RC_PARAMS | {"axes.grid": False}):
        figure = layout.make_figure(0.62 * n_columns + 3.2, 0.36 * n_rows + 1.7)
        axes: Any = figure.subplots()
        max_T = temperatures[-1] if len(temperatures) > 1 else 2 * temperatures[0]
        image = axes.imshow(optimum_map.T_opt, norm=LogNorm(temperatures[0], max_T), cmap="cividis", aspect="auto")
        for (row, column), hatch in optimum_map.hatches.items():
            _draw_cell(axes, row, column, hatch, optimum_map.T_opt[row, column])
        axes.set_xticks(range(n_columns), optimum_map.student_labels, fontsize=7, rotation=30, ha="right")
        axes.set_yticks(range(n_rows), optimum_map.data_labels, fontsize=7)
        bar = figure.colorbar(image, ax=axes, label="best T on the grid")
        bar.ax.yaxis.set_major_locator(FixedLocator(temperatures))
        bar.ax.yaxis.set_minor_locator(NullLocator())
        bar.ax.yaxis.set_major_formatter(layout.format_plain_numbers())
        layout.note_omitted(figure, n_rows, optimum_map.n_data_sets)
        layout.note_omitted(figure, n_columns, optimum_map.n_students, "students")
        patch: Any = {"facecolor": "#8a8a8a", "edgecolor": "white"}
        handles = {
            "no winner: all T are tied": Patch(hatch=FLAT_HATCH, **patch),
            "at the edge of the grid": Patch(hatch=EDGE_HATCH, **patch),
        }
        layout.add_legend(figure, handles)
    return figure


def prepare_map(t_opt: pd.DataFrame, cell_columns: list[str]) -> OptimumMap:
    """Arrange best temperatures by data set and student.

    Parameters
    ----------
    t_opt : One row per cell, with ``cell_columns``, ``T_opt`` and ``flags``.
    """
    data_columns = select_data_columns(cell_columns)
    student_columns = [column for column in cell_columns if column not in data_columns]
    data_groups = list(group_rows(t_opt, data_columns))
    student_labels = style.label_students(t_opt, student_columns)
    students = list(student_labels)[: layout.MAX_SMALL_PANELS]
    shown_groups = data_groups[: layout.MAX_SMALL_PANELS]
    T_opt = np.full((len(shown_groups), len(students)), np.nan)
    hatches: dict[tuple[int, int], str] = {}
    for row, (_, cells) in enumerate(shown_groups):
        for student_key, cell_rows in group_rows(cells, student_columns):
            if student_key in students:
                column = students.index(student_key)
                T_opt[row, column] = cell_rows["T_opt"].iloc[0]
                hatches[row, column] = _choose_hatch(cell_rows["flags"].iloc[0])
    return OptimumMap(
        T_opt=T_opt,
        hatches=hatches,
        data_labels=[style.label_setting(data_columns, key, "the data") for key, _ in shown_groups],
        student_labels=[style.shorten_label(student_labels[key]) for key in students],
        n_data_sets=len(data_groups),
        n_students=len(student_labels),
    )


def _choose_hatch(flags: list[str]) -> str:
    hatch = ""
    if FLAT in flags:
        hatch += FLAT_HATCH
    if EDGE in flags:
        hatch += EDGE_HATCH
    return hatch


def _draw_cell(axes: Axes, row: int, column: int, hatch: str, T: float) -> None:
    """Hatch a cell of the matrix and write its temperature into it."""
    frame = Rectangle((column - 0.5, row - 0.5), 1, 1, fill=False, hatch=hatch, edgecolor="white", linewidth=0.5)
    axes.add_patch(frame)
    box = {"boxstyle": "round,pad=0.15", "facecolor": "white", "edgecolor": "none", "alpha": 0.85}
    axes.text(column, row, f"{T:g}", ha="center", va="center", fontsize=8, bbox=box)
