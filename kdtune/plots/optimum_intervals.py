"""Draw best temperatures with their 95 % confidence intervals into axes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from kdtune.analysis.optimum import FLAT, LARGER_THAN_TEACHER
from kdtune.plots import layout, style
from kdtune.plots.style import CurveStyle

OPEN_END_RATIO = 1.6  # Open intervals are drawn beyond the grid by this factor.


def prepare_intervals(t_opt: pd.DataFrame, temperatures: list[float]) -> pd.DataFrame:
    """Compute the ends and the properties that figures show of each cell's best temperature.

    Parameters
    ----------
    t_opt : One row per cell, with ``T_opt_continuous``, ``T_opt_low``, ``T_opt_high`` and ``flags``.
    temperatures : The grid in ascending order.

    Returns
    -------
    The same rows with more columns: ``bottom`` and ``top``, the ends of the interval, just beyond the grid where they
    are open; ``is_open_below``, ``is_open_above``, ``is_flat``, ``is_larger_than_teacher``.
    """
    lower_limit, upper_limit = find_limits(temperatures)
    return t_opt.assign(
        bottom=t_opt["T_opt_low"].clip(lower=lower_limit),
        top=t_opt["T_opt_high"].clip(upper=upper_limit),
        is_open_below=t_opt["T_opt_low"] <= 0,
        is_open_above=np.isinf(t_opt["T_opt_high"]),
        is_flat=t_opt["flags"].map(lambda flags: FLAT in flags).astype(bool),
        is_larger_than_teacher=t_opt["flags"].map(lambda flags: LARGER_THAN_TEACHER in flags).astype(bool),
    )


def find_limits(temperatures: list[float]) -> tuple[float, float]:
    """Return the ends of an axis of best temperatures."""
    return temperatures[0] / OPEN_END_RATIO, temperatures[-1] * OPEN_END_RATIO


def draw_vertical_intervals(
    axes: Axes, x: Any, intervals: pd.DataFrame, curve_style: CurveStyle, temperatures: list[float]
) -> Any:
    """Draw a curve of best temperatures with vertical intervals, and return its filled marks.

    Parameters
    ----------
    x : (n,): The positions of the intervals.
    intervals : (n,): The rows to draw, from ``prepare_intervals``.
    curve_style : The style of the curve.
    temperatures : The grid in ascending order.
    """
    color, marker = curve_style
    best_T, is_flat = intervals["T_opt_continuous"].to_numpy(), intervals["is_flat"].to_numpy()
    lower_limit, upper_limit = find_limits(temperatures)
    axes.vlines(
        x, intervals["bottom"], intervals["top"], color=color, linewidth=1.1, linestyle=_choose_line_styles(intervals)
    )
    x_below, x_above = x[intervals["is_open_below"]], x[intervals["is_open_above"]]
    arrows: Any = {"color": color, "markersize": 4, "clip_on": False, "in_layout": False}
    axes.plot(x_below, np.full(len(x_below), lower_limit), "v", **arrows)
    axes.plot(x_above, np.full(len(x_above), upper_limit), "^", **arrows)
    axes.plot(x, best_T, color=color, linewidth=0.8, alpha=0.6)
    axes.plot(x[is_flat], best_T[is_flat], marker, color=color, markerfacecolor="white", markersize=4.5)
    return axes.plot(x[~is_flat], best_T[~is_flat], marker, color=color, markersize=4.5)[0]


def draw_horizontal_intervals(
    axes: Axes, y: Any, intervals: pd.DataFrame, curve_style: CurveStyle, temperatures: list[float]
) -> None:
    """Draw best temperatures with horizontal intervals.

    Parameters
    ----------
    y : (n,): The positions of the intervals.
    intervals : (n,): The rows to draw, from ``prepare_intervals``.
    curve_style : The style of the marks.
    temperatures : The grid in ascending order.
    """
    color, marker = curve_style
    best_T, is_flat = intervals["T_opt_continuous"].to_numpy(), intervals["is_flat"].to_numpy()
    lower_limit, upper_limit = find_limits(temperatures)
    axes.hlines(
        y, intervals["bottom"], intervals["top"], color=color, linewidth=1.1, linestyle=_choose_line_styles(intervals)
    )
    y_below, y_above = y[intervals["is_open_below"]], y[intervals["is_open_above"]]
    arrows: Any = {"color": color, "markersize": 4, "clip_on": False, "in_layout": False}
    axes.plot(np.full(len(y_below), lower_limit), y_below, "<", **arrows)
    axes.plot(np.full(len(y_above), upper_limit), y_above, ">", **arrows)
    axes.plot(best_T[is_flat], y[is_flat], marker, color=color, markerfacecolor="white", markersize=4.5)
    axes.plot(best_T[~is_flat], y[~is_flat], marker, color=color, markersize=4.5)


def _choose_line_styles(intervals: pd.DataFrame) -> list[str]:
    """Return a dotted line for each interval that is open at both ends, a solid one for the others."""
    is_unbounded = intervals["is_open_below"] & intervals["is_open_above"]
    return [":" if unbounded else "-" for unbounded in is_unbounded]


def add_interval_legend(figure: Figure, handles: dict[str, Any], arrow: str) -> None:
    """Add a legend that explains the curves, the hollow marks and the arrows.

    Parameters
    ----------
    figure : The figure.
    handles : The drawn curves by their labels.
    arrow : The marker of an open end.
    """
    marks: Any = {"color": style.LEGEND_COLOR, "linestyle": "none", "markersize": 5}
    handles = handles | {
        "no winner: all T are tied": Line2D([], [], marker="o", markerfacecolor="white", **marks),
        "open: may lie beyond the grid": Line2D([], [], marker=arrow, **marks),
    }
    title = "minimum of the smoothed mean curve, with its 95 % confidence interval"
    layout.add_legend(figure, handles, max_columns=3, title=title)
