"""Draw the errors on each class of the test set, by kind of network."""

from __future__ import annotations

from typing import Any

import matplotlib as mpl
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from kdtune.analysis.representatives import PANEL, SERIES, has_replicates, summarize_replicates
from kdtune.columns import ID, LABEL, NUM_ERROR, SEEN
from kdtune.plots import layout, style
from kdtune.plots.style import CurveStyle

MAX_FIGURE_WIDTH = 24  # inches
MAX_CLASS_TICKS = 40
CLASS_WIDTH = 0.8  # of the space between two classes, over which marks are spread
# Beyond this ratio of the greatest to the median errors, a linear axis would squeeze the others.
SYMLOG_RATIO, SYMLOG_THRESHOLD = 10, 10


def plot_per_class(networks: pd.DataFrame, per_class: pd.DataFrame) -> Figure:
    """Plot errors by class: a panel for each transfer set, a mark for each kind of network.

    Marks are means over the replicates; lines reach from the lowest to the highest replicate. Classes that the
    students of a panel never saw are shaded.

    Parameters
    ----------
    networks : One row per network: ``id``, ``panel``, ``series`` (the kind of network).
    per_class : One row per network and class: ``id``, ``label`` (the class), ``num_error``, ``seen``.
    """
    errors = summarize_replicates(networks, per_class, LABEL, [NUM_ERROR])
    unseen_classes = find_unseen_classes(networks, per_class)
    all_panels = list(dict.fromkeys(errors[PANEL]))
    panels = all_panels[: layout.MAX_PANELS]
    classes = sorted(errors[LABEL].unique())
    styles = style.assign_network_styles(list(dict.fromkeys(errors[SERIES])))
    width = min(MAX_FIGURE_WIDTH, max(6.5, 0.09 * len(classes) * len(styles) + 2))
    is_skewed = errors[f"{NUM_ERROR}_high"].max() > SYMLOG_RATIO * max(1, errors[NUM_ERROR].median())
    with mpl.rc_context(style.RC_PARAMS):
        figure = layout.make_figure(width, 2.9 * len(panels) + 1)
        all_axes: Any = figure.subplots(len(panels), 1, squeeze=False, sharex=True)
        handles: dict[str, Any] = {}
        for axes, panel in zip(all_axes.flat, panels, strict=True):
            for label in unseen_classes[panel]:
                axes.axvspan(label - 0.5, label + 0.5, color="#eeeeee", linewidth=0)
            panel_errors = errors[errors[PANEL] == panel]
            n_series = panel_errors[SERIES].nunique()
            for i, (series, rows) in enumerate(panel_errors.groupby(SERIES, sort=False)):
                offset = CLASS_WIDTH * ((i + 0.5) / n_series - 0.5)
                handles[str(series)] = _draw_series(axes, rows, offset, styles[str(series)])
            axes.set_title(panel, fontsize=8)
            _set_axes(axes, classes, is_skewed)
        all_axes.flat[-1].set_xlabel("class of the test example")
        figure.supylabel("errors on the test set", fontsize=9)
        layout.note_omitted(figure, len(panels), len(all_panels))
        has_unseen = any(unseen_classes[panel] for panel in panels)
        title = _describe(has_replicates(networks), has_unseen)
        layout.add_legend(figure, layout.order_handles(handles, styles), title=title)
    return figure


def find_unseen_classes(networks: pd.DataFrame, per_class: pd.DataFrame) -> dict[str, list[int]]:
    """Return by panel the classes on which some of its networks were not trained, ascending."""
    unseen_classes = {}
    for panel, rows in networks.groupby(PANEL):
        details = per_class[per_class[ID].isin(rows[ID])]
        unseen_classes[str(panel)] = sorted(details[LABEL][~details[SEEN]].unique().tolist())
    return unseen_classes


def _draw_series(axes: Axes, rows: pd.DataFrame, offset: float, series_style: CurveStyle) -> Any:
    """Draw one kind of network beside the positions of the classes, and return its marks."""
    color, marker = series_style
    x = rows[LABEL] + offset
    axes.vlines(x, rows[f"{NUM_ERROR}_low"], rows[f"{NUM_ERROR}_high"], color=color, linewidth=1)
    return axes.plot(x, rows[NUM_ERROR], marker, color=color, markersize=4)[0]


def _set_axes(axes: Axes, classes: list[int], is_skewed: bool) -> None:
    axes.set_xlim(classes[0] - 0.5, classes[-1] + 0.5)
    axes.set_xticks(classes[:: 1 + len(classes) // MAX_CLASS_TICKS])
    axes.grid(visible=False, axis="x")
    if is_skewed:
        axes.set_yscale("symlog", linthresh=SYMLOG_THRESHOLD)
        axes.margins(y=0.08)
        axes.yaxis.set_major_formatter(layout.format_plain_numbers())
    axes.set_ylim(bottom=0)


def _describe(is_replicated: bool, has_unseen: bool) -> str | None:
    """Write what marks and shades mean, as far as there are any."""
    notes = []
    if is_replicated:
        notes.append("mean over replicates; lines: lowest to highest")
    if has_unseen:
        notes.append("shaded: classes that students never saw")
    return "; ".join(notes) or None
