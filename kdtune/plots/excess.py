"""Draw errors relative to those at the best temperature: a row of panels per data set, a column per student."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from kdtune.analysis.answer import Answer
from kdtune.columns import NUM_ERROR
from kdtune.plots import layout, style
from kdtune.plots.student_curves import DATA, STUDENT, StudentCurves, collect_curves
from kdtune.plots.style import CurveStyle

MAX_STUDENTS = 12
MAX_TITLE_LETTERS = 26  # on a line
# The y axis shows at least the smaller and at most the larger excess: the best T is recognized near 0.
MIN_AXIS_MAX, MAX_AXIS_MAX = 0.05, 0.5
AXIS_MARGIN = 0.08  # of the y axis above its greatest excess, as a share of that
SQUARE_HEIGHT, ARROW_HEIGHT = 0.05, 0.95  # of marks at the edges of a panel, as shares of its height
ARROW = r"$\uparrow$"
MIN_TICK_RATIO = 1.9  # of neighbouring temperatures on the axis of a small panel


@dataclass(frozen=True)
class ExcessCurves:
    """How much worse than the best temperature each one is, on the split that T is chosen on.

    Attributes
    ----------
    curves : by data set and student, with the columns ``excess`` and ``band`` (half its 95 % confidence interval) and
        whether T is ``tied`` with the best and ``good_enough``. Excess errors are shares of the lowest mean, NaN where
        that is 0; another measure is in its own units.
    excess_label : what the y axis shows.
    axis_max : the greatest excess that the axis shows.
    is_share : whether the excess is a share.
    good_enough_label : which temperatures are good enough, in words; empty if no difference is known not to matter.
    is_paired : whether replicates pair the temperatures.
    """

    curves: StudentCurves
    excess_label: str
    axis_max: float
    is_share: bool
    good_enough_label: str
    is_paired: bool


def prepare_excess(answer: Answer) -> ExcessCurves:
    """Prepare the excess of each temperature over the best one of its setting."""
    is_share = answer.measure is None
    values = answer.curves[["excess", "band", "tied", "good_enough"]]
    if is_share:
        cells = [answer.curves[name] for name in answer.cell_columns] or [pd.Series(0, answer.curves.index)]
        lowest = answer.curves["errors"].groupby(cells, dropna=False).transform("min")
        unit = lowest.where(lowest > 0)  # There are no shares of 0.
        values = values.assign(excess=values["excess"] / unit, band=values["band"] / unit)
    return ExcessCurves(
        curves=collect_curves(answer, values),
        excess_label=_label_excess(answer),
        axis_max=_find_axis_max(values["excess"], is_share),
        is_share=is_share,
        good_enough_label=answer.margin_text,
        is_paired=answer.is_paired,
    )


def _label_excess(answer: Answer) -> str:
    if answer.measure is not None:
        return f"{answer.measure.name}: how much worse\nthan at the best T"
    name = "error" if answer.test_measure == NUM_ERROR else answer.measure_name
    return f"relative excess {name}\nover the best T ({answer.selection_split} split)"


def _find_axis_max(excess: pd.Series, is_share: bool) -> float:
    """Return where the axis of excess ends: a little above the greatest excess, of shares within limits."""
    max_excess = 0.0 if excess.isna().all() else float(excess.max())
    if not is_share:
        return (1 + AXIS_MARGIN) * max_excess or 1.0
    return (1 + AXIS_MARGIN) * min(MAX_AXIS_MAX, max(MIN_AXIS_MAX, max_excess))


def draw_excess(prepared: ExcessCurves) -> Figure:
    """Draw a curve in each panel; filled marks are statistically tied with the best T.

    Squares at the bottom mark temperatures that are within the margin of the best with 95 % confidence, arrows at the
    top those whose excess is above the axis.
    """
    curves = prepared.curves
    students = list(curves.styles)[:MAX_STUDENTS]
    data_sets = curves.data_sets[: max(1, layout.MAX_SMALL_PANELS // len(students))]
    shown_points = curves.points[curves.points[DATA].isin(data_sets) & curves.points[STUDENT].isin(students)]
    with mpl.rc_context(style.RC_PARAMS):
        figure = layout.make_figure(1.75 * len(students) + 1.2, 1.3 * len(data_sets) + 1.3)
        all_axes: Any = figure.subplots(len(data_sets), len(students), squeeze=False)
        for axes in all_axes.flat:
            axes.set_axis_off()
        ticks = layout.thin_out(curves.temperatures, MIN_TICK_RATIO)
        n_panels = 0
        for data_set, axes_row in zip(data_sets, all_axes, strict=True):
            axes_by_student = dict(zip(students, axes_row, strict=True))
            for student, curve in curves.iterate_students(data_set):
                if student in axes_by_student:
                    _draw_panel(axes_by_student[student], curve, curves.styles[student], prepared)
                    layout.set_temperature_axis(axes_by_student[student], axes_by_student[student].xaxis, ticks)
                    n_panels += 1
        layout.share_axes(all_axes).set_ylim(-0.12 * prepared.axis_max, prepared.axis_max)
        _label_panels(all_axes, data_sets, students)
        layout.label_lowest(all_axes, "temperature T")
        layout.note_omitted(figure, n_panels, len(curves.points[[DATA, STUDENT]].drop_duplicates()), "settings")
        figure.supylabel(prepared.excess_label, fontsize=9)
        has_arrows = bool((shown_points["excess"] > prepared.axis_max).any())
        _add_legend(figure, prepared, bool(shown_points["good_enough"].any()), has_arrows)
    return figure


def _draw_panel(axes: Axes, curve: pd.DataFrame, curve_style: CurveStyle, prepared: ExcessCurves) -> None:
    """Draw the curve of one setting, and switch its axes on."""
    axes.set_axis_on()
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
    _mark_edge(axes, T[excess > prepared.axis_max], ARROW_HEIGHT, ARROW, 7, color)
    axes.yaxis.set_major_locator(MaxNLocator(4, min_n_ticks=2))
    if prepared.is_share:
        axes.yaxis.set_major_formatter(layout.format_percents())
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


def _label_panels(all_axes: Any, data_sets: list[str], students: list[str]) -> None:
    """Name the student above the highest panel of each column, and the data set beside the leftmost of each row."""
    for column, student in zip(all_axes.T, students, strict=True):
        for axes in [axes for axes in column if axes.axison][:1]:
            axes.set_title(style.wrap_label(style.shorten_label(student), MAX_TITLE_LETTERS), fontsize=8)
    for row, data_set in zip(all_axes, data_sets, strict=True):
        for axes in [axes for axes in row if axes.axison][:1]:
            axes.set_ylabel(data_set.replace(", ", "\n"), fontsize=7)


def _add_legend(figure: Figure, prepared: ExcessCurves, has_squares: bool, has_arrows: bool) -> None:
    """Explain the marks and the band."""
    band = f"95 % {'within-replicate ' if prepared.is_paired else ''}confidence band"
    marks: Any = {"color": style.LEGEND_COLOR, "linestyle": "none", "markersize": 5}
    handles: dict[str, Any] = {
        "statistically tied with the best": Line2D([], [], marker="o", **marks),
        "significantly worse than the best": Line2D([], [], marker="o", markerfacecolor="white", **marks),
    }
    if has_squares:
        label = f"square at the bottom: {prepared.good_enough_label} (95 % confidence)"
        handles[label] = Line2D([], [], marker="s", **marks)
    handles[band] = Patch(color=style.LEGEND_COLOR, alpha=0.2)
    if has_arrows:
        handles["arrow at the top: above the axis"] = Line2D([], [], marker=ARROW, **marks | {"markersize": 8})
    layout.add_legend(figure, handles, max_columns=2)
