"""Draw what one temperature for all settings costs: the decision that most users face."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from kdtune.analysis.answer import Answer
from kdtune.analysis.fixed_temperature import COST
from kdtune.columns import NUM_ERROR
from kdtune.plots import layout, style
from kdtune.plots.student_curves import STUDENT, collect_curves
from kdtune.plots.style import CurveStyle
from kdtune.text import pluralize

MAX_TEMPERATURES = 8
STUDENTS_SHARE = 0.6  # of the distance of two temperatures, over which the students are spread
SETTINGS_SHARE = 0.04  # the same for the settings of one student
LINEAR_LIMIT = 0.1  # The y axis is linear up to this cost and logarithmic beyond.
TICKS = (-1, -0.5, -0.2, -0.1, -0.05, 0, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10)


@dataclass(frozen=True)
class FixedCosts:
    """What one temperature for all settings costs.

    Attributes
    ----------
    points : one row per setting and shown temperature: ``student``, ``T`` and ``cost``, the errors on the test split
        above those at the setting's own T, as a share of the latter. Single points scatter by chance.
    costs : one row per shown temperature, ascending, with the columns of ``FixedTemperatureCost``, as ``mean`` and
        ``worst``.
    styles : how each student is drawn.
    measure_name : what is counted, in words.
    """

    points: pd.DataFrame
    costs: pd.DataFrame
    styles: dict[str, CurveStyle]
    measure_name: str


def prepare_fixed_costs(answer: Answer) -> FixedCosts:
    """Prepare the costs of some temperatures that all settings have, from the lowest to the highest."""
    costs = answer.fixed.sort_values("T")
    positions = layout.spread_positions(len(costs), MAX_TEMPERATURES)
    shown_costs = costs.iloc[positions].reset_index(drop=True)
    curves = collect_curves(answer, answer.curves[[COST]])
    is_shown = curves.points["T"].isin(shown_costs["T"])
    return FixedCosts(
        points=curves.points.loc[is_shown, [STUDENT, "T", COST]],
        costs=shown_costs,
        styles=curves.styles,
        measure_name="error" if answer.test_measure == NUM_ERROR else answer.measure_name,
    )


def draw_fixed_costs(prepared: FixedCosts) -> Figure:
    """Draw a column of points for each temperature, a point for each setting, and the mean of each column."""
    points, costs = prepared.points, prepared.costs
    offsets = dict(zip(prepared.styles, _spread(len(prepared.styles), STUDENTS_SHARE), strict=True))
    with mpl.rc_context(style.RC_PARAMS):
        figure = layout.make_figure(1.15 * len(costs) + 2.2, 4.1)
        axes = figure.subplots()
        handles: dict[str, Any] = {}
        for x, T in enumerate(costs["T"]):
            for student, rows in points[points["T"] == T].groupby(STUDENT, sort=False):
                color, marker = prepared.styles[str(student)]
                places = x + offsets[str(student)] + _spread(len(rows), SETTINGS_SHARE)
                handles[str(student)] = axes.plot(places, rows[COST], marker, color=color, markersize=4, alpha=0.8)[0]
        means = axes.hlines(costs["mean"], costs.index - 0.4, costs.index + 0.4, color="black", linewidth=1.5)
        handles = layout.order_handles(handles, prepared.styles) | {"mean of the settings": means}
        for x, (mean, worst) in enumerate(zip(costs["mean"], costs["worst"], strict=True)):
            text = f"mean {mean:+.0%}" + ("" if np.isnan(worst) else f"\nworst {worst:+.0%}")
            axes.annotate(text, (x, 1), xycoords=("data", "axes fraction"), fontsize=7, ha="center", va="bottom")
        axes.axhline(0, color=style.BASELINE_COLOR, linewidth=0.8)
        axes.set_yscale("symlog", linthresh=LINEAR_LIMIT, linscale=1.5)
        axes.yaxis.set_major_formatter(layout.format_percents())
        axes.margins(y=0.1)
        axes.set_yticks(_choose_ticks(points[COST].dropna().tolist()))
        axes.set_xticks(range(len(costs)), [f"T = {T:g}" for T in costs["T"]])
        axes.grid(visible=False, axis="x")
        axes.set_ylabel(f"relative excess {prepared.measure_name}\nover the setting's own T (test split)")
        title = f"one T for all {pluralize(int(costs['cells'].iloc[0]), 'setting')}; a point for each setting"
        if costs["worst"].notna().any():
            title += "\nworst: estimated for the setting that it costs most, as single points scatter by chance"
        layout.add_legend(figure, handles, title=title)
    return figure


def _spread(count: int, width: float) -> Any:
    """Return places around 0 over a width, (count,)."""
    return np.linspace(-width / 2, width / 2, count) if count > 1 else np.zeros(count)


def _choose_ticks(values: Sequence[float]) -> list[float]:
    lower_limit, upper_limit = min([0, *values]), max([0.05, *values])
    return [tick for tick in TICKS if 1.2 * lower_limit - 0.02 <= tick <= 1.2 * upper_limit + 0.02]
