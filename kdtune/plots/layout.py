"""Lay out figures: panels, axes and legends."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, Formatter, FuncFormatter, LogLocator, NullFormatter, NullLocator

from kdtune.analysis.cells import group_rows
from kdtune.plots.style import Key

MAX_SMALL_PANELS = 60  # panels with one curve each
MAX_PANELS = 16  # panels with a data set each: more could not be read, and would take long to lay out
MAX_DENSE_TICKS = 16
MAX_LEGEND_ENTRIES = 20
MIN_WIDTH, MIN_HEIGHT = 4.4, 3.2  # inches: what legends and labels need
# Of legends at their font size: the width of a letter and of a mark, the height of a line, and the lines that the
# height of every figure counts on.
LETTER_INCHES, MARK_INCHES, LINE_INCHES, COUNTED_LINES = 0.062, 0.45, 0.17, 3


def make_figure(width: float, height: float) -> Figure:
    """Make an empty figure of about this size in inches."""
    return Figure(figsize=(max(width, MIN_WIDTH), max(height, MIN_HEIGHT)), layout="constrained")


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


def iterate_panels(all_axes: Any, panels: Sequence[Sequence[Key | None]]) -> Iterator[tuple[Axes, Key]]:
    """Yield the axes and the key of each panel; axes without a panel are switched off."""
    for axes_row, keys in zip(all_axes, panels, strict=True):
        for axes, key in zip(axes_row, keys, strict=True):
            if key is None:
                axes.set_axis_off()
            else:
                yield axes, key


def count_panels(panels: Sequence[Sequence[Key | None]]) -> int:
    """Count the panels in rows of them."""
    return sum(key is not None for keys in panels for key in keys)


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


def thin_out(temperatures: Sequence[float], min_ratio: float) -> list[float]:
    """Return ascending temperatures without those that are not more than ``min_ratio`` times the one before."""
    spaced_temperatures: list[float] = []
    for T in temperatures:
        if not spaced_temperatures or T / spaced_temperatures[-1] > min_ratio:
            spaced_temperatures.append(T)
    return spaced_temperatures


def set_log_scale(axes: Axes) -> None:
    """Make the y axis logarithmic, with plain numbers on it."""
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter(format_plain_numbers())
    axes.yaxis.set_minor_locator(NullLocator())


def format_plain_numbers() -> Formatter:
    """Return a formatter of ticks that writes 0.5, 20, never a power of ten."""
    return FuncFormatter(lambda value, _: f"{value:g}")


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
