"""Draw best temperatures against the student's width, beside the published ones where the data are the same."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator

from kdtune.analysis.optimum import LARGER_THAN_TEACHER
from kdtune.plots import layout, style
from kdtune.plots.optimum_intervals import add_interval_legend, draw_intervals, find_limits
from kdtune.plots.published_optimum import (
    WIDTH_TICKS,
    draw_published_optima,
    include_published_range,
    list_published_temperatures,
)

MAX_COLUMNS = 4
MAX_TITLE_LETTERS = 34  # on a line
MAX_RATIO = 2.0  # of two widths whose distance the curves share
CURVES_SHARE = 0.6  # of the distance of neighbouring widths, over which the curves of a panel are spread
MIN_TICK_RATIO = 1.15  # of neighbouring widths on the axis
EDGE_RATIO = 1.6  # The axis of widths goes beyond the outermost widths by this factor.
SHADE_COLOR = "#f0f0f0"


def draw_by_width(settings: pd.DataFrame, temperatures: list[float], criterion: str, has_published: bool) -> Figure:
    """Draw a panel for each value of ``panel``, with a curve for each value of ``curve``, and a published one.

    Parameters
    ----------
    settings : One row per setting, from ``optimum.prepare_optima``, with ``width``, ``panel`` and ``curve``.
    temperatures : Those of all settings in ascending order.
    criterion : What the best temperature has, in words.
    has_published : Whether published temperatures are drawn beside them.
    """
    all_panels = sorted(settings["panel"].unique(), key=settings["panel"].tolist().index)
    panels = all_panels[: layout.MAX_PANELS - 1]
    styles = style.assign_data_styles(list(dict.fromkeys(settings["curve"])))
    widths = np.sort(settings["width"].unique()).tolist()
    factors = dict(zip(styles, _spread(len(styles), widths), strict=True))
    larger_from = _find_larger_students(settings)
    n_panels = len(panels) + has_published
    n_columns = min(MAX_COLUMNS, n_panels)
    n_rows = math.ceil(n_panels / n_columns)
    limits, ticks = find_limits(temperatures), temperatures
    if has_published:
        limits = include_published_range(limits)
        ticks = sorted({*temperatures, *(T for T in list_published_temperatures() if _is_beyond(T, temperatures))})
    with mpl.rc_context(style.RC_PARAMS):
        figure = layout.make_figure(max(2.5, 0.45 * len(widths)) * n_columns + 0.8, 2.9 * n_rows + 0.9)
        all_axes: Any = figure.subplots(n_rows, n_columns, squeeze=False, sharey=True)
        handles: dict[str, Any] = {}
        for axes, panel in zip(all_axes.flat, panels, strict=False):
            for curve, rows in settings[settings["panel"] == panel].groupby("curve", sort=False):
                x = rows["width"].to_numpy() * factors[str(curve)]
                axes.plot(x, rows["T_opt"], color=styles[str(curve)].color, linewidth=0.8, alpha=0.6)
                handles[str(curve)] = draw_intervals(axes, x, rows, styles[str(curve)], is_vertical=True)
            axes.set_title(style.wrap_label(panel, MAX_TITLE_LETTERS), fontsize=8)
            _set_width_axis(axes, widths)
            if larger_from is not None:
                shade = axes.axvspan(larger_from, axes.get_xlim()[1], color=SHADE_COLOR, zorder=0)
                handles[f"shaded: {LARGER_THAN_TEACHER}"] = shade
        if has_published:
            draw_published_optima(all_axes.flat[len(panels)], limits[1])
            _set_width_axis(all_axes.flat[len(panels)], WIDTH_TICKS)
        for axes in all_axes.flat[n_panels:]:
            axes.set_axis_off()
        for axes in all_axes.flat:
            layout.set_temperature_axis(axes, axes.yaxis, ticks)
            axes.set_ylim(*limits)
            if axes.axison and not axes.get_subplotspec().is_first_col():
                axes.tick_params(labelleft=False)
        layout.note_omitted(figure, len(panels), len(all_panels), "panels")
        figure.supylabel("best temperature T", fontsize=9)
        add_interval_legend(figure, handles, settings, criterion, is_vertical=True)
    return figure


def _spread(n_curves: int, widths: Sequence[float]) -> list[float]:
    """Return the factor by which each curve stands beside its width, so that their intervals do not overlap."""
    smallest_ratio = min((wide / narrow for narrow, wide in itertools.pairwise(widths)), default=MAX_RATIO)
    smallest_ratio = min(smallest_ratio, MAX_RATIO)
    exponents = np.linspace(-0.5, 0.5, n_curves) if n_curves > 1 else np.zeros(1)
    return [float(smallest_ratio ** (CURVES_SHARE * exponent)) for exponent in exponents]


def _is_beyond(T: float, temperatures: list[float]) -> bool:
    return not temperatures[0] <= T <= temperatures[-1]


def _find_larger_students(settings: pd.DataFrame) -> float | None:
    """Return the width from which on all students are larger than their teachers, or None if there is none.

    It lies halfway, on a logarithmic axis, between the widest student that is not and the narrowest that is.
    """
    are_larger = settings.groupby("width")["is_larger_than_teacher"].all()
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
    axes.xaxis.set_major_locator(FixedLocator(layout.thin_out(widths, MIN_TICK_RATIO)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(layout.format_plain_numbers())
    axes.set_xlim(widths[0] / EDGE_RATIO, widths[-1] * EDGE_RATIO)
    axes.set_xlabel("student's width", fontsize=8)
    axes.tick_params(axis="x", labelsize=7)
