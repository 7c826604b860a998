"""Draw the errors of each kind of network: teachers, baselines, students."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import pandas as pd
from matplotlib.figure import Figure

from kdtune.analysis.representatives import MAX_CELLS, PANEL, SERIES
from kdtune.columns import BASELINE, MODEL, NUM_ERROR, STUDENT, TEACHER
from kdtune.plots import layout, style
from kdtune.plots.style import CurveStyle

LOG_RATIO = 8  # greatest over lowest errors, beyond which a linear axis would squeeze the better networks
STYLES = {
    TEACHER: CurveStyle(style.TEACHER_COLOR, "*"),
    BASELINE: CurveStyle(style.BASELINE_COLOR, "s"),
    STUDENT: CurveStyle(style.STUDENT_COLORS[0], "o"),
}


@dataclass(frozen=True)
class NetworkErrors:
    """The test errors of single networks.

    Attributes
    ----------
    errors : one row per network: ``panel`` (the data set), ``series`` (the kind of network), ``model``, ``num_error``.
    is_log : whether errors differ so much that their axis is logarithmic.
    n_left_out : the number of settings of which no network is shown.
    """

    errors: pd.DataFrame
    is_log: bool
    n_left_out: int


def prepare_network_errors(networks: pd.DataFrame, n_left_out: int = 0) -> NetworkErrors:
    """Prepare the errors of the networks that ``choose_networks`` returns, with how many settings it left out."""
    errors = networks[[PANEL, SERIES, MODEL, NUM_ERROR]]
    lowest, highest = errors[NUM_ERROR].min(), errors[NUM_ERROR].max()
    return NetworkErrors(errors, is_log=bool(lowest > 0 and highest > LOG_RATIO * lowest), n_left_out=n_left_out)


def draw_network_errors(prepared: NetworkErrors) -> Figure:
    """Draw a panel for each data set, a line for each kind of network; strokes are replicates, marks their means."""
    panels = list(dict.fromkeys(prepared.errors[PANEL]))
    shown_panels = panels[: layout.MAX_PANELS]
    rows_by_panel = {panel: prepared.errors[prepared.errors[PANEL] == panel] for panel in shown_panels}
    heights = [rows[SERIES].nunique() + 1 for rows in rows_by_panel.values()]
    with mpl.rc_context(style.RC_PARAMS):
        figure = layout.make_figure(7, 0.26 * sum(heights) + 0.4 * len(shown_panels) + 0.4)
        all_axes: Any = figure.subplots(len(shown_panels), 1, squeeze=False, height_ratios=heights, sharex=True)
        for axes, (panel, panel_rows) in zip(all_axes.flat, rows_by_panel.items(), strict=True):
            labels = []
            for y, (series, rows) in enumerate(panel_rows.groupby(SERIES, sort=False)):
                color, marker = STYLES[rows[MODEL].iloc[0]]
                axes.plot(rows[NUM_ERROR], [y] * len(rows), "|", color=color, markersize=8, alpha=0.7)
                axes.plot(rows[NUM_ERROR].mean(), y, marker, color=color, markersize=6)
                labels.append(style.escape_text(str(series)))
            axes.set_yticks(range(len(labels)), labels)
            axes.set_ylim(len(labels) - 0.5, -0.5)
            axes.grid(visible=False, axis="y")
            axes.set_title(style.escape_text(panel), fontsize=8)
            axes.tick_params(axis="y", length=0)
        lowest_axes = all_axes.flat[-1]
        if prepared.is_log:
            layout.set_log_scale(lowest_axes, lowest_axes.xaxis)
        else:
            lowest_axes.set_xlim(left=0)
        lowest_axes.set_xlabel("errors on the test set; marks: means, strokes: replicates")
        layout.note_omitted(figure, len(shown_panels), len(panels))
        layout.note_omitted(figure, MAX_CELLS, MAX_CELLS + prepared.n_left_out, "settings")
    return figure
