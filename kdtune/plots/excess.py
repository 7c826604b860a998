"""Draw errors relative to those at the best temperature: a row of panels per data set, a column per student."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator, PercentFormatter

from kdtune.analysis.answer import Answer
from kdtune.columns import NUM_ERROR
from kdtune.plots import layout, style
from kdtune.plots.student_curves import StudentCurves, group_curves
from kdtune.plots.style import CurveStyle, Key

MAX_STUDENTS = 12
# The y axis shows at least the smaller and at most the larger excess: the best T is recognized near 0.
MIN_AXIS_MAX, MAX_AXIS_MAX = 0.05, 0.5
AXIS_MARGIN = 0.08  # of the y axis above its greatest excess, as a share of that
SQUARE_HEIGHT, ARROW_HEIGHT = 0.05, 0.95  # of marks at the edges of a panel, as shares of its height
ARROW = r"$\uparrow$"
MIN_TICK_RATIO = 1.9  # of neighbouring temperatures on the axis of a small panel


class _Panel(NamedTuple):
    """The axes of one setting, with the data set and the student that they show."""

    axes: Axes
    data_key: Key
    student_key: Key


def plot_excess(answer: Answer) -> Figure:
    """Plot the mean errors above those at the best T as a share of the latter, on the split that T is chosen on.

    Filled marks are statistically tied with the best T. Squares at the bottom mark temperatures that are within the
    margin of the best with 95 % confidence. Arrows at the top mark temperatures whose excess is above the axis.
    """
    student_curves = group_curves(answer)
    excess = {
        data_key: {
            key: compute_relative_excess(curve) if answer.measure is None else curve for key, curve in curves.items()
        }
        for data_key, curves in student_curves.curves.items()
    }
    students = list(student_curves.styles)[:MAX_STUDENTS]
    data_sets = list(excess)[: max(1, layout.MAX_SMALL_PANELS // len(students))]
    axis_max = _find_axis_max(excess, has_limits=answer.measure is None)
    with mpl.rc_context(style.RC_PARAMS):
        figure = layout.make_figure(1.75 * len(students) + 1.2, 1.3 * len(data_sets) + 1.3)
        all_axes: Any = figure.subplots(len(data_sets), len(students), squeeze=False)
        panels = []
        for axes_row, data_key in zip(all_axes, data_sets, strict=True):
            for axes, student_key in zip(axes_row, students, strict=True):
                if student_key in excess[data_key]:
                    panels.append(_Panel(axes, data_key, student_key))
                else:
                    axes.set_axis_off()
        ticks = layout.thin_out(student_curves.temperatures, MIN_TICK_RATIO)
        for panel in panels:
            curve = excess[panel.data_key][panel.student_key]
            _draw_panel(panel.axes, curve, student_curves.styles[panel.student_key], axis_max)
            if answer.measure is None:
                panel.axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=None))
            layout.set_temperature_axis(panel.axes, panel.axes.xaxis, ticks)
        layout.share_axes(all_axes).set_ylim(-0.12 * axis_max, axis_max)
        _label_panels(panels, student_curves)
        layout.label_lowest(all_axes, "temperature T")
        layout.note_omitted(figure, len(panels), sum(len(curves) for curves in excess.values()), "settings")
        if answer.measure is None:
            name = "error" if answer.test_measure == NUM_ERROR else answer.measure_name
            figure.supylabel(f"relative excess {name}\nover the best T ({answer.selection_split} split)", fontsize=9)
        else:
            figure.supylabel(f"{answer.measure.name}: how much worse\nthan at the best T", fontsize=9)
        has_arrows = any((excess[panel.data_key][panel.student_key]["excess"] > axis_max).any() for panel in panels)
        _add_legend(figure, answer.margin_text, has_arrows, answer.is_paired)
    return figure


def compute_relative_excess(curve: pd.DataFrame) -> pd.DataFrame:
    """Compute a cell's excess errors as shares of its lowest mean errors.

    Parameters
    ----------
    curve : One row per T, with the columns ``T``, ``errors``, ``excess``, ``band``, ``tied`` and ``good_enough``.

    Returns
    -------
    The same rows and columns, with ``excess`` and ``band`` as shares. They are NaN if the lowest mean is 0, of which
    there are no shares.
    """
    lowest_errors = float(curve["errors"].min())
    if lowest_errors == 0:
        return curve.assign(excess=np.nan, band=np.nan)
    return curve.assign(excess=curve["excess"] / lowest_errors, band=curve["band"] / lowest_errors)


def _find_axis_max(excess: dict[Key, dict[Key, pd.DataFrame]], has_limits: bool) -> float:
    """Return where the axis of excess ends: a little above the greatest excess, of shares within limits."""
    max_excess = MIN_AXIS_MAX if has_limits else 0.0
    for curves in excess.values():
        for curve in curves.values():
            if curve["excess"].notna().any():
                max_excess = max(max_excess, float(curve["excess"].max()))
    if not has_limits:
        return (1 + AXIS_MARGIN) * max_excess or 1.0
    return (1 + AXIS_MARGIN) * min(MAX_AXIS_MAX, max_excess)


def _draw_panel(axes: Axes, curve: pd.DataFrame, curve_style: CurveStyle, axis_max: float) -> None:
    """Draw the curve of one cell.

    Parameters
    ----------
    curve : The rows of the cell, from ``compute_relative_excess``.
    axis_max : The greatest excess that the axis shows.
    """
    color, marker = curve_style
    T, excess, band = curve["T"].to_numpy(), curve["excess"].to_numpy(), curve["band"].to_numpy()
    is_tied, is_good_enough = curve["tied"].to_numpy(bool), curve["good_enough"].to_numpy(bool)
    axes.axhline(0, color=style.BASELINE_COLOR, linewidth=0.8)
    if np.isnan(excess).all():
        text = "no errors at the best T:\nno relative excess"
        axes.text(0.5, 0.5, text, transform=axes.transAxes, fontsize=7, ha="center", va="center")
    if np.isfinite(band).all():
        axes.fill_between(T, excess - band, excess + band, color=color, alpha=0.2, linewidth=0)
    axes.plot(T, excess, color=color, linewidth=1.2)
    axes.plot(T[is_tied], excess[is_tied], marker, color=color, markersize=4)
    axes.plot(T[~is_tied], excess[~is_tied], marker, color=color, markerfacecolor="white", markersize=4)
    _mark_edge(axes, T[is_good_enough], SQUARE_HEIGHT, "s", 4, color)
    _mark_edge(axes, T[excess > axis_max], ARROW_HEIGHT, ARROW, 7, color)
    axes.yaxis.set_major_locator(MaxNLocator(4, min_n_ticks=2))
    axes.tick_params(axis="y", labelsize=7)


def _mark_edge(axes: Axes, T: Any, height: float, marker: str, size: float, color: str) -> None:
    """Mark temperatures at a height that is a share of the panel's height."""
    axes.plot(
        T,
        np.full(len(T), height),
        marker=marker,
        linestyle="none",
        color=color,
        markersize=size,
        transform=axes.get_xaxis_transform(),
    )


def _label_panels(panels: Sequence[_Panel], student_curves: StudentCurves) -> None:
    """Label the first panel of each student, which is the highest, and of each data set, which is the leftmost."""
    labelled_students: set[Key] = set()
    labelled_data_sets: set[Key] = set()
    for panel in panels:
        if panel.student_key not in labelled_students:
            panel.axes.set_title(style.shorten_label(student_curves.labels[panel.student_key]), fontsize=8)
            labelled_students.add(panel.student_key)
        if panel.data_key not in labelled_data_sets:
            panel.axes.set_ylabel(student_curves.label_data_in_lines(panel.data_key), fontsize=7)
            labelled_data_sets.add(panel.data_key)


def _add_legend(figure: Figure, margin_text: str, has_arrows: bool, is_paired: bool) -> None:
    """Explain the marks and the band."""
    band = f"95 % {'within-replicate ' if is_paired else ''}confidence band"
    marks: Any = {"color": style.LEGEND_COLOR, "linestyle": "none", "markersize": 5}
    good_enough = f"square at the bottom: {margin_text} (95 % confidence)"
    handles = {
        "statistically tied with the best": Line2D([], [], marker="o", **marks),
        "significantly worse than the best": Line2D([], [], marker="o", markerfacecolor="white", **marks),
        **({good_enough: Line2D([], [], marker="s", **marks)} if margin_text else {}),
        band: Patch(color=style.LEGEND_COLOR, alpha=0.2),
    }
    if has_arrows:
        handles["arrow at the top: above the axis"] = Line2D([], [], marker=ARROW, **marks | {"markersize": 8})
    layout.add_legend(figure, handles, max_columns=2)
