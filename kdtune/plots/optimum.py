"""Draw where the best temperature lies, with its 95 % confidence interval."""

from __future__ import annotations

import math
from collections.abc import Sequence
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
from kdtune.plots.published_optimum import (
    WIDTH_TICKS,
    draw_published_optima,
    include_published_range,
    list_published_temperatures,
)
from kdtune.plots.style import CurveStyle, Key

MARKER_STEP = 1.06  # ratio between the positions of neighbouring curves, so that their intervals do not overlap
WIDTH_LABEL = "student width (units per layer)"
SHADE_COLOR = "#f0f0f0"


def plot_optimum(answer: Answer) -> Figure:
    """Plot the best temperature with its interval against the student's width, or by setting if no width varies.

    Open ends are arrows. Hollow marks are settings in which all temperatures are statistically tied.
    """
    temperatures = [float(T) for T in sorted(answer.curves["T"].unique())]
    intervals = prepare_intervals(answer.t_opt, temperatures)
    if WIDTH in answer.cell_columns and _can_plot_by_width(intervals[WIDTH]):
        return _plot_by_width(intervals, answer.cell_columns, temperatures)
    return _plot_by_setting(intervals, answer.cell_columns, temperatures)


def _can_plot_by_width(widths: pd.Series) -> bool:
    """Return whether the widths of cells differ and are positive numbers, which a logarithmic axis needs."""
    are_positive = (pd.to_numeric(widths, errors="coerce") > 0).all()
    return bool(are_positive and widths.nunique() > 1)


def _plot_by_width(intervals: pd.DataFrame, cell_columns: list[str], temperatures: list[float]) -> Figure:
    """Plot against the width: one panel for each value of the first other column that varies, and a published one.

    A panel has one curve for each combination of values of the remaining columns that vary.
    """
    varying_columns = [name for name in cell_columns if name != WIDTH and intervals[name].nunique(dropna=False) > 1]
    panel_columns, curve_columns = varying_columns[:1], varying_columns[1:]
    rows_by_panel = dict(group_rows(intervals, panel_columns))
    panels = list(rows_by_panel)[: layout.MAX_PANELS - 1]
    styles = style.assign_data_styles([key for key, _ in group_rows(intervals, curve_columns)])
    x_factors = {key: MARKER_STEP ** (i - (len(styles) - 1) / 2) for i, key in enumerate(styles)}
    widths = sorted(intervals[WIDTH].unique())
    larger_from = _find_larger_students(intervals)
    n_columns = min(4, len(panels) + 1)
    n_rows = math.ceil((len(panels) + 1) / n_columns)
    with mpl.rc_context(style.RC_PARAMS):
        figure = layout.make_figure(2.5 * n_columns + 0.8, 2.9 * n_rows + 0.7)
        all_axes: Any = figure.subplots(n_rows, n_columns, squeeze=False, sharey=True)
        handles: dict[str, Any] = {}
        for axes, panel in zip(all_axes.flat, panels, strict=False):
            for key, curve in group_rows(rows_by_panel[panel], curve_columns):
                x = curve[WIDTH].to_numpy(float) * x_factors[key]
                label = style.label_setting(curve_columns, key, "student")
                handles[label] = draw_vertical_intervals(axes, x, curve, styles[key], temperatures)
            axes.set_title(style.label_setting(panel_columns, panel), fontsize=8)
            _set_width_axis(axes, widths)
            if larger_from is not None:
                shade = axes.axvspan(larger_from, axes.get_xlim()[1], color=SHADE_COLOR, zorder=0)
                handles[f"shaded: {LARGER_THAN_TEACHER}"] = shade
        limits = include_published_range(find_limits(temperatures))
        published_axes = all_axes.flat[len(panels)]
        draw_published_optima(published_axes, limits[1])
        _set_width_axis(published_axes, WIDTH_TICKS)
        for axes in all_axes.flat[len(panels) + 1 :]:
            axes.set_axis_off()
        _set_shared_temperature_axis(all_axes, temperatures, limits)
        layout.note_omitted(figure, len(panels), len(rows_by_panel), "panels")
        figure.supylabel("best temperature T", fontsize=9)
        add_interval_legend(figure, handles, arrow="^")
    return figure


def _find_larger_students(intervals: pd.DataFrame) -> float | None:
    """Return the width from which on all students are larger than their teachers, or None if there is none.

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


def _set_width_axis(axes: Axes, widths: Sequence[float]) -> None:
    """Make the x axis logarithmic, with the widths (in ascending order) on it."""
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(FixedLocator(widths))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(layout.format_plain_numbers())
    axes.set_xlim(widths[0] / 1.4, widths[-1] * 1.4)
    axes.set_xlabel(WIDTH_LABEL, fontsize=8)
    axes.tick_params(axis="x", labelsize=7)


def _set_shared_temperature_axis(all_axes: Any, temperatures: list[float], limits: tuple[float, float]) -> None:
    """Give all panels the same temperature axis; the published temperatures beyond the grid have ticks, too."""
    published = list_published_temperatures()
    beyond_grid = [T for T in published if not temperatures[0] <= T <= temperatures[-1]]
    for axes in all_axes.flat:
        layout.set_temperature_axis(axes, axes.yaxis, sorted([*temperatures, *beyond_grid]))
        axes.set_ylim(*limits)
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
    """Return the label of a cell, which says if its student is larger than its teacher."""
    label = style.label_setting(columns, key, "all")
    if rows["is_larger_than_teacher"].iloc[0]:
        return f"{label} ({LARGER_THAN_TEACHER})"
    return label
