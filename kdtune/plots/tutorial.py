"""The tutorial's figures: the softmax, and accuracy and errors on the test set against T."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from scipy.special import softmax

from kdtune.analysis.answer import Answer
from kdtune.analysis.cells import select_data_columns
from kdtune.columns import ACCURACY, NUM_ERROR
from kdtune.plots import style

_WORDS = {NUM_ERROR: "errors on the test set", ACCURACY: "accuracy on the test set"}


def plot_softmax(temperatures: Sequence[float] = (1, 10, 20, 50)) -> Figure:
    """One set of logits through the softmax at several temperatures: how soft targets get soft."""
    logits = np.random.RandomState(0).rand(10) * 50  # the tutorial's: ten classes, uniform on 0..50
    with mpl.rc_context(style.STYLE):
        figure = style.make_figure(6, 3.6)
        axes = figure.subplots()
        for T, color, marker in zip(temperatures, style.CURVES, style.MARKERS, strict=False):
            axes.plot(softmax(logits / T), color=color, marker=marker, markersize=4, label=f"T = {T:g}")
        axes.set(xlabel="class", ylabel="probability", title="Softmax of the same logits at several temperatures")
        axes.set_xticks(range(10))
        axes.legend()
    return figure


def plot_against_temperature(answer: Answer, measure: str) -> Figure:
    """A measure against T: a panel for each data set, a curve for each student, lines for teacher and baseline.

    Curves are means over the replicates; bands reach from the lowest to the highest of them.
    """
    curves, data = answer.curves, select_data_columns(answer.columns)
    students = [name for name in answer.columns if name not in data]
    grid = style.arrange_panels(curves, data)
    looks = style.assign_styles([key for key, _ in style.group_rows(curves, students)])
    labels = style.label_students(answer.t_opt, students)
    of = dict(style.group_rows(curves, data))
    shades = {label: color for label, (color, _) in style.assign_network_styles(
        [label for label, _ in _teachers(curves, students)]).items()}  # fmt: skip
    with mpl.rc_context(style.STYLE):
        figure = style.make_figure(2.9 * len(grid[0]) + 1.2, 2.2 * len(grid) + 0.9)
        all_axes: Any = figure.subplots(len(grid), len(grid[0]), squeeze=False)
        handles: dict[str, Any] = {}
        for axes, panel in style.iterate_panels(all_axes, grid):
            for key, curve in style.group_rows(of[panel], students):
                color, marker = looks[key]
                every = 1 + len(curve) // 16  # of many points not each is marked
                (handles[labels[key]],) = axes.plot(
                    curve["T"], curve[measure], color=color, marker=marker, markersize=3.5, markevery=every
                )
                if curve["replicates"].max() > 1:
                    low, high = curve[f"{measure}_low"], curve[f"{measure}_high"]
                    axes.fill_between(curve["T"], low, high, color=color, alpha=0.2, linewidth=0)
                    if len(curve) == 1:  # too narrow for a band
                        axes.vlines(curve["T"], low, high, color=color, linewidth=1)
                axes.axhline(curve[f"baseline_{measure}"].iloc[0], color=color, linestyle=":", linewidth=1.2)
            for label, own in _teachers(of[panel], students):
                if not math.isnan(teacher := own[f"teacher_{measure}"].mean()):
                    handles[label] = axes.axhline(teacher, color=shades[label], linewidth=1.2)
            axes.set_title(style.label_setting(data, panel), fontsize=8)
            style.set_temperature_axis(axes, sorted(curves["T"].unique()))
        if curves[f"baseline_{measure}"].notna().any():
            handles["baseline (hard labels), in its student's colour"] = mpl.lines.Line2D(
                [], [], color=style.BASELINE, linestyle=":"
            )
        style.note_omitted(figure, sum(key is not None for row in grid for key in row), len(of))
        first = style.share_axes(all_axes)
        style.label_lowest(all_axes, "temperature T")
        if measure == NUM_ERROR and 0 < 8 * curves[f"{measure}_low"].min() < curves[f"{measure}_high"].max():
            style.set_log_scale(first)  # shared by all panels; linear, the better students would lie flat
        figure.supylabel(_WORDS.get(measure, measure), fontsize=9)
        replicates = int(curves["replicates"].max())
        said = f"mean of {replicates} replicates; bands: lowest to highest" if replicates > 1 else None
        style.add_legend(figure, style.order_handles(handles, labels.values()), title=said)
    return figure


def _teachers(curves: pd.DataFrame, students: Sequence[str]) -> list[tuple[str, pd.DataFrame]]:
    """The curves of each teacher, by its settings that vary, in words."""
    settings = [name for name in students if name.startswith("teacher_") and name in curves]
    named = [name.removeprefix("teacher_") for name in settings]
    return [
        (", ".join(part for part in ("teacher", style.label_setting(named, key)) if part), own)
        for key, own in style.group_rows(curves, settings)
    ]
