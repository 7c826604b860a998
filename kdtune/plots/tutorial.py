"""Draw the figures of the 2018 Harvard tutorial that kdtune began from: softmax, test errors and accuracy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from scipy.special import softmax

from kdtune.analysis.answer import Answer
from kdtune.analysis.cells import group_rows
from kdtune.analysis.selection_measure import MEASURE_NAMES
from kdtune.columns import ACCURACY, NUM_ERROR
from kdtune.plots import layout, style
from kdtune.plots.student_curves import StudentCurves, group_curves
from kdtune.plots.style import CurveStyle, Key

MEASURE_LABELS = {
    **{measure: f"{name} on the test set" for measure, name in MEASURE_NAMES.items()},
    ACCURACY: "accuracy on the test set",
}
MAX_MARKS = 16  # A curve with more points has marks at some of them only.
LOG_RATIO = 8  # greatest over lowest errors, beyond which a linear axis would squeeze the better students


def plot_softmax(temperatures: Sequence[float] = (1, 10, 20, 50)) -> Figure:
    """Plot the softmax of made-up logits at several temperatures, as an illustration of how targets become soft."""
    logits = np.random.RandomState(0).rand(10) * 50  # the tutorial's: ten classes, uniform between 0 and 50
    styles = style.assign_student_styles([(T,) for T in temperatures])
    with mpl.rc_context(style.RC_PARAMS):
        figure = layout.make_figure(6, 3.6)
        axes = figure.subplots()
        for (T,), (color, marker) in styles.items():
            axes.plot(softmax(logits / T), color=color, marker=marker, markersize=4, label=f"T = {T:g}")
        axes.set(xlabel="class", ylabel="probability", title="Illustration: the softmax of made-up logits")
        axes.set_xticks(range(10))
        axes.legend()
    return figure


def plot_against_temperature(answer: Answer, measure: str) -> Figure:
    """Plot a test measure against T: a panel for each data set, a curve for each student.

    Curves are means over the replicates, or the runs of each T if they are unpaired; bands reach from the lowest to
    the highest. Horizontal lines are the means of teachers and baselines.

    Parameters
    ----------
    answer : The answer that the curves come from.
    measure : A column of the table. ``answer.curves`` has it also with ``_low`` and ``_high``, and with ``teacher_``
        and ``baseline_`` in front.
    """
    student_curves = group_curves(answer)
    teacher_levels = compute_teacher_levels(student_curves, measure)
    teacher_styles = style.assign_network_styles(
        list(dict.fromkeys(label for levels in teacher_levels.values() for label in levels))
    )
    panels = layout.arrange_panels(answer.curves, student_curves.data_columns)
    with mpl.rc_context(style.RC_PARAMS):
        figure = layout.make_figure(2.9 * len(panels[0]) + 1.2, 2.2 * len(panels) + 0.9)
        all_axes: Any = figure.subplots(len(panels), len(panels[0]), squeeze=False)
        handles: dict[str, Any] = {}
        for axes, data_key in layout.iterate_panels(all_axes, panels):
            for student_key, curve in student_curves.curves[data_key].items():
                label = student_curves.labels[student_key]
                handles[label] = _draw_student(axes, curve, measure, student_curves.styles[student_key])
            for label, level in teacher_levels[data_key].items():
                if not np.isnan(level):
                    handles[label] = axes.axhline(level, color=teacher_styles[label].color, linewidth=1.2)
            axes.set_title(student_curves.label_data(data_key), fontsize=8)
            layout.set_temperature_axis(axes, axes.xaxis, student_curves.temperatures)
        if answer.curves[f"baseline_{measure}"].notna().any():
            label = "baseline (hard labels), in its student's colour"
            handles[label] = Line2D([], [], color=style.BASELINE_COLOR, linestyle=":")
        layout.note_omitted(figure, layout.count_panels(panels), len(student_curves.curves))
        shared_axes = layout.share_axes(all_axes)
        layout.label_lowest(all_axes, "temperature T")
        if measure == NUM_ERROR and _needs_log_scale(answer.curves):
            layout.set_log_scale(shared_axes)
        figure.supylabel(MEASURE_LABELS.get(measure, measure), fontsize=9)
        handles = layout.order_handles(handles, student_curves.labels.values())
        layout.add_legend(figure, handles, title=_describe_replicates(answer))
    return figure


def compute_teacher_levels(student_curves: StudentCurves, measure: str) -> dict[Key, dict[str, float]]:
    """Compute the mean measure of each data set's teachers, by data set and by the teacher's label.

    A teacher's label names its settings that vary over the students.
    """
    columns = [column for column in student_curves.student_columns if column.startswith("teacher_")]
    short_names = [column.removeprefix("teacher_") for column in columns]
    levels: dict[Key, dict[str, float]] = {}
    for data_key, curves in student_curves.curves.items():
        levels[data_key] = {}
        for teacher_key, rows in group_rows(pd.concat(curves.values()), columns):
            setting = style.label_setting(short_names, teacher_key)
            label = f"teacher, {setting}" if setting else "teacher"
            levels[data_key][label] = float(rows[f"teacher_{measure}"].mean())
    return levels


def _draw_student(axes: Axes, curve: pd.DataFrame, measure: str, curve_style: CurveStyle) -> Any:
    """Draw one cell with its baseline, and return the line of the students.

    ``curve`` has one row per T: ``T``, ``replicates``, the measure, the same with ``_low`` and ``_high``, and that
    of the baseline.
    """
    color, marker = curve_style
    mark_every = 1 + len(curve) // MAX_MARKS
    line = axes.plot(curve["T"], curve[measure], color=color, marker=marker, markersize=3.5, markevery=mark_every)[0]
    if curve["replicates"].max() > 1:
        low, high = curve[f"{measure}_low"], curve[f"{measure}_high"]
        axes.fill_between(curve["T"], low, high, color=color, alpha=0.2, linewidth=0)
        if len(curve) == 1:  # One temperature is too narrow for a band.
            axes.vlines(curve["T"], low, high, color=color, linewidth=1)
    axes.axhline(curve[f"baseline_{measure}"].iloc[0], color=color, linestyle=":", linewidth=1.2)
    return line


def _needs_log_scale(curves: pd.DataFrame) -> bool:
    min_errors, max_errors = curves[f"{NUM_ERROR}_low"].min(), curves[f"{NUM_ERROR}_high"].max()
    return bool(min_errors > 0 and max_errors > LOG_RATIO * min_errors)


def _describe_replicates(answer: Answer) -> str | None:
    counts = answer.curves["replicates"]
    if counts.max() == 1:
        return None
    if answer.is_paired:
        return f"mean of {counts.max()} replicates; bands: lowest to highest"
    n_runs = f"{counts.max()}" if counts.nunique() == 1 else f"{counts.min()} to {counts.max()}"
    return f"mean of {n_runs} runs of each T; bands: lowest to highest"
