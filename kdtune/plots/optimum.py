"""Draw where the best temperature lies, with its 95 % confidence interval."""

from __future__ import annotations

import math
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator

from kdtune.analysis.answer import Answer
from kdtune.analysis.cells import group_rows
from kdtune.analysis.optimum import LARGER_THAN_TEACHER
from kdtune.columns import WIDTH
from kdtune.plots import layout, style
from kdtune.plots.optimum_intervals import (
    add_interval_legend,
    draw_horizontal_intervals,
    draw_vertical_intervals,
    find_limits,
    prepare_intervals,
)
from kdtune.plots.style import CurveStyle, Key

# Hinton, Vinyals, Dean (2015), section 3: MNIST, two hidden layers; units per layer, temperatures that were best.
HINTON_BEST_T = {30: (2.5, 4.0), 300: (8.0, math.inf)}
MARKER_STEP = 1.06  # ratio between the positions of neighbouring curves, so that their intervals do not overlap
SHADE_COLOR = "#f0f0f0"


def plot_optimum(answer: Answer) -> Figure:
    """Plot the best temperature with its interval against the student's width, or by setting if no width varies.

    Open ends are arrows; settings in which all temperatures are tied are hollow.
    """
    temperatures = [float(T) for T in sorted(answer.curves["T"].unique())]
    intervals = prepare_intervals(answer.t_opt, temperatures)
    if WIDTH in answer.cell_columns and _are_widths(intervals[WIDTH]):
        return _plot_by_width(intervals, answer.cell_columns, temperatures)
    return _plot_by_setting(intervals, answer.cell_columns, temperatures)


def _are_widths(values: pd.Series) -> bool:
    """Return whether values fit on a logarithmic axis, and are several."""
    are_positive = (pd.to_numeric(values, errors="coerce") > 0).all()
    return bool(are_positive and values.nunique() > 1)


def _plot_by_width(intervals: pd.DataFrame, cell_columns: list[str], temperatures: list[float]) -> Figure:
    """Plot against the width: a panel for each value of the first other column that varies, a curve for the rest."""
    varying_columns = [name for name in cell_columns if name != WIDTH and intervals[name].nunique(dropna=False) > 1]
    panel_columns, curve_columns = varying_columns[:1], varying_columns[1:]
    rows_by_panel = dict(group_rows(intervals, panel_columns))
    panels = list(rows_by_panel)[: layout.MAX_PANELS - 1]
    styles = style.assign_data_styles([key for key, _ in group_rows(intervals, curve_columns)])
    widths = sorted(intervals[WIDTH].unique())
    larger_from = _find_larger_students(intervals)
    n_columns = min(4, len(panels) + 1)  # one panel more, of what is published
    n_rows = math.ceil((len(panels) + 1) / n_columns)
    with mpl.rc_context(style.RC_PARAMS):
        figure = layout.make_figure(2.5 * n_columns + 0.8, 2.9 * n_rows + 0.7)
        all_axes: Any = figure.subplots(n_rows, n_columns, squeeze=False, sharey=True)
        handles: dict[str, Any] = {}
        for axes, panel in zip(all_axes.flat, panels, strict=False):
            for i, (key, curve) in enumerate(group_rows(rows_by_panel[panel], curve_columns)):
                x = curve[WIDTH].to_numpy(float) * MARKER_STEP ** (i - (len(styles) - 1) / 2)
                label = style.label_setting(curve_columns, key, "student")
                handles[label] = draw_vertical_intervals(axes, x, curve, styles[key], temperatures)
            axes.set_title(style.label_setting(panel_columns, panel), fontsize=8)
            axes.set_xlabel("student's width, units", fontsize=8)
            _set_width_axis(axes, widths)
            if larger_from is not None:
                shade = axes.axvspan(larger_from, axes.get_xlim()[1], color=SHADE_COLOR, zorder=0)
                handles[f"shaded: {LARGER_THAN_TEACHER}"] = shade
        _draw_hinton(all_axes.flat[len(panels)], temperatures)
        for axes in all_axes.flat[len(panels) + 1 :]:
            axes.set_axis_off()
        _set_shared_temperature_axis(all_axes, temperatures)
        layout.note_omitted(figure, len(panels), len(rows_by_panel), "panels")
        figure.supylabel("best temperature T", fontsize=9)
        add_interval_legend(figure, handles, arrow="^")
    return figure


def _find_larger_students(intervals: pd.DataFrame) -> float | None:
    """Return the width from which on all students are larger than their teacher, or None.

    It lies halfway, on a logarithmic axis, between the widest student that is not and the narrowest that is.
    """
    are_larger = intervals.groupby(WIDTH)["is_larger_than_teacher"].all()
    larger_widths, smaller_widths = are_larger[are_larger].index, are_larger[~are_larger].index
    if len(larger_widths) == 0:
        return None
    if len(smaller_widths) == 0:
        return float(larger_widths.min() / 2)
    if smaller_widths.max() > larger_widths.min():
        return None
    return math.sqrt(larger_widths.min() * smaller_widths.max())


def _draw_hinton(axes: Axes, temperatures: list[float]) -> None:
    """Draw the best temperatures in the paper, whose data no sweep shares."""
    upper_limit = find_limits(temperatures)[1]
    for units, (low, high) in HINTON_BEST_T.items():
        axes.vlines(units, low, min(high, upper_limit), color=style.TEACHER_COLOR, linewidth=5, alpha=0.5)
    axes.plot(300, upper_limit, "^", color=style.TEACHER_COLOR, markersize=5, clip_on=False, in_layout=False)
    axes.text(270, upper_limit / 1.4, "300\nand more", fontsize=7, ha="right", va="top", in_layout=False)
    axes.text(38, 3.2, "30", fontsize=7, va="center", in_layout=False)
    axes.set_title("published: Hinton et al. 2015,\nMNIST, two hidden layers", fontsize=8)
    axes.set_xlabel("units per layer", fontsize=8)
    _set_width_axis(axes, [10, 30, 100, 300, 1000])


def _set_width_axis(axes: Axes, widths: list[float]) -> None:
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(FixedLocator(widths))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(layout.format_plain_numbers())
    axes.set_xlim(widths[0] / 1.4, widths[-1] * 1.4)
    axes.tick_params(axis="x", labelsize=7)


def _set_shared_temperature_axis(all_axes: Any, temperatures: list[float]) -> None:
    for axes in all_axes.flat:
        layout.set_temperature_axis(axes, axes.yaxis, temperatures)
        axes.set_ylim(*find_limits(temperatures))
        if axes.axison and not axes.get_subplotspec().is_first_col():
            axes.tick_params(labelleft=False)


def _plot_by_setting(intervals: pd.DataFrame, cell_columns: list[str], temperatures: list[float]) -> Figure:
    """Plot a line for each cell, the first on top."""
    varying_columns = [name for name in cell_columns if intervals[name].nunique(dropna=False) > 1]
    shown_rows = intervals.head(layout.MAX_SMALL_PANELS)
    labels = [_label_cell(varying_columns, key, rows) for key, rows in group_rows(shown_rows, varying_columns)]
    with mpl.rc_context(style.RC_PARAMS):
        figure = layout.make_figure(0.06 * max(len(label) for label in labels) + 5, 0.22 * len(shown_rows) + 1.5)
        axes: Any = figure.subplots()
        draw_horizontal_intervals(
            axes, np.arange(len(shown_rows)), shown_rows, CurveStyle(style.STUDENT_COLORS[0], "o"), temperatures
        )
        axes.set_yticks(range(len(shown_rows)), labels, fontsize=7)
        axes.set_ylim(len(shown_rows) - 0.5, -0.5)
        axes.set_xlabel("best temperature T")
        layout.set_temperature_axis(axes, axes.xaxis, temperatures)
        axes.set_xlim(*find_limits(temperatures))
        layout.note_omitted(figure, len(shown_rows), len(intervals), "settings")
        add_interval_legend(figure, {}, arrow=">")
    return figure


def _label_cell(columns: list[str], key: Key, rows: pd.DataFrame) -> str:
    label = style.label_setting(columns, key, "all")
    if rows["is_larger_than_teacher"].iloc[0]:
        return f"{label} ({LARGER_THAN_TEACHER})"
    return label
