"""Draw errors, accuracy or another measure on the test set against the temperature."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from kdtune.analysis.answer import Answer
from kdtune.analysis.cells import group_rows, select_data_columns
from kdtune.analysis.selection_measure import MEASURE_NAMES
from kdtune.columns import ACCURACY, NUM_ERROR
from kdtune.plots import layout, style
from kdtune.plots.student_curves import DATA, StudentCurves, collect_curves
from kdtune.plots.style import CurveStyle

MEASURE_LABELS = {
    **{measure: f"{name} on the test set" for measure, name in MEASURE_NAMES.items()},
    ACCURACY: "accuracy on the test set",
}
MARK_RATIO = 1.02  # between the marks of two students at a single temperature
MAX_MARKS = 16  # A curve with more points has marks at some of them only.
LOG_RATIO = 8  # greatest over lowest errors, beyond which a linear axis would squeeze the better students
TEACHER = "teacher"


@dataclass(frozen=True)
class MeasureCurves:
    """A measure on the test set against T.

    Attributes
    ----------
    curves : by data set and student, with the columns ``mean``, ``low`` and ``high`` over the replicates, or over the
        runs of each T, ``baseline`` (its mean, NaN without baselines) and ``replicates``.
    teachers : the mean of each data set's teachers: ``data``, ``teacher`` (the settings that vary, in words), ``mean``.
    measure_label : what the y axis shows.
    replicates_label : what means and bands are over; None where there is one run of each.
    is_log : whether errors differ so much that the y axis is logarithmic.
    """

    curves: StudentCurves
    teachers: pd.DataFrame
    measure_label: str
    replicates_label: str | None
    is_log: bool


def prepare_measure_curves(answer: Answer, measure: str) -> MeasureCurves:
    """Prepare the means and ranges of a measure on the test set.

    Parameters
    ----------
    answer : The answer that the curves come from.
    measure : A column of the table. ``answer.curves`` has it also with ``_low`` and ``_high``, and with ``teacher_``
        and ``baseline_`` in front.
    """
    names = {measure: "mean", f"{measure}_low": "low", f"{measure}_high": "high", f"baseline_{measure}": "baseline"}
    curves = collect_curves(answer, answer.curves[[*names, "replicates"]].rename(columns=names))
    lowest, highest = curves.points["low"].min(), curves.points["high"].max()
    return MeasureCurves(
        curves=curves,
        teachers=_collect_teachers(answer, measure, curves),
        measure_label=_name_measure(measure, answer.is_percent),
        replicates_label=_describe_replicates(answer),
        is_log=bool(measure == NUM_ERROR and lowest > 0 and highest > LOG_RATIO * lowest),
    )


def _name_measure(measure: str, is_percent: bool) -> str:
    """Return what the axis shows, with the unit where errors are rates in percent."""
    return f"{MEASURE_LABELS.get(measure, measure)}{', %' if is_percent and measure == NUM_ERROR else ''}"


def _collect_teachers(answer: Answer, measure: str, curves: StudentCurves) -> pd.DataFrame:
    """Return the mean measure of the teachers of each data set, by their settings that vary."""
    data_columns = select_data_columns(answer.cell_columns)
    columns = [name for name in answer.cell_columns if name not in data_columns and name.startswith("teacher_")]
    short_names = [column.removeprefix("teacher_") for column in columns]
    rows = []
    for key, group in group_rows(answer.curves, columns):
        setting = style.label_setting(short_names, key)
        label = f"{TEACHER}, {setting}" if setting else TEACHER
        means = group[f"teacher_{measure}"].groupby(curves.points.loc[group.index, DATA], sort=False).mean().dropna()
        rows.append(pd.DataFrame({DATA: means.index, TEACHER: label, "mean": means.to_numpy()}))
    return pd.concat(rows, ignore_index=True)


def _describe_replicates(answer: Answer) -> str | None:
    counts = answer.curves["replicates"]
    if counts.max() == 1:
        return None
    if answer.is_paired:
        return f"mean of {counts.max()} replicates; bands: lowest to highest"
    n_runs = f"{counts.max()}" if counts.nunique() == 1 else f"{counts.min()} to {counts.max()}"
    return f"mean of {n_runs} runs of each T; bands: lowest to highest"


def draw_measure_curves(prepared: MeasureCurves) -> Figure:
    """Draw a panel for each data set, a curve with a band for each student, and lines for teachers and baselines."""
    curves, teachers = prepared.curves, prepared.teachers
    teacher_styles = style.assign_network_styles(list(dict.fromkeys(teachers[TEACHER])))
    with mpl.rc_context(style.RC_PARAMS):
        figure, all_axes, axes_by_data = layout.make_panel_figure(curves.panels, curves.temperatures)
        handles: dict[str, Any] = {}
        # Marks at a single temperature would hide each other.
        n_students = len(curves.styles) if len(curves.temperatures) == 1 else 1
        exponents = [index - (n_students - 1) / 2 if n_students > 1 else 0 for index in range(len(curves.styles))]
        x_factors = dict(zip(curves.styles, [MARK_RATIO**exponent for exponent in exponents], strict=True))
        for data_set, axes in axes_by_data.items():
            for student, curve in curves.iterate_students(data_set):
                x = curve["T"] * x_factors[student]
                handles[student] = _draw_student(axes, x, curve, curves.styles[student])
            rows = teachers[teachers[DATA] == data_set]
            for label, level in zip(rows[TEACHER].tolist(), rows["mean"].tolist(), strict=True):
                handles[label] = axes.axhline(level, color=teacher_styles[label].color, linewidth=1.2)
        if curves.points["baseline"].notna().any():
            label = "baseline (hard labels), in its student's colour"
            handles[label] = Line2D([], [], color=style.BASELINE_COLOR, linestyle=":")
        layout.note_omitted(figure, len(axes_by_data), len(curves.data_sets))
        shared_axes = layout.share_axes(all_axes)
        if len(curves.temperatures) == 1:
            edge_factor = MARK_RATIO ** len(curves.styles)
            shared_axes.set_xlim(curves.temperatures[0] / edge_factor, curves.temperatures[0] * edge_factor)
        layout.label_lowest(all_axes, "temperature T")
        if prepared.is_log:
            layout.set_log_scale(shared_axes, shared_axes.yaxis)
        figure.supylabel(prepared.measure_label, fontsize=9)
        layout.add_legend(figure, layout.order_handles(handles, curves.styles), title=prepared.replicates_label)
    return figure


def _draw_student(axes: Axes, x: pd.Series, curve: pd.DataFrame, curve_style: CurveStyle) -> Line2D:
    """Draw one student with its baseline, and return the line of the student; ``x`` is where its T stand, (n,)."""
    color, marker = curve_style
    mark_every = 1 + len(curve) // MAX_MARKS
    line = axes.plot(x, curve["mean"], color=color, marker=marker, markersize=3.5, markevery=mark_every)[0]
    if curve["replicates"].max() > 1:
        axes.fill_between(x, curve["low"], curve["high"], color=color, alpha=0.2, linewidth=0)
        if len(curve) == 1:  # One temperature is too narrow for a band.
            axes.vlines(x, curve["low"], curve["high"], color=color, linewidth=1)
    axes.axhline(curve["baseline"].iloc[0], color=color, linestyle=":", linewidth=1.2)
    return line
