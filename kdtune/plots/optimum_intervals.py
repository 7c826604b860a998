"""Prepare best temperatures with what is tied with them and their 95 % intervals, and draw them into axes."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
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
MAX_TIED_END_RATIO = 1.12  # Lines of tied temperatures reach beyond these by this factor, so that one alone is seen.
TIED_LINE: Any = {"linewidth": 6, "alpha": 0.3}
INTERVAL_LINE: Any = {"linewidth": 1.1}
MARK_SIZE = 4.5


def prepare_intervals(
    t_opt: pd.DataFrame, grids: Sequence[Sequence[float]], temperatures: Sequence[float]
) -> pd.DataFrame:
    """Compute the ends and the properties that figures show of each cell's best temperature.

    Parameters
    ----------
    t_opt : One row per cell, with ``T_opt``, ``T_opt_low``, ``T_opt_high``, ``tied`` and ``flags``.
    grids : The temperatures of each cell in ascending order.
    temperatures : Those of all cells in ascending order.

    Returns
    -------
    One row per cell: ``T_opt``, the grid temperature that the table calls best; ``bottom`` and ``top``, the ends of
    its interval, just beyond the grid where they are open; ``is_open_below``, ``is_open_above``, ``is_flat``,
    ``is_larger_than_teacher``; and ``tied_runs``, the lowest and the highest of each run of neighbouring temperatures
    that are statistically tied with the best; ``tied_end_ratio``, the factor by which their lines reach beyond them.
    """
    lower_limit, upper_limit = find_limits(temperatures)
    runs = [find_runs(tied, grid) for tied, grid in zip(t_opt["tied"], grids, strict=True)]
    return pd.DataFrame(
        {
            "T_opt": t_opt["T_opt"],
            "bottom": t_opt["T_opt_low"].clip(lower=lower_limit),
            "top": t_opt["T_opt_high"].clip(upper=upper_limit),
            "is_open_below": t_opt["T_opt_low"] <= 0,
            "is_open_above": np.isinf(t_opt["T_opt_high"]),
            "is_flat": t_opt["flags"].map(lambda flags: FLAT in flags).astype(bool),
            "is_larger_than_teacher": t_opt["flags"].map(lambda flags: LARGER_THAN_TEACHER in flags).astype(bool),
            "tied_runs": pd.Series(runs, t_opt.index, dtype=object),
            "tied_end_ratio": _choose_end_ratio(temperatures),
        }
    )


def _choose_end_ratio(temperatures: Sequence[float]) -> float:
    """Return the factor by which lines reach beyond tied temperatures: at most halfway to the nearest ones."""
    smallest_ratio = min((high / low for low, high in itertools.pairwise(temperatures)), default=math.inf)
    return min(MAX_TIED_END_RATIO, math.sqrt(smallest_ratio))


def find_runs(tied: Sequence[float], grid: Sequence[float]) -> list[tuple[float, float]]:
    """Return the lowest and the highest of each run of tied temperatures that are neighbours on the grid."""
    is_tied = np.concatenate([[False], np.isin(grid, tied), [False]])
    firsts = np.flatnonzero(is_tied[1:] & ~is_tied[:-1]).tolist()
    lasts = (np.flatnonzero(is_tied[:-1] & ~is_tied[1:]) - 1).tolist()
    return [(float(grid[first]), float(grid[last])) for first, last in zip(firsts, lasts, strict=True)]


def find_limits(temperatures: Sequence[float]) -> tuple[float, float]:
    """Return the ends of an axis of best temperatures."""
    return temperatures[0] / OPEN_END_RATIO, temperatures[-1] * OPEN_END_RATIO


def draw_intervals(
    axes: Axes, positions: Any, intervals: pd.DataFrame, curve_style: CurveStyle, is_vertical: bool
) -> Line2D:
    """Draw best temperatures: a mark each, a thick pale line over tied temperatures, a thin line for the interval.

    Parameters
    ----------
    positions : (n,): The places of the intervals on the other axis.
    intervals : (n,): The rows to draw, from ``prepare_intervals``.
    curve_style : The style of the marks.
    is_vertical : Whether temperatures are on the y axis.

    Returns
    -------
    The filled marks.
    """
    color, marker = curve_style
    draw_lines = axes.vlines if is_vertical else axes.hlines

    def draw_marks(is_shown: Any, T: Any, mark: str, **options: Any) -> Line2D:
        coordinates = (positions[is_shown], T[is_shown]) if is_vertical else (T[is_shown], positions[is_shown])
        return axes.plot(*coordinates, mark, color=color, **options)[0]

    ends = [
        (position, low / ratio, high * ratio)
        for position, runs, ratio in zip(positions, intervals["tied_runs"], intervals["tied_end_ratio"], strict=True)
        for low, high in runs
    ]
    if ends:
        draw_lines(*zip(*ends, strict=True), color=color, **TIED_LINE)
    draw_lines(positions, intervals["bottom"], intervals["top"], color=color, **INTERVAL_LINE)
    arrows: Any = {"markersize": 4, "clip_on": False, "in_layout": False}
    draw_marks(
        intervals["is_open_below"].to_numpy(), intervals["bottom"].to_numpy(), "v" if is_vertical else "<", **arrows
    )
    draw_marks(
        intervals["is_open_above"].to_numpy(), intervals["top"].to_numpy(), "^" if is_vertical else ">", **arrows
    )
    best_T, is_flat = intervals["T_opt"].to_numpy(), intervals["is_flat"].to_numpy()
    draw_marks(is_flat, best_T, marker, markerfacecolor="white", markersize=MARK_SIZE)
    return draw_marks(~is_flat, best_T, marker, markersize=MARK_SIZE)


def add_interval_legend(
    figure: Figure, handles: dict[str, Any], intervals: pd.DataFrame, criterion: str, is_vertical: bool
) -> None:
    """Add a legend that explains the curves, the lines, and hollow marks and arrows if there are any.

    Parameters
    ----------
    handles : The drawn curves by their labels.
    intervals : The rows that are drawn, from ``prepare_intervals``.
    criterion : What the best temperature has, in words.
    is_vertical : Whether temperatures are on the y axis.
    """
    marks: Any = {"color": style.LEGEND_COLOR, "linestyle": "none", "markersize": 5}
    handles = handles | {
        "thick: statistically tied with the best": Line2D([], [], color=style.LEGEND_COLOR, **TIED_LINE),
        "thin: 95 % confidence interval": Line2D([], [], color=style.LEGEND_COLOR, **INTERVAL_LINE),
    }
    if intervals["is_flat"].any():
        hollow = Line2D([], [], marker="o", markerfacecolor="white", **marks)
        handles["hollow: no clear winner, all T are tied"] = hollow
    if (intervals["is_open_below"] | intervals["is_open_above"]).any():
        arrow = Line2D([], [], marker="^" if is_vertical else ">", **marks)
        handles["arrow: the best T may lie beyond those tried"] = arrow
    layout.add_legend(figure, handles, max_columns=3, title=f"marks: the best T, with {criterion}")
