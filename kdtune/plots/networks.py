"""Draw the errors of each kind of network: teachers, baselines, students."""

from __future__ import annotations

from typing import Any

import matplotlib as mpl
import pandas as pd
from matplotlib.figure import Figure

from kdtune.analysis.representatives import MAX_CELLS, PANEL, SERIES
from kdtune.columns import NUM_ERROR
from kdtune.plots import layout, style


def plot_networks(networks: pd.DataFrame, n_left_out: int = 0) -> Figure:
    """Plot the test errors of single networks: a panel for each data set, a line for each kind of network.

    Strokes are replicates, marks their means.

    Parameters
    ----------
    networks : One row per network, with ``panel``, ``series`` (the kind of network) and ``num_error``.
    n_left_out : The number of cells of which no network is shown.
    """
    errors_by_panel = group_errors(networks)
    panels = list(errors_by_panel)[: layout.MAX_PANELS]
    styles = style.assign_network_styles(list(dict.fromkeys(networks[SERIES])))
    heights = [len(errors_by_panel[panel]) + 1 for panel in panels]
    with mpl.rc_context(style.RC_PARAMS):
        figure = layout.make_figure(7, 0.26 * sum(heights) + 0.4 * len(panels) + 0.4)
        all_axes: Any = figure.subplots(len(panels), 1, squeeze=False, height_ratios=heights, sharex=True)
        for axes, panel in zip(all_axes.flat, panels, strict=True):
            errors_by_series = errors_by_panel[panel]
            for y, (series, errors) in enumerate(errors_by_series.items()):
                color, marker = styles[series]
                axes.plot(errors, [y] * len(errors), "|", color=color, markersize=8, alpha=0.7)
                axes.plot(errors.mean(), y, marker, color=color, markersize=6)
            axes.set_yticks(range(len(errors_by_series)), list(errors_by_series))
            axes.set_ylim(len(errors_by_series) - 0.5, -0.5)
            axes.grid(visible=False, axis="y")
            axes.set_title(panel, fontsize=8)
            axes.tick_params(axis="y", length=0)
        all_axes.flat[-1].set_xlim(left=0)
        all_axes.flat[-1].set_xlabel("errors on the test set; marks: means, strokes: replicates")
        layout.note_omitted(figure, len(panels), len(errors_by_panel))
        layout.note_omitted(figure, MAX_CELLS, MAX_CELLS + n_left_out, "settings")
    return figure


def group_errors(networks: pd.DataFrame) -> dict[str, dict[str, pd.Series]]:
    """Return the errors of the replicates by panel and series, both in the order of the rows."""
    return {
        str(panel): {str(series): rows[NUM_ERROR] for series, rows in panel_rows.groupby(SERIES, sort=False)}
        for panel, panel_rows in networks.groupby(PANEL, sort=False)
    }
