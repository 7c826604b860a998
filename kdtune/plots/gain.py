"""Draw the share of the baseline's errors that distillation removes, against T."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from kdtune.analysis.answer import Answer
from kdtune.analysis.selection_measure import MEASURE_NAMES
from kdtune.plots import layout, style
from kdtune.plots.student_curves import DATA, StudentCurves, collect_curves
from kdtune.plots.style import CurveStyle

MAX_MARKS = 16  # A curve with more points has marks at some of them only.


@dataclass(frozen=True)
class GainCurves:
    """What distillation removes of the baseline's errors on the test split, or of the measure that T is chosen by.

    Attributes
    ----------
    curves : by data set and student, with the columns ``gain``, ``low`` and ``high``: shares of the baseline's mean,
        with their 95 % interval; NaN where there is no baseline.
    measure_name : what is removed, in words.
    """

    curves: StudentCurves
    measure_name: str


def prepare_gain(answer: Answer) -> GainCurves:
    """Prepare the gains over the baseline as shares of the baseline's mean."""
    baseline = answer.curves[f"baseline_{answer.test_measure}"]
    shares = pd.DataFrame(
        {
            "gain": answer.curves["gain"] / baseline,
            "low": answer.curves["gain_low"] / baseline,
            "high": answer.curves["gain_high"] / baseline,
        }
    )
    return GainCurves(collect_curves(answer, shares), MEASURE_NAMES[answer.test_measure])


def draw_gain(prepared: GainCurves) -> Figure:
    """Draw a panel for each data set, a curve with a band for each student."""
    curves = prepared.curves
    with mpl.rc_context(style.RC_PARAMS):
        figure, all_axes, axes_by_data = layout.make_panel_figure(curves.panels, curves.temperatures)
        handles: dict[str, Any] = {}
        for data_set, axes in axes_by_data.items():
            axes.axhline(0, color=style.BASELINE_COLOR, linewidth=1)
            for student, curve in curves.iterate_students(data_set):
                handles[student] = _draw_curve(axes, curve, curves.styles[student])
            if curves.points["gain"][curves.points[DATA] == data_set].isna().all():
                axes.text(0.5, 0.5, "no baseline", transform=axes.transAxes, ha="center", fontsize=8)
            axes.yaxis.set_major_formatter(layout.format_percents())
        layout.note_omitted(figure, len(axes_by_data), len(curves.data_sets))
        layout.share_axes(all_axes)
        layout.label_lowest(all_axes, "temperature T")
        figure.supylabel(f"share of the baseline's test {prepared.measure_name} removed", fontsize=9)
        layout.add_legend(
            figure, layout.order_handles(handles, curves.styles), title="bands: 95 % confidence intervals"
        )
    return figure


def _draw_curve(axes: Axes, curve: pd.DataFrame, curve_style: CurveStyle) -> Line2D:
    """Draw the gain of one student, and return its line."""
    color, marker = curve_style
    if np.isfinite(curve["low"]).all():
        axes.fill_between(curve["T"], curve["low"], curve["high"], color=color, alpha=0.2, linewidth=0)
    mark_every = 1 + len(curve) // MAX_MARKS
    return axes.plot(curve["T"], curve["gain"], color=color, marker=marker, markersize=3.5, markevery=mark_every)[0]
