"""Draw the share of the baseline's errors that distillation removes, against T."""

from __future__ import annotations

from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from kdtune.analysis.answer import Answer
from kdtune.analysis.selection_measure import MEASURE_NAMES
from kdtune.columns import NUM_ERROR
from kdtune.plots import layout, style
from kdtune.plots.student_curves import group_curves
from kdtune.plots.style import CurveStyle

MAX_MARKS = 16  # A curve with more points has marks at some of them only.


def plot_gain(answer: Answer) -> Figure:
    """Plot the share of the baseline's test errors, or of what T is chosen by, that distillation removes.

    There is one panel per data set.

    Bands are 95 % confidence intervals of the paired differences, or of differences of means where runs are unpaired.
    """
    student_curves = group_curves(answer)
    gains = {
        data_key: {key: compute_relative_gain(curve, answer.test_measure) for key, curve in curves.items()}
        for data_key, curves in student_curves.curves.items()
    }
    panels = layout.arrange_panels(answer.curves, student_curves.data_columns)
    with mpl.rc_context(style.RC_PARAMS):
        figure = layout.make_figure(2.9 * len(panels[0]) + 1.2, 2.2 * len(panels) + 0.9)
        all_axes: Any = figure.subplots(len(panels), len(panels[0]), squeeze=False)
        handles: dict[str, Any] = {}
        for axes, data_key in layout.iterate_panels(all_axes, panels):
            axes.axhline(0, color=style.BASELINE_COLOR, linewidth=1)
            for student_key, gain in gains[data_key].items():
                label = student_curves.labels[student_key]
                handles[label] = _draw_curve(axes, gain, student_curves.styles[student_key])
            if all(gain["gain"].isna().all() for gain in gains[data_key].values()):
                axes.text(0.5, 0.5, "no baseline", transform=axes.transAxes, ha="center", fontsize=8)
            axes.set_title(student_curves.label_data(data_key), fontsize=8)
            layout.set_temperature_axis(axes, axes.xaxis, student_curves.temperatures)
            axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        layout.note_omitted(figure, layout.count_panels(panels), len(gains))
        layout.share_axes(all_axes)
        layout.label_lowest(all_axes, "temperature T")
        figure.supylabel(f"share of the baseline's test {MEASURE_NAMES[answer.test_measure]} removed", fontsize=9)
        layout.add_legend(figure, layout.order_handles(handles, student_curves.labels.values()))
    return figure


def compute_relative_gain(curve: pd.DataFrame, test_measure: str = NUM_ERROR) -> pd.DataFrame:
    """Compute a cell's gain over its baseline as a share of the baseline's errors, or of what T is chosen by.

    Parameters
    ----------
    curve : One row per T, with the columns ``T``, ``gain``, ``gain_low``, ``gain_high`` and the measure of
        the baseline, such as ``baseline_num_error``.
    test_measure : The measure that the gain is in.

    Returns
    -------
    One row per T: ``T``, and ``gain``, ``low``, ``high`` as shares.
    """
    baseline = curve[f"baseline_{test_measure}"]
    return pd.DataFrame(
        {
            "T": curve["T"],
            "gain": curve["gain"] / baseline,
            "low": curve["gain_low"] / baseline,
            "high": curve["gain_high"] / baseline,
        }
    )


def _draw_curve(axes: Axes, gain: pd.DataFrame, curve_style: CurveStyle) -> Any:
    """Draw one cell, from ``compute_relative_gain``, and return its line."""
    color, marker = curve_style
    if np.isfinite(gain["low"]).all():
        axes.fill_between(gain["T"], gain["low"], gain["high"], color=color, alpha=0.2, linewidth=0)
    mark_every = 1 + len(gain) // MAX_MARKS
    return axes.plot(gain["T"], gain["gain"], color=color, marker=marker, markersize=3.5, markevery=mark_every)[0]
