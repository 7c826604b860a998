"""The tutorial's figures: the softmax, and accuracy and errors on the test set against T."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator
from scipy.special import softmax

from kdtune import analysis
from kdtune import table as t
from kdtune.plots import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_WORDS = {t.NUM_ERROR: "errors on the test set", t.ACCURACY: "accuracy on the test set"}


def softmax_figure(temperatures: Sequence[float] = (1, 10, 20, 50)) -> Figure:
    """One set of logits through the softmax at several temperatures: how soft targets get soft."""
    logits = np.random.RandomState(0).rand(10) * 50  # the tutorial's: ten classes, uniform on 0..50
    with mpl.rc_context(style.STYLE):
        figure = Figure(figsize=(6, 3.6), layout="constrained")
        axes = figure.subplots()
        for T, color, marker in zip(temperatures, style.CURVES, style.MARKERS, strict=False):
            axes.plot(softmax(logits / T), color=color, marker=marker, markersize=4, label=f"T = {T:g}")
        axes.set(xlabel="class", ylabel="probability", title="Softmax of the same logits at several temperatures")
        axes.set_xticks(range(10))
        axes.legend()
    return figure


def temperature_figure(table: pd.DataFrame, measure: str) -> Figure:
    """A measure against T: a panel for each data set, a curve for each student, lines for teacher and baseline.

    Curves are means over the replicates; bands reach from the lowest to the highest of them.
    """
    columns = analysis.cell_columns(table)
    good = analysis.done(table)
    plain = analysis.baselines(good, columns, measure)
    curves = analysis.by_temperature(table, columns, measure)
    panel_names = analysis.data_columns(columns)
    curve_names = [name for name in columns if name not in panel_names]
    taught = analysis.teachers(good, analysis.distilled(good, [*panel_names, t.TEACHER_ID]), panel_names)
    grid = style.panels(curves, panel_names)
    looks = style.looks([key for key, _ in style.groups(curves, curve_names)])
    with mpl.rc_context(style.STYLE):
        figure = Figure(figsize=(2.9 * len(grid[0]) + 1.2, 2.2 * len(grid) + 0.9), layout="constrained")
        all_axes: Any = figure.subplots(len(grid), len(grid[0]), squeeze=False)
        handles: dict[str, Any] = {}
        for axes, panel in style.each_panel(all_axes, grid):
            cell = dict(zip(panel_names, panel, strict=True))
            for key, curve in style.groups(analysis.matching(curves, cell), curve_names):
                color, marker = looks[key]
                every = 1 + len(curve) // 16  # of many points not each is marked
                (handles[style.student(curve_names, key)],) = axes.plot(
                    curve[t.TEMP], curve["mean"], color=color, marker=marker, markersize=3.5, markevery=every
                )
                if curve["replicates"].max() > 1:
                    axes.fill_between(curve[t.TEMP], curve["low"], curve["high"], color=color, alpha=0.2, linewidth=0)
                baseline = analysis.baseline_of(plain, {**cell, **dict(zip(curve_names, key, strict=True))})
                axes.axhline(baseline, color=color, linestyle=":", linewidth=1.2)
            teacher = analysis.matching(taught, cell)[measure].mean()
            handles["teacher"] = axes.axhline(teacher, color=style.TEACHER, linewidth=1.2)
            axes.set_title(style.words(panel_names, panel), fontsize=8)
            style.temperature_axis(axes, sorted(curves[t.TEMP].unique()))
        handles["baseline (hard labels), in its student's colour"] = mpl.lines.Line2D(
            [], [], color=style.BASELINE, linestyle=":"
        )
        style.share_axes(all_axes)
        style.label_lowest(all_axes, "temperature T")
        if measure == t.NUM_ERROR and 0 < 8 * curves["low"].min() < curves["high"].max():
            _log_errors(all_axes[0, 0])  # shared by all panels; linear, the better students would lie flat
        figure.supylabel(_WORDS.get(measure, measure), fontsize=9)
        replicates = int(curves["replicates"].max())
        said = f"mean of {replicates} replicates; bands: lowest to highest" if replicates > 1 else None
        style.legend(figure, handles, title=said)
    return figure


def _log_errors(axes: Axes) -> None:
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_locator(NullLocator())
