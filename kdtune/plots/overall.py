"""Draw what each temperature costs a student over all of its data sets together."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from kdtune.analysis.answer import Answer
from kdtune.columns import TEMP
from kdtune.plots import layout, style
from kdtune.plots.student_curves import STUDENT
from kdtune.text import pluralize

MAX_COLUMNS = 4
MAX_TITLE_LETTERS = 30  # on a line
MAX_AXIS_COST = 0.5  # the greatest cost that the y axis shows of shares
AXIS_MARGIN = 1.08
LIKE_COLOR = "#D55E00"
COLOR = style.STUDENT_COLORS[0]


@dataclass(frozen=True)
class OverallCosts:
    """What each temperature costs each student over its data sets.

    Attributes
    ----------
    points : one row per student and temperature: ``student``, ``T``, ``cost`` (above the best T, a share unless the
        user names a measure), its simultaneous upper bounds ``cost_high`` for these data sets and ``cost_high_like``
        for data sets like these (NaN with one data set), and whether T is ``tied`` with the best.
    titles : what stands above the panel of each student: its settings, and the number of its data sets.
    cost_label : what the y axis shows.
    margin : the cost that does not matter; None if it is not known.
    is_share : whether costs are shares.
    """

    points: pd.DataFrame
    titles: dict[str, str]
    cost_label: str
    margin: float | None
    is_share: bool


def prepare_overall(answer: Answer) -> OverallCosts:
    """Prepare the pooled costs of each student, as ``Answer.overall_curves`` has them."""
    curves = answer.overall_curves
    students = answer.students
    keys = [tuple(student.settings.values()) for student in students]
    labels = list(style.label_settings(list(students[0].settings), keys, "all students").values())
    lengths = [len(student.temperatures) for student in students]
    points = curves[[TEMP, "cost", "cost_high", "cost_high_like", "tied"]].rename(columns={TEMP: "T"})
    points.insert(0, STUDENT, [label for label, count in zip(labels, lengths, strict=True) for _ in range(count)])
    titles = {
        label: f"{style.wrap_label(label, MAX_TITLE_LETTERS)}\n({pluralize(len(student.cells), 'data set')})"
        for label, student in zip(labels, students, strict=True)
    }
    is_share = answer.measure is None
    name = "cost: relative excess\nover the best T" if is_share else f"{answer.measure_name}:\nworse than at the best T"
    split = f" ({answer.selection_split} split)" if is_share else ""
    return OverallCosts(points, titles, name + split, answer.margins.error, is_share)


def draw_overall(prepared: OverallCosts) -> Figure:
    """Draw a panel for each student; filled marks are statistically tied with the best T.

    Bands reach from the cost to its upper bound, which holds for all T at once with 95 % confidence; the dotted line is
    the bound for data sets like these.
    """
    students = list(prepared.titles)
    shown = students[: layout.MAX_PANELS]
    points = prepared.points[prepared.points[STUDENT].isin(shown)]
    temperatures = sorted(points["T"].unique())
    axis_max = _find_axis_max(points, prepared.is_share)
    n_columns = min(MAX_COLUMNS, len(shown))
    n_rows = math.ceil(len(shown) / n_columns)
    with mpl.rc_context(style.RC_PARAMS):
        figure = layout.make_figure(2.6 * n_columns + 0.8, 2.1 * n_rows + 1)
        all_axes: Any = figure.subplots(n_rows, n_columns, squeeze=False)
        for axes in all_axes.flat[len(shown) :]:
            axes.set_axis_off()
        for axes, student in zip(all_axes.flat, shown, strict=False):
            _draw_panel(axes, points[points[STUDENT] == student], prepared, axis_max)
            axes.set_title(prepared.titles[student], fontsize=8)
            layout.set_temperature_axis(axes, axes.xaxis, temperatures)
        layout.share_axes(all_axes).set_ylim(-0.06 * axis_max, axis_max)
        layout.label_lowest(all_axes, "temperature T")
        layout.note_omitted(figure, len(shown), len(students), "students")
        figure.supylabel(prepared.cost_label, fontsize=9)
        layout.add_legend(figure, _explain(prepared), max_columns=2)
    return figure


def _find_axis_max(points: pd.DataFrame, is_share: bool) -> float:
    """Return where the axis of costs ends: a little above the greatest bound, of shares within a limit."""
    greatest = float(points[["cost", "cost_high"]].replace(math.inf, math.nan).max().max())
    if math.isnan(greatest):
        return 1.0
    return AXIS_MARGIN * (min(greatest, MAX_AXIS_COST) if is_share else greatest) or 1.0


def _draw_panel(axes: Axes, curve: pd.DataFrame, prepared: OverallCosts, axis_max: float) -> None:
    """Draw the costs of one student; a cost above the axis is written at its end."""
    T, cost, is_tied = curve["T"].to_numpy(), curve["cost"].to_numpy(), curve["tied"].to_numpy(bool)
    if curve["cost"].isna().all():
        axes.text(0.5, 0.5, "no errors at the best T:\nno share of them", ha="center", transform=axes.transAxes)
        axes.set_xlim(T.min(), T.max())
    axes.axhline(0, color=style.BASELINE_COLOR, linewidth=0.8)
    if prepared.margin is not None:
        axes.axhline(prepared.margin, color=style.LEGEND_COLOR, linestyle="--", linewidth=0.8)
    axes.fill_between(T, cost, curve["cost_high"], color=COLOR, alpha=0.2, linewidth=0)
    axes.plot(T, curve["cost_high_like"], color=LIKE_COLOR, linestyle=":", linewidth=1.2)
    axes.plot(T, cost, color=COLOR, linewidth=1.2)
    axes.plot(T[is_tied], cost[is_tied], "o", color=COLOR, markersize=4)
    axes.plot(T[~is_tied], cost[~is_tied], "o", color=COLOR, markerfacecolor="white", markersize=4)
    for T_above, cost_above in zip(T[cost > axis_max], cost[cost > axis_max], strict=True):
        text = f"{cost_above:+.0%}" if prepared.is_share else f"{cost_above:+g}"
        axes.text(
            T_above, 0.98, text, fontsize=6, rotation=90, ha="center", va="top", transform=axes.get_xaxis_transform()
        )
    axes.yaxis.set_major_locator(MaxNLocator(5, min_n_ticks=2))
    if prepared.is_share:
        axes.yaxis.set_major_formatter(layout.format_percents())


def _explain(prepared: OverallCosts) -> dict[str, Any]:
    """Return the entries of the legend."""
    marks: Any = {"color": COLOR, "linestyle": "none", "markersize": 5, "marker": "o"}
    handles: dict[str, Any] = {
        "statistically tied with the best": Line2D([], [], **marks),
        "significantly worse than the best": Line2D([], [], markerfacecolor="white", **marks),
        "up to its 95 % bound, for these data": Patch(color=COLOR, alpha=0.2),
    }
    if prepared.points["cost_high_like"].notna().any():
        handles["95 % bound for data sets like these"] = Line2D([], [], color=LIKE_COLOR, linestyle=":")
    if prepared.margin is not None:
        text = f"{prepared.margin:.0%}" if prepared.is_share else f"{prepared.margin:g}"
        line = Line2D([], [], color=style.LEGEND_COLOR, linestyle="--", linewidth=0.8)
        handles[f"{text}: a difference that does not matter"] = line
    return handles
