"""Draw errors above those of the best temperature: rows of panels by data set, columns by student."""

from __future__ import annotations

from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator, PercentFormatter

from kdtune.analysis.answer import Answer
from kdtune.plots import layout, style
from kdtune.plots.student_curves import StudentCurves, group_curves
from kdtune.plots.style import CurveStyle, Key

MAX_STUDENTS = 12
MIN_TOP, MAX_TOP = 0.05, 0.5  # shares between which the axis ends: where the best T lies is seen near 0
MIN_TICK_RATIO = 1.9  # of neighbouring temperatures on the axis of a small panel


def plot_excess(answer: Answer) -> Figure:
    """Plot the mean errors above those of the best T, as a share of those, on the split that decides.

    Filled marks are statistically tied with the best T. Squares below mark temperatures that lie within the margin of
    the best at 95 % confidence.
    """
    student_curves = group_curves(answer)
    excess = {
        data_key: {key: compute_relative_excess(curve) for key, curve in curves.items()}
        for data_key, curves in student_curves.curves.items()
    }
    students = list(student_curves.styles)[:MAX_STUDENTS]
    data_sets = list(excess)[: max(1, layout.MAX_SMALL_PANELS // len(students))]
    top = _find_top(excess)
    with mpl.rc_context(style.RC_PARAMS):
        figure = layout.make_figure(1.75 * len(students) + 1.2, 1.3 * len(data_sets) + 1.3)
        all_axes: Any = figure.subplots(len(data_sets), len(students), squeeze=False)
        for axes_row, data_key in zip(all_axes, data_sets, strict=True):
            for axes, student_key in zip(axes_row, students, strict=True):
                if student_key in excess[data_key]:
                    _draw_panel(axes, excess[data_key][student_key], student_curves.styles[student_key])
                    ticks = layout.thin_out(student_curves.temperatures, MIN_TICK_RATIO)
                    layout.set_temperature_axis(axes, axes.xaxis, ticks)
                else:
                    axes.set_axis_off()
        layout.share_axes(all_axes).set_ylim(-0.12 * top, top)
        _label_panels(all_axes, data_sets, students, student_curves)
        n_drawn = sum(axes.axison for axes in all_axes.flat)
        layout.note_omitted(figure, n_drawn, sum(len(curves) for curves in excess.values()), "settings")
        figure.supylabel(f"errors above those of the best T, {answer.selection_split} split", fontsize=9)
        _add_legend(figure, answer.margins.error)
    return figure


def compute_relative_excess(curve: pd.DataFrame) -> pd.DataFrame:
    """Compute a cell's excess errors as shares of its lowest mean errors.

    Parameters
    ----------
    curve : one row per T, with the columns ``T``, ``errors``, ``excess``, ``band``, ``tied`` and ``good_enough``.

    Returns
    -------
    The same rows and columns, ``excess`` and ``band`` as shares.
    """
    lowest_errors = max(float(curve["errors"].min()), 1e-12)
    return curve.assign(excess=curve["excess"] / lowest_errors, band=curve["band"] / lowest_errors)


def _find_top(excess: dict[Key, dict[Key, pd.DataFrame]]) -> float:
    """Return where the axis of relative excess ends: a little above the greatest, within the limits."""
    max_excess = max(float(curve["excess"].max()) for curves in excess.values() for curve in curves.values())
    return 1.08 * min(MAX_TOP, max(MIN_TOP, max_excess))


def _draw_panel(axes: Axes, curve: pd.DataFrame, curve_style: CurveStyle) -> None:
    """Draw one cell; ``curve`` is that of ``compute_relative_excess``."""
    color, marker = curve_style
    T, excess, band = curve["T"].to_numpy(), curve["excess"].to_numpy(), curve["band"].to_numpy()
    is_tied, is_good_enough = curve["tied"].to_numpy(bool), curve["good_enough"].to_numpy(bool)
    axes.axhline(0, color=style.BASELINE_COLOR, linewidth=0.8)
    if np.isfinite(band).all():
        axes.fill_between(T, excess - band, excess + band, color=color, alpha=0.2, linewidth=0)
    axes.plot(T, excess, color=color, linewidth=1.2)
    axes.plot(T[is_tied], excess[is_tied], marker, color=color, markersize=4)
    axes.plot(T[~is_tied], excess[~is_tied], marker, color=color, markerfacecolor="white", markersize=4)
    y_of_squares = np.full(is_good_enough.sum(), 0.05)  # as a share of the panel's height
    axes.plot(T[is_good_enough], y_of_squares, "s", color=color, markersize=4, transform=axes.get_xaxis_transform())
    axes.yaxis.set_major_locator(MaxNLocator(4, min_n_ticks=2))
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=None))
    axes.tick_params(axis="y", labelsize=7)


def _label_panels(all_axes: Any, data_sets: list[Key], students: list[Key], student_curves: StudentCurves) -> None:
    """Label the first drawn panel of each column with its student, and that of each row with its data set."""
    for axes in layout.list_first_drawn(all_axes.T):
        student_key = students[axes.get_subplotspec().colspan.start]
        axes.set_title(style.shorten_label(student_curves.labels[student_key]), fontsize=8)
    for axes in layout.list_first_drawn(all_axes):
        data_key = data_sets[axes.get_subplotspec().rowspan.start]
        axes.set_ylabel(student_curves.label_data(data_key).replace(", ", "\n"), fontsize=7)
    layout.label_lowest(all_axes, "temperature T")


def _add_legend(figure: Figure, error_margin: float) -> None:
    marks: Any = {"color": style.LEGEND_COLOR, "linestyle": "none", "markersize": 5}
    handles = {
        "statistically tied with the best": Line2D([], [], marker="o", **marks),
        "significantly worse than the best": Line2D([], [], marker="o", markerfacecolor="white", **marks),
        f"below: within {100 * error_margin:.3g} % of the best (95 % confidence)": Line2D([], [], marker="s", **marks),
        "95 % band of the noise within replicates": Patch(color=style.LEGEND_COLOR, alpha=0.2),
    }
    layout.add_legend(figure, handles, max_columns=2)
