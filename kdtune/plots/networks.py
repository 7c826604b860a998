"""Errors of each kind of network: teachers, baselines, students."""

from __future__ import annotations

from typing import Any

import matplotlib as mpl
import pandas as pd
from matplotlib.figure import Figure

from kdtune.analysis.representatives import MOST_CELLS, PANEL, SERIES
from kdtune.columns import NUM_ERROR
from kdtune.plots import style


def plot_networks(networks: pd.DataFrame, left_out: int = 0) -> Figure:
    """A panel for each data set and transfer set, a line for each kind of network: its replicates and their mean."""
    panels = list(dict.fromkeys(networks[PANEL]))[: style.MOST_DATA]
    labels = list(dict.fromkeys(networks[SERIES]))
    looks = style.assign_network_styles(labels)
    lines = [list(dict.fromkeys(networks[networks[PANEL] == panel][SERIES])) for panel in panels]
    with mpl.rc_context(style.STYLE):
        heights = [len(own) + 1 for own in lines]
        figure = style.make_figure(7, 0.26 * sum(heights) + 0.4 * len(panels) + 0.4)
        all_axes: Any = figure.subplots(len(panels), 1, squeeze=False, height_ratios=heights, sharex=True)
        for axes, panel, own in zip(all_axes.flat, panels, lines, strict=True):
            for place, series in enumerate(own):
                errors = networks[(networks[PANEL] == panel) & (networks[SERIES] == series)][NUM_ERROR]
                color, marker = looks[series]
                axes.plot(errors, [place] * len(errors), color=color, marker="|", markersize=8, linestyle="", alpha=0.7)
                axes.plot(errors.mean(), place, color=color, marker=marker, markersize=6)
            axes.set_yticks(range(len(own)), own)
            axes.set_ylim(len(own) - 0.5, -0.5)
            axes.grid(visible=False, axis="y")
            axes.set_title(panel, fontsize=8)
            axes.tick_params(axis="y", length=0)
        all_axes.flat[-1].set_xlim(left=0)
        all_axes.flat[-1].set_xlabel("errors on the test set; marks: means, strokes: replicates")
        style.note_omitted(figure, len(panels), networks[PANEL].nunique())
        style.note_omitted(figure, MOST_CELLS, MOST_CELLS + left_out, "cells")
    return figure
