"""Lay out figures: panels, axes and legends."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, Formatter, FuncFormatter, LogLocator, NullFormatter, NullLocator

from kdtune.analysis.cells import group_rows
from kdtune.plots.style import Key, wrap_label

MAX_TITLE_LETTERS = 40  # on a line
MAX_SMALL_PANELS = 60  # panels with one curve each
MAX_PANELS = 16  # panels with a data set each: more could not be read, and would take long to lay out
MAX_DENSE_TICKS = 16
MAX_LEGEND_ENTRIES = 20
MIN_WIDTH, MIN_HEIGHT = 4.4, 3.2  # inches: what legends and labels need
# Of legends at their font size: the width of a letter and of a mark, the height of a line, and the lines that the
# height of every figure counts on.
LETTER_INCHES, MARK_INCHES, LINE_INCHES, COUNTED_LINES = 0.062, 0.45, 0.17, 3


def make_figure(width: float, height: float, min_height: float = MIN_HEIGHT) -> Figure:
    """Make an empty figure of about this size in inches."""
    return Figure(figsize=(max(width, MIN_WIDTH), max(height, min_height)), layout="constrained")


def make_panel_figure(
    panels: Sequence[Sequence[str | None]], temperatures: Sequence[float]
) -> tuple[Figure, Any, dict[str, Axes]]:
    """Make a figure with a panel for each data set, which names it, and T on its x axis.

    Parameters
    ----------
    panels : The data sets in rows and columns of panels, from ``arrange_panels``; None where there is no panel.
    temperatures : The temperatures in ascending order.

    Returns
    -------
    The figure, all its axes (rows, columns), and the axes of each data set.
    """
    figure = make_figure(2.9 * len(panels[0]) + 1.2, 2.2 * len(panels) + 0.9)
    all_axes: Any = figure.subplots(len(panels), len(panels[0]), squeeze=False)
    axes_by_data: dict[str, Axes] = {}
    for axes_row, data_sets in zip(all_axes, panels, strict=True):
        for axes, data_set in zip(axes_row, data_sets, strict=True):
            if data_set is None:
                axes.set_axis_off()
                continue
            axes.set_title(wrap_label(data_set, MAX_TITLE_LETTERS), fontsize=8)
            set_temperature_axis(axes, axes.xaxis, temperatures)
            axes_by_data[data_set] = axes
    return figure, all_axes, axes_by_data


def arrange_panels(frame: pd.DataFrame, columns: Sequence[str], max_columns: int = 3) -> list[list[Key | None]]:
    """Arrange the settings of a frame in rows and columns of panels.

    Settings in which two columns vary make a matrix of them; others follow each other and are wrapped. No more
    than ``MAX_PANELS`` are shown.

    Returns
    -------
    Rows of equal length; None where there is no panel.
    """
    keys = [key for key, _ in group_rows(frame, columns)]
    varying_positions = [i for i, column in enumerate(columns) if frame[column].nunique(dropna=False) > 1]
    if len(varying_positions) == 2:
        matrix = _arrange_matrix(keys, *varying_positions)
        if len(matrix) * len(matrix[0]) <= MAX_PANELS:
            return matrix
    keys = keys[:MAX_PANELS]
    n_columns = min(max(max_columns, math.isqrt(len(keys))), len(keys))
    n_missing = -len(keys) % n_columns
    padded_keys = [*keys, *[None] * n_missing]
    return [padded_keys[i : i + n_columns] for i in range(0, len(padded_keys), n_columns)]


def _arrange_matrix(keys: Sequence[Key], row: int, column: int) -> list[list[Key | None]]:
    """Arrange keys by their values at two positions."""
    keys_by_values = {(key[row], key[column]): key for key in keys}
    row_values = sorted({key[row] for key in keys}, key=_order_nulls_first)
    column_values = sorted({key[column] for key in keys}, key=_order_nulls_first)
    return [[keys_by_values.get((a, b)) for b in column_values] for a in row_values]


def _order_nulls_first(value: Any) -> tuple[bool, Any]:
    if value is None:
        return False, 0
    return True, value


def note_omitted(figure: Figure, n_shown: int, n_total: int, noun: str = "data sets") -> None:
    """Write under a figure how many items it shows, if it does not show all."""
    if n_shown < n_total:
        figure.supxlabel(f"the first {n_shown} of {n_total} {noun}", fontsize=8)


def set_temperature_axis(axes: Axes, axis: Axis, temperatures: Sequence[float]) -> None:
    """Make one axis of ``axes`` logarithmic with the grid's temperatures on it; labels that would touch are left out.

    Parameters
    ----------
    axes : The axes.
    axis : Either ``axes.xaxis`` or ``axes.yaxis``.
    temperatures : The temperatures in ascending order.
    """
    if axis is axes.xaxis:
        axes.set_xscale("log")
    else:
        axes.set_yscale("log")
    min_ratio = 1.21 if len(temperatures) <= MAX_DENSE_TICKS else 1.6
    axis.set_major_locator(FixedLocator(thin_out(temperatures, min_ratio)))
    axis.set_major_formatter(format_plain_numbers())
    axis.set_minor_locator(NullLocator())
    axis.set_minor_formatter(NullFormatter())
    axis.set_tick_params(labelsize=7)


def spread_positions(count: int, max_count: int) -> Any:
    """Return the positions of some of ``count`` things, evenly spread from the first to the last."""
    return np.linspace(0, count - 1, min(max_count, count)).round().astype(int)


def thin_out(temperatures: Sequence[float], min_ratio: float) -> list[float]:
    """Return ascending temperatures without those that are not more than ``min_ratio`` times the one before."""
    spaced_temperatures: list[float] = []
    for T in temperatures:
        if not spaced_temperatures or T / spaced_temperatures[-1] > min_ratio:
            spaced_temperatures.append(T)
    return spaced_temperatures


def set_log_scale(axes: Axes, axis: Axis) -> None:
    """Make one axis of ``axes``, its x or its y axis, logarithmic with plain numbers on it."""
    if axis is axes.xaxis:
        axes.set_xscale("log")
    else:
        axes.set_yscale("log")
    axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter(format_plain_numbers())
    axis.set_minor_locator(NullLocator())


def format_plain_numbers() -> Formatter:
    """Return a formatter of ticks that writes 0.5, 20, never a power of ten."""
    return FuncFormatter(lambda value, _: f"{value:g}")


def format_percents() -> Formatter:
    """Return a formatter of ticks that writes shares as percents, with as many digits as they need."""
    return FuncFormatter(lambda share, _: f"{round(100 * share, 4):g}%")


def share_axes(all_axes: Any) -> Any:
    """Give all drawn panels the same limits, and return one of them.

    Call it after drawing: if axes are shared before, each line makes matplotlib look at all panels.
    """
    drawn_axes = [axes for axes in all_axes.flat if axes.axison]
    first_axes = drawn_axes[0]
    for axes in drawn_axes[1:]:
        axes.sharex(first_axes)
        axes.sharey(first_axes)
    first_axes.autoscale_view()
    for axes in all_axes.flat:
        axes.label_outer()
    for axes in list_first_drawn(all_axes):
        axes.yaxis.set_tick_params(labelleft=True)
    return first_axes


def list_first_drawn(rows: Any) -> list[Any]:
    """Return the first drawn panel of each row; given the transposed array, the highest of each column."""
    drawn_rows = [[axes for axes in row if axes.axison] for row in rows]
    return [row[0] for row in drawn_rows if row]


def label_lowest(all_axes: Any, text: str) -> None:
    """Label the x axis of the lowest drawn panel in each column."""
    for axes in list_first_drawn(all_axes[::-1].T):
        axes.set_xlabel(text)
        axes.xaxis.set_tick_params(labelbottom=True)


def order_handles(handles: dict[str, Any], labels: Iterable[str]) -> dict[str, Any]:
    """Return handles in the order of ``labels``, whichever panel drew them first; then the others."""
    return {label: handles[label] for label in labels if label in handles} | handles


def add_legend(figure: Figure, handles: dict[str, Any], max_columns: int = 3, title: str | None = None) -> None:
    """Add a legend above all panels, as wide as they are; with very many entries, the first of them.

    Parameters
    ----------
    figure : The figure.
    handles : The drawn objects by their labels.
    max_columns : The largest number of columns of the legend.
    title : The title of the legend.
    """
    if len(handles) > MAX_LEGEND_ENTRIES:
        n_omitted = len(handles) - MAX_LEGEND_ENTRIES + 1
        handles = dict(list(handles.items())[: MAX_LEGEND_ENTRIES - 1])
        handles[f"... and {n_omitted} more"] = Line2D([], [], linestyle="none")
    entry_width = LETTER_INCHES * max(len(label) for label in handles) + MARK_INCHES
    width, height = figure.get_size_inches()
    n_columns = max(1, min(max_columns, int(width / entry_width), len(handles)))
    n_lines = math.ceil(len(handles) / n_columns)
    extra_height = LINE_INCHES * max(0, n_lines - COUNTED_LINES)
    figure.set_size_inches(max(width, entry_width + 0.3), height + extra_height)
    figure.legend(
        list(handles.values()),
        list(handles),
        loc="outside upper center",
        ncols=n_columns,
        fontsize=8,
        title=title,
        title_fontsize=9,
    )
