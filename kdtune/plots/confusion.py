"""Draw which class is mistaken for which, by kind of network."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import SymLogNorm
from matplotlib.figure import Figure

from kdtune.analysis.representatives import PANEL, SERIES
from kdtune.columns import COUNT, ID, LABEL, PREDICTED
from kdtune.plots import layout, style

MAX_COLUMNS = 4
MAX_CLASS_TICKS = 30
MAX_TITLE_LETTERS = 34  # on a line
DIAGONAL_COLOR = "#f6eee0"


class Confusion(NamedTuple):
    """The mistakes of one kind of network."""

    title: str
    mistakes: np.ndarray[Any, Any]  # (classes, classes): mean counts, true class by predicted class; diagonal NaN


def plot_confusion(networks: pd.DataFrame, confusion: pd.DataFrame) -> Figure:
    """Plot a matrix of mistakes for each kind of network: mean counts over replicates.

    Parameters
    ----------
    networks : One row per network: ``id``, ``panel``, ``series`` (the kind of network).
    confusion : One row per network and pair of classes: ``id``, ``label``, ``predicted``, ``count``.
    """
    matrices = compute_confusions(networks, confusion)
    shown_matrices = matrices[: layout.MAX_PANELS]
    n_columns = min(MAX_COLUMNS, len(shown_matrices))
    n_rows = math.ceil(len(shown_matrices) / n_columns)
    max_count = max(1.0, max(float(np.nanmax(matrix.mistakes)) for matrix in shown_matrices))
    with mpl.rc_context({**style.RC_PARAMS, "axes.grid": False}):
        figure = layout.make_figure(2.6 * n_columns + 0.8, 2.6 * n_rows + 0.6)
        all_axes: Any = figure.subplots(n_rows, n_columns, squeeze=False)
        for axes in all_axes.flat[len(shown_matrices) :]:
            axes.set_axis_off()
        for axes, matrix in zip(all_axes.flat, shown_matrices, strict=False):
            image = _draw_matrix(axes, matrix, max_count)
        bar = figure.colorbar(image, ax=all_axes, shrink=0.6, label="test examples (mean over replicates)")
        bar.ax.yaxis.set_major_formatter(layout.format_plain_numbers())
        x_label = "predicted class (correct predictions, on the diagonal, are left out)"
        if len(shown_matrices) < len(matrices):
            x_label += f"; the first {len(shown_matrices)} of {len(matrices)} kinds of network"
        figure.supxlabel(x_label, fontsize=9)
        figure.supylabel("true class", fontsize=9)
    return figure


def compute_confusions(networks: pd.DataFrame, confusion: pd.DataFrame) -> list[Confusion]:
    """Compute the mean counts of mistakes for each kind of network, in the order of ``networks``."""
    network_confusions = networks[[ID, PANEL, SERIES]].merge(confusion, on=ID)
    matrices = []
    for (panel, series), rows in network_confusions.groupby([PANEL, SERIES], sort=False):
        counts = rows.groupby([LABEL, PREDICTED])[COUNT].mean().unstack().to_numpy()
        mistakes = np.where(np.eye(len(counts), dtype=bool), np.nan, counts)
        title = "\n".join(_wrap_setting(str(part)) for part in (panel, series) if part)
        matrices.append(Confusion(title, mistakes))
    return matrices


def _draw_matrix(axes: Axes, matrix: Confusion, max_count: float) -> Any:
    """Draw one matrix, its colours from 0 to ``max_count``, and return its image."""
    image = axes.imshow(matrix.mistakes, cmap="Blues", norm=SymLogNorm(1, vmin=0, vmax=max_count))
    axes.set_title(matrix.title, fontsize=7)
    n_classes = len(matrix.mistakes)
    ticks = range(0, n_classes, 1 + n_classes // MAX_CLASS_TICKS)
    axes.set_xticks(ticks)
    axes.set_yticks(ticks)
    axes.tick_params(labelsize=6)
    axes.set_facecolor(DIAGONAL_COLOR)
    return image


def _wrap_setting(text: str) -> str:
    """Break a setting into lines, after commas only."""
    lines: list[str] = []
    for word in text.split(", "):
        if lines and len(f"{lines[-1]}, {word}") <= MAX_TITLE_LETTERS:
            lines[-1] = f"{lines[-1]}, {word}"
        else:
            lines.append(word)
    return ",\n".join(lines)
